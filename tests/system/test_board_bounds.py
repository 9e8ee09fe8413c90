"""What bounds a board of changes of a span that cuts hours: never less than what readings say, and little more."""

from __future__ import annotations

from bisect import bisect_left
from operator import itemgetter

from oracle import now_us, reading, to_text
from http_tools import Api, insert
from storage import DAY_US, HOUR_US, Session, migrated
from test_bounded_boards import MINUTE_US, begin_storage
from test_http_boards_by import assert_same, changes, entries, rows_of
from test_http_spans import asked

FETCHED = (
    "SELECT sum(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0))::bigint FROM pg_stat_xact_user_tables"
    " WHERE relid IN (SELECT relid FROM pg_partition_tree('readings'))"
)


def store(database, rng, count, since, until, device=None):
    """Readings of 30 devices, or of one; of each the values have a level and a width of their own, and a few are far out."""
    database.rows(
        "INSERT INTO readings (device, content_hash, recorded_at, received_at, temperature)"
        " SELECT d, (random() * 1e15)::bigint, t, t, CASE WHEN random() > 0.02 THEN hashint4(d) %% 50 * 2.0 + random() * (d %% 5) * 10"
        " + CASE WHEN random() < 0.01 THEN hashint4(-d) %% 300 ELSE 0 END END FROM ("
        " SELECT coalesce(%(device)s, 1 + floor(random() * 30)::int) AS d, %(since)s::timestamptz + random() * (%(until)s::timestamptz - %(since)s) AS t"
        " FROM (SELECT setseed(%(seed)s)) s, generate_series(1, %(count)s)) r ORDER BY t",
        {"since": to_text(since), "until": to_text(until), "count": count, "device": device, "seed": rng.random()},
    )


def roll_to(database, at):
    database.rows("UPDATE storage_state SET late_before = %s", (to_text(at),))
    while database.rows("SELECT rollup_until(%(at)s) < %(at)s", {"at": to_text(at)})[0][0]:
        pass


def make_sheets(database):
    database.rows("UPDATE rollup_sheet_todo SET due_at = now()")
    database.rows("DO $$ BEGIN WHILE sheets_pass(0) LOOP END LOOP; END $$")


def bounds_of(database, by, order, since, until):
    ((statement,),) = database.rows(
        "SELECT change_bounds_sql(%s, '{temperature}', %s, %s, %s, 1000, '', false)", (by, order, to_text(since), to_text(until))
    )
    ((_, devices, bounds),) = database.rows(statement)
    names = dict(database.rows("SELECT id, device_id FROM devices"))
    return dict(zip((names[d] for d in devices), bounds or ()))


def test_no_bound_is_below_what_readings_say(stack, rng):
    """Hours rolled up minute by minute or at once, late readings of all of them, some taken out; cuts anywhere, also at whole ten minutes;
    a device with so many readings that their counts are rounded."""
    database = Session(migrated(stack))
    hour = now_us() // HOUR_US * HOUR_US
    first = hour - 6 * HOUR_US
    database.rows("INSERT INTO devices (device_id) SELECT 'd' || i FROM generate_series(1, 31) i")
    begin_storage(database, first, first)
    store(database, rng, 9000, first, hour)
    store(database, rng, 12_000, first + HOUR_US, first + 3 * HOUR_US, device=31)

    def far_out(device, minute):
        database.rows(
            "INSERT INTO readings (device, content_hash, recorded_at, received_at, temperature) VALUES (%s, %s, %s, now(), %s)",
            (device, rng.getrandbits(48), to_text(first + minute * MINUTE_US), rng.choice((-1e4, 1e4))),
        )

    def spans():
        for cut in (65, 67, 125, 133):  # just before and behind what is far out, and in a part behind it
            yield first + cut * MINUTE_US + 1, first + 5 * HOUR_US
            yield first, first + cut * MINUTE_US + 1
            yield first + (cut + 20) * MINUTE_US, first + 5 * HOUR_US
            yield first, first + (cut + 20) * MINUTE_US
        yield first + HOUR_US, first + HOUR_US + 3 * MINUTE_US  # nothing but the beginning of an hour
        for _ in range(8):
            since, until = sorted(rng.choice((1, 10 * MINUTE_US)) * rng.randrange(36 * 60) % (6 * HOUR_US) for _ in "ft")
            yield first + since, first + until + (rng.randrange(HOUR_US) if rng.random() < 0.5 else 0)

    def check():
        everything = sorted(rows_of(database, first, first + 8 * HOUR_US), key=itemgetter(2))
        times = [row[2] for row in everything]
        for since, until in spans():
            rows = everything[bisect_left(times, since) : bisect_left(times, until)]
            for by in ("deviation", "rise"):
                for order in ("desc", "asc"):
                    bounds = bounds_of(database, by, order, since, until)
                    for device, _, change, against, _ in changes(rows, by, order):
                        what = (by, order, to_text(since), to_text(until), device)
                        assert bounds[device] >= abs(change) - 1e-9 * (1 + abs(change) + abs(against)), what

    for device, minute in ((3, 125), (4, 65)):
        far_out(device, minute)
    check()
    at = first
    while at < first + 5 * HOUR_US + 35 * MINUTE_US:
        before = at
        at += rng.choice((1, 7, 10, 25, 60)) * MINUTE_US
        if before < first + 165 * MINUTE_US <= at:
            at = first + 165 * MINUTE_US
            roll_to(database, at)
            # what came late, and was taken out, of the hour that is being rolled up, and of one that is over
            for device, minute in ((1, 125), (2, 65)):
                far_out(device, minute)
            database.rows("SELECT rollup_fold_late(1000)")
            for device, minute in ((3, 125), (4, 65)):
                database.rows(
                    "SELECT readings_remove(%s, %s, %s)",
                    (f"d{device}", to_text(first + minute * MINUTE_US), to_text(first + minute * MINUTE_US + 1)),
                )
        roll_to(database, at)
        if rng.random() < 0.3:
            store(database, rng, 5, max(first, at - 90 * MINUTE_US), at, device=rng.randrange(1, 31))
        if rng.random() < 0.2:
            database.rows("SELECT rollup_fold_late(1000)")
        if rng.random() < 0.1:
            database.rows(
                "SELECT readings_remove(%s, %s, %s)", (f"d{rng.randrange(1, 31)}", to_text(at - 45 * MINUTE_US), to_text(at - 5 * MINUTE_US))
            )
    known, large = database.rows(
        "SELECT count(temperature_part_sums), count(*) FILTER (WHERE temperature_parts >> 60 > 0) FROM rollup_hours WHERE device > 0"
    )[0]
    assert known > 50 and large > 0
    check()
    # out of sheets, where hours have them; where parts are not known; and all of them
    make_sheets(database)
    check()
    database.rows("SELECT rollup_fold_late(100000)")
    check()
    make_sheets(database)
    check()
    database.rows("SELECT rollup_rebuild(%s, now())", (to_text(first),))
    check()
    make_sheets(database)
    check()


