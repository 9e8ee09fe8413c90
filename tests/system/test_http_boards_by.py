"""/dashboard?by=deviation|rise: what a look at every reading says, or a refusal that is true."""

from __future__ import annotations

import itertools
import math
from collections import defaultdict

from http_tools import Api, insert
from oracle import now_us, reading, to_text, to_us
from storage import DAY_US, HOUR_US, Session, migrated
from test_bounded_boards import MINUTE_US, begin_storage, dropped_before, roll_to, store
from test_http_spans import asked

MOST = 1e290


def clamped(value):
    return max(-MOST, min(MOST, value))


def changes(rows, by, order):
    """By every reading: (change, id, device, end, what it is against and when), the best first. Rows are id, device,
    time, hash, value."""
    sign = 1 if order == "desc" else -1
    of_device = defaultdict(list)
    for number, device, at, content_hash, value in rows:
        if value is not None and not math.isnan(value):
            of_device[number, device].append((at, content_hash, sign * clamped(value)))
    found = []
    for (number, device), readings in of_device.items():
        readings.sort()
        if by == "deviation":
            mean = math.fsum(y for _, _, y in readings) / len(readings)
            y, at, content_hash = max((y, at, h) for at, h, y in readings)
            found.append((y - mean, number, device, at, content_hash, sign * mean, None))
            continue
        best, low, low_at = None, math.inf, None
        for at, peers in itertools.groupby(readings, key=lambda r: r[0]):
            peers = list(peers)
            for _, content_hash, y in peers:
                if low < math.inf and (best is None or (y - low, at, content_hash) > best[:3]):
                    best = (y - low, at, content_hash, low, low_at)
            if min(y for _, _, y in peers) <= low:
                low, low_at = min(y for _, _, y in peers), at
        if best:
            found.append((best[0], number, device, best[1], best[2], sign * best[3], best[4]))
    found.sort(key=lambda f: (-f[0], f[1]))
    return [(device, at, sign * change, against, against_at) for change, _, device, at, _, against, against_at in found]


def rows_of(database, from_us, to_us_, feature="temperature", table="readings"):
    return [
        (number, device, to_us(at), content_hash, value)
        for number, device, at, content_hash, value in database.rows(
            f"SELECT d.id, d.device_id, r.recorded_at, r.content_hash, r.{feature} FROM {table} r JOIN devices d ON d.id = r.device"
            " WHERE r.recorded_at >= %s AND r.recorded_at < %s",
            (to_text(from_us), to_text(to_us_)),
        )
    ]


def entries(answer, feature="temperature"):
    return [
        (
            e["deviceId"], to_us(e["timestamp"]), e["value"]["change"], e["value"]["against"],
            e["value"]["againstAt"] and to_us(e["value"]["againstAt"]),
        )
        for e in answer[feature]
    ]  # fmt: skip


def assert_same(found, expected, exactly, what):
    if not exactly:  # means of sums of doubles
        assert [e[:2] + e[4:] for e in found] == [e[:2] + e[4:] for e in expected], what
        for mine, theirs in zip(found, expected):
            assert all(math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-9) for a, b in zip(mine[2:4], theirs[2:4])), (what, mine, theirs)
    else:
        assert found == expected, what


def check(api, database, from_us, to_us_, exactly=True, limits=(3, 1000)):
    """Of both features in one question, as they are made of one pass over the sums."""
    features = ("pressure", "temperature")
    rows = {feature: rows_of(database, from_us, to_us_, feature) for feature in features}
    for by, order in itertools.product(("deviation", "rise"), ("desc", "asc")):
        expected = {feature: changes(rows[feature], by, order) for feature in features}
        for limit in limits:
            path = asked(from_us, to_us_, by=by, order=order, limit=limit, features=",".join(features))
            answer = api.get(path)
            assert answer.status == 200 and answer.headers["x-data-source"] == "database", (path, answer.body)
            for feature in features:
                assert_same(entries(answer.json(), feature), expected[feature][:limit], exactly, (path, feature))


