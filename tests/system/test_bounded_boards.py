"""Boards of any span out of the tables: what a look at every reading says, and without one."""

from __future__ import annotations

import psycopg2
from oracle import now_us, to_text
from storage import DAY_US, HOUR_US, Session, migrated

MINUTE_US = 60_000_000
FEATURE = "temperature"

EVERY = """
    SELECT d.device_id, b.recorded_at, b.content_hash FROM (
        SELECT DISTINCT ON (r.device) r.device, r.recorded_at, r.content_hash, r.temperature FROM readings r
        WHERE r.temperature <> 'NaN' AND r.recorded_at > %(since)s AND r.received_at <= %(until)s
        ORDER BY r.device, r.temperature {order}, r.recorded_at DESC, r.content_hash DESC) b
    JOIN devices d ON d.id = b.device ORDER BY b.temperature {order}, b.recorded_at DESC, d.device_id LIMIT %(most)s"""
BOARD = """
    SELECT device_id, (best).recorded_at, (best).content_hash
    FROM board_of('temperature', %(order)s, %(since)s, %(most)s, %(until)s)"""

# The same from one moment to another, of all that ever was stored.
EVERY_OF_SPAN = EVERY.replace("FROM readings r", "FROM {source} r").replace(
    "r.recorded_at > %(since)s", "r.recorded_at >= %(since)s AND r.recorded_at < %(ends)s"
)
BOARD_OF_SPAN = """
    SELECT device_id, (best).recorded_at, (best).content_hash
    FROM board_of_span('temperature', %(order)s, %(since)s, %(ends)s, %(most)s, %(until)s)"""


def differences(database, since, until, orders=("desc", "asc"), mosts=(3, 1000)):
    found = []
    for order in orders:
        for most in mosts:
            values = {"order": order, "since": since, "until": until, "most": most}
            if database.rows(BOARD, values) != database.rows(EVERY.format(order=order), values):
                found.append(values)
    return found


def compare_span(database, since, ends, until="infinity", source="readings", mosts=(3, 1000)):
    """Whether all of it is answered, and what is, is right; what is not is refused as dropped."""
    is_answered = True
    for order in ("desc", "asc"):
        for most in mosts:
            values = {"order": order, "since": to_text(since), "ends": to_text(ends), "until": until, "most": most}
            try:
                board = database.rows(BOARD_OF_SPAN, values)
            except psycopg2.Error as error:
                assert error.pgcode == "HW003", error
                is_answered = False
                continue
            assert board == database.rows(EVERY_OF_SPAN.format(order=order, source=source), values), values
    return is_answered


def store(database, rng, count, since, until, levels, devices=30):
    """Random readings; few `levels` make ties."""
    database.rows(
        "INSERT INTO readings (device, content_hash, recorded_at, received_at, temperature, pressure)"
        " SELECT d, h, t, least(t, now()) + h %% 3 * interval '1 s', CASE WHEN h %% 11 > 0 THEN v END, 5 - 2 * v FROM ("
        " SELECT 1 + floor(random() * %(devices)s)::int AS d, (random() * 1e15)::bigint AS h,"
        " %(since)s::timestamptz + random() * (%(until)s::timestamptz - %(since)s) AS t,"
        " floor(random() * %(levels)s) - %(levels)s / 3 AS v FROM (SELECT setseed(%(seed)s)) s, generate_series(1, %(count)s)) r ORDER BY t",
        {"since": to_text(since), "until": to_text(until), "count": count, "levels": levels, "devices": devices, "seed": rng.random()},
    )


def begin_storage(database, first, rolled):
    """Partitions from `first` on, and nothing rolled up since `rolled`."""
    database.rows("SELECT * FROM make_partitions(%s, now())", (to_text(first),))
    database.rows("UPDATE storage_state SET rolled_until = %(at)s, late_before = %(at)s", {"at": to_text(rolled)})


def roll_to(database, at):
    database.rows("UPDATE storage_state SET late_before = %s", (to_text(at - at % MINUTE_US),))
    for _ in range(24 * 5):
        database.rows("SELECT rollup_until(%s)", (to_text(at),))


def dropped_before(database, moment):
    while database.rows("SELECT detach_partition(%s)", (to_text(moment),))[0][0]:
        pass
    database.rows("SELECT drop_detached(), rollup_forget()")