def test_parts_are_the_same_however_they_are_made(stack, rng):
    """By the minute while time goes on, or from all readings of a day."""
    database = Session(migrated(stack))
    hour = now_us() // HOUR_US * HOUR_US - 3 * HOUR_US
    database.rows("INSERT INTO devices (device_id) SELECT 'd' || i FROM generate_series(1, 30) i")
    begin_storage(database, hour - DAY_US, hour)
    store(database, rng, 3000, hour, hour + 2 * HOUR_US)
    for minute in range(1, 125):
        roll_to(database, hour + minute * MINUTE_US)
    parts = "SELECT device, bucket, temperature_parts FROM rollup_hours WHERE device > 0 ORDER BY 1, 2"
    by_minute = database.rows(parts)
    assert len(by_minute) == 60 and all(p is not None for *_, p in by_minute)
    device, at, bits = by_minute[0]
    for part in range(1, 6):
        counted = database.rows(
            "SELECT count(temperature) FROM readings WHERE device = %s AND recorded_at >= %s AND recorded_at < %s::timestamptz + %s * interval '10 minutes'",
            (device, at, at, part),
        )[0][0]
        assert bits >> 12 * (part - 1) & 4095 == counted
    database.rows("SELECT rollup_rebuild(%s, now())", (to_text(hour),))
    assert database.rows(parts) == by_minute


def test_few_readings_are_looked_at_where_hours_are_cut_and_values_spread_alike(stack, rng):
    """Counted by the database: sums of ten minutes leave few of 500 means in question."""
    api = Api(stack)
    database = stack.database
    hour = now_us() // HOUR_US * HOUR_US
    first = hour - 8 * HOUR_US
    database.rows("INSERT INTO devices (device_id) SELECT 'd' || i FROM generate_series(1, 500) i")
    begin_storage(database, first, first)
    database.rows(
        "INSERT INTO readings (device, content_hash, recorded_at, received_at, temperature) SELECT d, d, t, t, random() FROM ("
        " SELECT d, %(first)s::timestamptz + m * interval '1 minute' AS t FROM (SELECT setseed(%(seed)s)) seed, generate_series(0, 479) m,"
        " generate_series(1, 500) d) r ORDER BY t, d",
        {"first": to_text(first), "seed": rng.random()},
    )
    roll_to(database, hour)
    database.rows("ANALYZE")
    since, until = first + 20 * MINUTE_US, first + 7 * HOUR_US + 47 * MINUTE_US
    rows = rows_of(database, since, until)
    connection = database.connect()
    with connection.cursor() as cursor:
        for order in ("desc", "asc"):
            answer = api.json(asked(since, until, by="deviation", order=order, limit=5, features="temperature"))
            assert_same(entries(answer), changes(rows, "deviation", order)[:5], False, order)
            cursor.execute(
                "SELECT count(*) FROM boards_by('deviation', '{temperature}', %s, %s, %s, 5)", (order, to_text(since), to_text(until))
            )
            cursor.execute(FETCHED)
            assert cursor.fetchone()[0] < 15_000, order  # of 43,500 in the cut hours
            connection.rollback()
    connection.close()


def test_what_a_reading_lacks_is_no_value(stack):
    """In the last minutes, which are not summed up: a reading without the feature says nothing of its mean, nor of its highest."""
    api = Api(stack)
    at = now_us() - 30 * 1_000_000
    database = stack.database
    begin_storage(database, at - DAY_US, (at // MINUTE_US - 10) * MINUTE_US)
    some = [reading(f"d{d}", at + i, pressure=1.0, **({"temperature": d * i} if i % 2 else {})) for d in range(1, 6) for i in range(6)]
    insert(database, some)
    for by in ("deviation", "rise"):
        rows = rows_of(database, at - MINUTE_US, at + MINUTE_US)
        bounds = bounds_of(database, by, "desc", at - MINUTE_US, at + MINUTE_US)
        assert max(bounds.values()) < 100, by
        answer = api.json(asked(at - MINUTE_US, at + MINUTE_US, by=by, limit=3, features="temperature"))
        assert_same(entries(answer), changes(rows, by, "desc")[:3], False, by)