def test_changes_are_what_every_reading_says(stack, rng):
    """Rolled up and not, cut hours, late readings, missing values, many of one moment, and some removed."""
    levels = rng.choice((2, 40, 100_000))
    api = Api(stack)
    database = stack.database
    now = now_us()
    first = now - 4 * DAY_US
    database.rows("INSERT INTO devices (device_id) SELECT 'd' || i FROM generate_series(1, 200) i")
    begin_storage(database, first, first - first % DAY_US)

    def check_spans():
        hour = now - now % HOUR_US
        check(api, database, first - DAY_US, now + DAY_US, limits=(5,))
        check(api, database, hour - 30 * HOUR_US, hour - 20 * HOUR_US, limits=(3,))
        for length in (20 * MINUTE_US, 3 * HOUR_US, 3 * DAY_US):
            since = rng.randrange(first, now - length + 2 * HOUR_US)
            check(api, database, since, since + length, limits=(rng.choice((1, 4, 1000)),))

    store(database, rng, 3000, first, now + MINUTE_US, levels, devices=200)
    store(database, rng, 1000, now - HOUR_US - 5 * MINUTE_US, now, levels, devices=200)
    database.rows("UPDATE readings SET recorded_at = date_bin('10 minutes', recorded_at, 'epoch') WHERE content_hash %% 5 = 0", ())
    check_spans()
    roll_to(database, now - rng.randrange(3, 59) * MINUTE_US)
    check_spans()
    store(database, rng, 300, first, now, levels, devices=200)
    check_spans()
    database.rows("SELECT rollup_fold_late(150)")
    start = now - rng.randrange(2 * DAY_US)
    database.rows("SELECT readings_remove('d3', %s, %s)", (to_text(start), to_text(start + 9 * HOUR_US)))
    check_spans()


def test_an_interval_is_answered_by_the_database_too(stack, played):
    api = Api(stack)
    now = now_us()
    collector = played()
    collector.boards([reading("d1", now, temperature=9, pressure=1)])
    collector.go_live()
    insert(stack.database, [reading("d", now - 50 * 1_000_000, temperature=10), reading("d", now - 40 * 1_000_000, temperature=16),
                            reading("d", now - 120 * 1_000_000, temperature=0), reading("e", now - HOUR_US, temperature=1)])  # fmt: skip
    answer = api.get("/dashboard?by=rise&features=temperature")
    assert answer.headers["x-data-source"] == "database"
    assert [(e["deviceId"], e["value"]["change"], e["value"]["against"]) for e in answer.json()["temperature"]] == [("d", 6, 10)]
    ever = api.json("/dashboard?by=deviation&order=asc&interval=all_time&features=temperature")["temperature"]
    assert [(e["deviceId"], e["temperature"], e["value"]["against"]) for e in ever] == [("d", 0, 26 / 3), ("e", 1, 1)]
    assert "value" not in api.json("/dashboard?by=maximum&interval=2h&features=temperature")["temperature"][0]
    for bad in ("highest", "", "rise,deviation", "Rise", "rise&by=rise"):
        refused = api.get(f"/dashboard?by={bad}")
        assert refused.status == 400 and "by" in refused.json()["detail"], bad


def test_values_at_the_ends_of_doubles_are_compared_all_the_same(stack):
    """Huge, tiny, and one that is no number at all, which only SQL can store: summed up, and in cut hours."""
    api = Api(stack)
    database = stack.database
    hour = now_us() // HOUR_US * HOUR_US - 5 * HOUR_US
    begin_storage(database, hour - DAY_US, hour)
    values = {"huge": (-1.7e308, 1.7e308), "tiny": (5e-324, -5e-324, 1e-320), "none": (3.0, math.nan, 5.0), "one": (7.0,)}
    insert(database, [reading(d, hour + i * MINUTE_US, temperature=v, pressure=0) for d, vs in values.items() for i, v in enumerate(vs)])
    insert(database, [reading("both", hour + i * 9 * MINUTE_US, temperature=v, pressure=0) for i, v in enumerate((5e-324, 1e-323, 1e6, 1e-305))])
    for _ in range(2):
        check(api, database, hour, hour + HOUR_US, exactly=False)
        check(api, database, hour + MINUTE_US, hour + HOUR_US + MINUTE_US, exactly=False)
        roll_to(database, hour + 3 * HOUR_US)


def test_a_span_whose_values_were_dropped_is_refused(stack):
    api = Api(stack)
    database = stack.database
    today = now_us() // DAY_US * DAY_US
    first = today - 4 * DAY_US
    begin_storage(database, first, first)
    insert(database, [reading("a", first + HOUR_US, pressure=90), reading("a", today - HOUR_US, temperature=50, pressure=1),
                      reading("a", today - MINUTE_US, temperature=60, pressure=1)])  # fmt: skip
    roll_to(database, today)
    dropped_before(database, today - DAY_US)
    check(api, database, today - DAY_US, today)
    for by in ("deviation", "rise"):
        assert api.json(asked(first, today, by=by, features="temperature"))["temperature"][0]["temperature"] == 60, "nothing of it was dropped"
        refused = api.get(asked(first, today, by=by, features="pressure"))
        assert refused.status == 410 and to_text(today - DAY_US).replace(".000000", "") in refused.json()["detail"]
        kept = api.json(f"/dashboard?by={by}&interval=all_time&features=pressure")["pressure"]
        assert [(e["deviceId"], e["value"]["change"]) for e in kept] == [("a", 0)], "of what is kept"