def test_boards_of_any_span_are_what_every_reading_says(stack, rng):
    levels = rng.choice((2, 40, 1_000_000))
    database = Session(migrated(stack))
    now = now_us()
    first = now - 4 * DAY_US
    database.rows("INSERT INTO devices (device_id) SELECT 'd' || i FROM generate_series(1, 40) i")
    begin_storage(database, first, first - first % DAY_US)
    rolled = now - rng.randrange(3, 120) * MINUTE_US

    def check(at):
        spans = [5 * MINUTE_US, rng.randrange(6 * HOUR_US), rng.randrange(4 * DAY_US), 20 * DAY_US]
        for since in [now - span for span in spans] + [rolled - rolled % HOUR_US]:
            for until in ("infinity", to_text(now - rng.randrange(3 * HOUR_US)))[: rng.randrange(1, 3)]:
                assert differences(database, to_text(since), until) == [], f"{at}: since {to_text(since)}"
        for length in (5 * MINUTE_US, 90 * MINUTE_US, 8 * HOUR_US, 3 * DAY_US):
            since = now - rng.randrange(4 * DAY_US)
            since = max(first, since - rng.choice((0, since % HOUR_US, since % DAY_US)))
            ends = since + length - rng.choice((0, (since + length) % HOUR_US))
            source = "ever" if "dropped" in at else "readings"
            is_answered = compare_span(database, since, ends, until, source, (rng.choice((3, 1000)),))
            assert is_answered or source == "ever", (at, since, ends)

    store(database, rng, 1500, first, now + MINUTE_US, levels)
    check("nothing is summed up")
    roll_to(database, rolled)
    check("summed up")
    store(database, rng, 400, first, now, levels)
    check("with late readings")
    database.rows("SELECT rollup_fold_late(150)")
    check("some of which are folded in")
    database.rows("CREATE TABLE before AS SELECT * FROM readings")
    database.rows("CREATE VIEW ever AS SELECT * FROM before UNION SELECT * FROM readings")
    dropped_before(database, now - 2 * DAY_US)
    check("old ones dropped")
    store(database, rng, 200, first, now, levels)
    check("some of the time that was dropped")


def test_a_span_that_was_dropped_is_answered_exactly_or_not_at_all(stack, rng):
    database = Session(migrated(stack))
    now = now_us()
    today = now - now % DAY_US
    first = today - 4 * DAY_US
    database.rows("INSERT INTO devices (device_id) SELECT 'd' || i FROM generate_series(1, 40) i")
    begin_storage(database, first, first)
    store(database, rng, 1500, first, today - DAY_US, 1000)
    store(database, rng, 100, today - DAY_US, today, 1000)
    roll_to(database, today)
    store(database, rng, 50, first, today, 1000)
    database.rows("CREATE TABLE everything AS SELECT * FROM readings")

    dropped_before(database, today - DAY_US)
    for ends in (today, today - DAY_US, today - 2 * DAY_US - 5 * MINUTE_US):
        for since in (first, first + 7 * MINUTE_US, today - DAY_US - 3 * HOUR_US):
            compare_span(database, since, ends, source="everything", mosts=(1, 3, 1000))
    assert compare_span(database, first, today, source="everything"), "peaks has the best reading of each"
    # the best of the span are of after the drop, or in peaks; then of a device that has a better one elsewhere
    spike = "INSERT INTO readings (device, content_hash, recorded_at, received_at, temperature) VALUES (%s, 1, %s, now(), %s)"
    for device in range(1, 5):
        database.rows(spike, (device, to_text(today - HOUR_US), 5000 + device))
    database.rows("INSERT INTO everything SELECT * FROM readings WHERE temperature > 5000")
    values = {"order": "desc", "since": to_text(first), "ends": to_text(today), "until": "infinity", "most": 3}
    assert [d for d, _, _ in database.rows(BOARD_OF_SPAN, values)] == ["d4", "d3", "d2"]
    assert not compare_span(database, first, today - DAY_US, source="everything"), "whose peak is later"
    # a peak that was received after the moment that is asked about
    late = spike.replace("now()", "now() + interval '1 hour'")
    database.rows(late, (5, to_text(today - HOUR_US), 7000))
    database.rows("INSERT INTO everything SELECT * FROM readings WHERE temperature = 7000")
    compare_span(database, first, today, to_text(now), "everything")
    values["until"] = to_text(now_us())
    assert [d for d, _, _ in database.rows(BOARD_OF_SPAN, values)] == ["d4", "d3", "d2"]