def test_few_readings_are_looked_at_for_a_night(stack, rng):
    """Of 400 devices, of which a few jumped: counted by the database, not by a clock."""
    database = Session(migrated(stack))
    hour = now_us() // HOUR_US * HOUR_US
    night = hour - 20 * HOUR_US
    database.rows("INSERT INTO devices (device_id) SELECT 'd' || i FROM generate_series(1, 400) i")
    begin_storage(database, night, night)
    database.rows(
        "INSERT INTO readings (device, content_hash, recorded_at, received_at, temperature)"
        " SELECT d, d, t, t, d + s + CASE WHEN d %% 40 = 0 AND m = 300 THEN 50 ELSE 0 END FROM (SELECT d, %(night)s::timestamptz + m * interval '1 minute' AS t,"
        " m, random() AS s FROM (SELECT setseed(%(seed)s)) seed, generate_series(0, 599) m, generate_series(1, 400) d) r ORDER BY t, d",
        {"night": to_text(night), "seed": rng.random()},
    )  # fmt: skip
    roll_to(database, hour)
    database.rows("ANALYZE")
    fetched = (
        "SELECT sum(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0))::bigint FROM pg_stat_xact_user_tables"
        " WHERE relid IN (SELECT relid FROM pg_partition_tree('readings'))"
    )
    connection = database.connect()
    with connection.cursor() as cursor:
        for by, order in itertools.product(("deviation", "rise"), ("desc", "asc")):
            cursor.execute(
                "SELECT array_agg(device_id) FROM boards_by(%s, '{temperature}', %s, %s, %s, 10)",
                (by, order, to_text(night), to_text(night + 10 * HOUR_US)),
            )
            (devices,) = cursor.fetchone()
            cursor.execute(fetched)
            assert cursor.fetchone()[0] < 5_000, (by, order)  # of 240,000
            connection.rollback()
            if order == "desc":
                assert {int(d[1:]) % 40 for d in devices} == {0}, by
    connection.close()


def test_what_many_promise_in_vain_hides_nobody(stack):
    """More devices than bounds are asked for at once were high in the hour that the span cuts, before it; behind them the best ones."""
    api = Api(stack)
    database = stack.database
    hour = now_us() // HOUR_US * HOUR_US - 5 * HOUR_US
    begin_storage(database, hour - DAY_US, hour)
    readings = []
    for n in range(1, 201):
        values = [(15, 0), (70, 0), (90, 50 + n if 76 < n < 95 else 1)] + ([(5, 1000 + n)] if n <= 76 else [])
        readings += [reading(f"d{n:03}", hour + minute * MINUTE_US, temperature=value, pressure=7) for minute, value in values]
    insert(database, readings)
    roll_to(database, hour + 4 * HOUR_US)
    check(api, database, hour + 10 * MINUTE_US, hour + 3 * HOUR_US, exactly=False, limits=(1, 3, 5, 14))


def test_devices_whose_values_spread_alike_are_not_looked_at_one_by_one(stack, rng):
    """A span that cuts hours: there sums say too little of 2,000 means to leave any of them out."""
    api = Api(stack)
    database = stack.database
    hour = now_us() // HOUR_US * HOUR_US
    first = hour - 6 * HOUR_US
    database.rows("INSERT INTO devices (device_id) SELECT 'd' || i FROM generate_series(1, 2000) i")
    begin_storage(database, first, first)
    database.rows(
        "INSERT INTO readings (device, content_hash, recorded_at, received_at, temperature) SELECT d, d, t, t, random() FROM ("
        " SELECT d, %(first)s::timestamptz + m * interval '8 minutes' AS t FROM (SELECT setseed(%(seed)s)) seed, generate_series(0, 37) m,"
        " generate_series(1, 2000) d) r ORDER BY t, d",
        {"first": to_text(first), "seed": rng.random()},
    )
    roll_to(database, hour)
    database.rows("ANALYZE")
    since, until = first + 20 * MINUTE_US, first + 4 * HOUR_US + 30 * MINUTE_US
    rows = rows_of(database, since, until)
    for by, order in itertools.product(("deviation", "rise"), ("desc", "asc")):
        answer = api.json(asked(since, until, by=by, order=order, limit=7, features="temperature"))
        assert_same(entries(answer), changes(rows, by, order)[:7], by == "rise", (by, order))
    scans = "SELECT sum(idx_scan)::bigint FROM pg_stat_xact_user_tables WHERE relid IN (SELECT relid FROM pg_partition_tree('readings'))"
    connection = database.connect()
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM boards_by('deviation', '{temperature}', 'desc', %s, %s, 7)", (to_text(since), to_text(until)))
        cursor.execute(scans)
        assert cursor.fetchone()[0] < 2_000, "the cut hours are read as a whole"
    connection.close()