def test_a_board_of_days_looks_at_few_readings(stack, rng):
    """Of 40,000 in 60 hours, but those of today; counted by the database, not by a clock."""
    database = Session(migrated(stack))
    now = now_us()
    database.rows("INSERT INTO devices (device_id) SELECT 'd' || i FROM generate_series(1, 40) i")
    start = now - 3 * DAY_US
    begin_storage(database, now - 3 * DAY_US, start - start % DAY_US)
    store(database, rng, 40_000, now - 60 * HOUR_US, now, 1_000_000)
    roll_to(database, now - 3 * MINUTE_US)
    database.rows("ANALYZE")
    read = (
        "SELECT sum(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0))::bigint FROM pg_stat_xact_user_tables"
        " WHERE relid IN (SELECT to_regclass(name) FROM reading_partitions WHERE ends_at < now())"
    )
    connection = database.connect()
    with connection.cursor() as cursor:

        def looked_at(order, most):
            cursor.execute(read)
            (before,) = cursor.fetchone()
            cursor.execute("SELECT count(*) FROM board_of('temperature', %s, now() - interval '59 hours', %s)", (order, most))
            assert cursor.fetchone() == (most,)
            cursor.execute(read)
            (after,) = cursor.fetchone()
            connection.rollback()  # all in one transaction, since what is counted begins anew between two
            return after - before

        for order in ("desc", "asc"):
            assert looked_at(order, 1) < 0.8 * looked_at(order, 30) < 2_000, order  # few devices for one of them
    connection.close()


def test_a_backlog_that_came_too_late_for_a_board_is_looked_at_to_its_end(stack):
    """Sums of 40 batches of one device each promise another best reading, and none of these was received in time."""
    database = Session(migrated(stack))
    now = now_us()
    first = now // HOUR_US * HOUR_US - 3 * HOUR_US
    database.rows("INSERT INTO devices (device_id) VALUES ('d')")
    begin_storage(database, first, first)
    one = "INSERT INTO readings (device, content_hash, recorded_at, received_at, temperature) VALUES (1, %s, %s, %s, %s)"
    database.rows(one, (0, to_text(first), to_text(first), 0.0))
    roll_to(database, first + 2 * HOUR_US)
    for i in range(1, 41):
        database.rows(one, (i, to_text(first + i * MINUTE_US), to_text(now), float(i)))
    until = to_text(now - MINUTE_US)
    assert differences(database, to_text(first - 1), until) == []
    assert compare_span(database, first, now, until)


FETCHED = """
    SELECT sum(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0))::bigint FROM pg_stat_xact_user_tables
    WHERE relid IN (SELECT relid FROM pg_partition_tree('readings'))"""


def test_a_span_that_is_over_looks_at_few_readings_of_few_devices(stack, rng):
    """Of a night of 400 devices, which begins and ends within an hour; in both of these the whole fleet had its highest
    and lowest values of all, but outside of the night. Counted by the database, not by a clock."""
    database = Session(migrated(stack))
    now = now_us()
    night = now - now % DAY_US - 26 * HOUR_US - 30 * MINUTE_US
    start = night - night % DAY_US
    database.rows("INSERT INTO devices (device_id) SELECT 'd' || i FROM generate_series(1, 400) i")
    begin_storage(database, start, start)
    database.rows(
        "INSERT INTO readings (device, content_hash, recorded_at, received_at, temperature)"
        " SELECT d, d, t, t, CASE WHEN m IN (-20, 490) THEN 1000 + s WHEN m IN (-19, 491) THEN -1000 - s"
        " WHEN m < 30 OR m >= 450 THEN 0.1 + 0.8 * s ELSE s END FROM ("
        " SELECT d, m, %(night)s::timestamptz + m * interval '1 minute' AS t, random() AS s FROM"
        " (SELECT setseed(%(seed)s)) seed, generate_series(-120, 600) m, generate_series(1, 400) d) r ORDER BY t, d",
        {"night": to_text(night), "seed": rng.random()},
    )
    roll_to(database, now)
    database.rows("ANALYZE")
    ends = night + 8 * HOUR_US
    assert compare_span(database, night, ends, mosts=(10,))
    connection = database.connect()
    with connection.cursor() as cursor:

        def looked_at(order, most):
            cursor.execute(FETCHED)
            (before,) = cursor.fetchone()
            values = (order, to_text(night), to_text(ends), most)
            cursor.execute("SELECT count(*) FROM board_of_span('temperature', %s, %s, %s, %s)", values)
            assert cursor.fetchone() == (most,)
            cursor.execute(FETCHED)
            (after,) = cursor.fetchone()
            connection.rollback()
            return after - before

        for order in ("desc", "asc"):
            assert looked_at(order, 1) <= 60, order  # an hour of one device
            assert looked_at(order, 10) <= 10 * 60, order
        cursor.execute("SELECT board_cells_sql('temperature', 'desc', %s, %s, true, '')", (to_text(night), to_text(ends)))
        (cells,) = cursor.fetchone()
        cursor.execute("SET enable_seqscan = off")  # so small a table would be read as a whole
        cursor.execute("EXPLAIN " + cells.replace("$1", "'-Infinity'"))
        plan = [line for (line,) in cursor.fetchall()]
        connection.rollback()
    assert sum("using rollup_hours_bucket" in line or "on rollup_hours_bucket" in line for line in plan) == 3, plan
    assert not any("on readings" in line for line in plan), plan
    connection.close()
