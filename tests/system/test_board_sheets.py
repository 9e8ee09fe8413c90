"""Sheets, of which boards by deviation and rise are bounded: the same as rows of hours, and a board out of them what every reading says."""

from __future__ import annotations

import itertools

import pytest

from http_tools import Api
from oracle import now_us, to_text
from storage import DAY_US, HOUR_US, Session, migrated
from test_board_bounds import make_sheets, roll_to
from test_bounded_boards import MINUTE_US, begin_storage
from test_http_boards_by import assert_same, changes, entries, rows_of
from test_http_spans import asked

DEVICES = 150  # three blocks, the last of which is not full
FEATURES = ("temperature", "pressure")


def store(database, rng, count, since, until, devices=DEVICES):
    """Of each device the values have a level and a width of their own; a few are far out, and some readings lack a value."""
    database.rows(
        "INSERT INTO readings (device, content_hash, recorded_at, received_at, temperature, pressure)"
        " SELECT d, (random() * 1e15)::bigint, t, t, CASE WHEN random() > 0.02 THEN hashint4(d) %% 50 * 2.0 + random() * (d %% 5) * 10"
        " + CASE WHEN random() < 0.01 THEN hashint4(-d) %% 300 ELSE 0 END END, CASE WHEN d %% 7 > 0 THEN 1 + random() END FROM ("
        " SELECT 1 + floor(random() * %(devices)s)::int AS d, %(since)s::timestamptz + random() * (%(until)s::timestamptz - %(since)s) AS t"
        " FROM (SELECT setseed(%(seed)s)) s, generate_series(1, %(count)s)) r ORDER BY t",
        {"since": to_text(since), "until": to_text(until), "count": count, "devices": devices, "seed": rng.random()},
    )


def assert_sheets_are_hours(database):
    """Each place of each array; returns how many sheets there are, and how many tell of four hours."""
    for feature in FEATURES:
        wrong = database.rows(
            f"""WITH hours AS (SELECT device, bucket, {feature}_count AS n, {feature}_sum AS total, {feature}_min AS low, {feature}_max AS high,
                              {feature}_parts AS parts, {feature}_part_sums AS above FROM rollup_hours WHERE device > 0 AND {feature}_count > 0)
            SELECT s.hour, s.block, i FROM rollup_sheets s CROSS JOIN generate_series(1, 64) i
            LEFT JOIN hours h ON h.device = s.block * 64 + i - 1 AND h.bucket = s.hour
            LEFT JOIN LATERAL (SELECT sum(r.n) AS n, sum(r.total) AS total, min(r.low) AS low, max(r.high) AS high
                               FROM hours r WHERE r.device = s.block * 64 + i - 1 AND r.bucket > s.hour - interval '4 hours' AND r.bucket <= s.hour) r ON s.has_four
            WHERE s.feature = %s AND (
                (coalesce(s.counts[i], 0), coalesce(s.sums[i], 0), coalesce(s.lowest[i], 'Infinity'), coalesce(s.highest[i], '-Infinity'))
                IS DISTINCT FROM (coalesce(h.n, 0), coalesce(h.total, 0), coalesce(h.low, 'Infinity'), coalesce(h.high, '-Infinity'))
                OR (coalesce(s.four_counts[i], 0), coalesce(s.four_lowest[i], 'Infinity'), coalesce(s.four_highest[i], '-Infinity'))
                IS DISTINCT FROM (coalesce(r.n, 0), coalesce(r.low, 'Infinity'), coalesce(r.high, '-Infinity'))
                OR abs(coalesce(s.four_sums[i], 0) - coalesce(r.total, 0)) > 1e-6
                OR s.top < s.highest[i] OR s.bottom > s.lowest[i]
                OR h.n < 4096 AND EXISTS (SELECT FROM generate_series(1, 5) p WHERE coalesce(h.parts >> (12 * (p - 1)) & 4095, 0) <> s.part_counts[(p - 1) * 64 + i]
                    OR abs(coalesce(h.low * s.part_counts[(p - 1) * 64 + i] + (h.above >> (12 * (p - 1)) & 4095) * (h.high - h.low) * h.n / 4096, 'NaN') - s.part_sums[(p - 1) * 64 + i])
                       NOT BETWEEN 0 AND 1e-6 AND s.part_sums[(p - 1) * 64 + i] <> 'NaN'))""",
            (feature,),
        )
        assert wrong == [], (feature, wrong[:5])
    return database.rows("SELECT count(*), count(*) FILTER (WHERE has_four) FROM rollup_sheets")[0]


def hours_read(database, by, order, since, until, features=FEATURES, limit=4):
    """How many rows of hours a board takes."""
    connection = database.connect()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM boards_by(%s, %s, %s, %s, %s, %s)", (by, list(features), order, to_text(since), to_text(until), limit)
        )
        cursor.execute(
            "SELECT coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0) FROM pg_stat_xact_user_tables WHERE relname = 'rollup_hours'"
        )
        found = cursor.fetchone()[0]
    connection.close()
    return found


def check(api, database, since, until, limits=(3,), **more):
    of = {feature: rows_of(database, since, until, feature) for feature in FEATURES}
    for by, order, limit in itertools.product(("deviation", "rise"), ("desc", "asc"), limits):
        path = asked(since, until, by=by, order=order, limit=limit, features=",".join(FEATURES), **more)
        answer = api.get(path)
        assert answer.status == 200 and answer.headers["x-data-source"] == "database", (path, answer.body)
        for feature in FEATURES:
            rows = [row for row in of[feature] if not more or row[0] % 2 == 0]
            assert_same(entries(answer.json(), feature), changes(rows, by, order)[:limit], False, (path, feature))


def begun(database, hours):
    hour = now_us() // HOUR_US * HOUR_US
    first = hour - hours * HOUR_US
    database.rows(f"INSERT INTO devices (device_id) SELECT 'd' || i FROM generate_series(1, {DEVICES}) i")
    begin_storage(database, first - DAY_US, first)
    return first, hour


def test_boards_out_of_sheets_are_what_every_reading_says(stack, rng):
    """While time goes on, readings come late, some are taken out, a device goes and another comes; of a group; with a block that has none."""
    api = Api(stack)
    database = stack.database
    first, hour = begun(database, 14)
    database.rows("INSERT INTO device_abouts (device_id, group_name) SELECT 'd' || i, 'even' FROM generate_series(2, 150, 2) i")
    store(database, rng, 12_000, first, hour)

    def spans():
        yield first + 20 * MINUTE_US, first + 9 * HOUR_US + 47 * MINUTE_US
        yield first + HOUR_US, first + 9 * HOUR_US
        since = first + rng.randrange(9 * 60) * MINUTE_US + rng.choice((0, 1))
        yield since, since + rng.randrange(1, 5 * 60) * MINUTE_US

    def check_spans():
        for since, until in spans():
            check(api, database, since, until)
        check(api, database, first + 20 * MINUTE_US, first + 9 * HOUR_US + 47 * MINUTE_US, group="even")

    roll_to(database, first + 7 * HOUR_US)
    make_sheets(database)
    check_spans()
    roll_to(database, hour)
    make_sheets(database)
    made, fours = assert_sheets_are_hours(database)
    assert (made, fours) == (14 * 3 * 2, 11 * 3 * 2)
    check_spans()
    # what came late is not in sheets, and its devices are asked for beside them; then it is, and the sheets of these hours are gone
    store(database, rng, 40, first, hour - HOUR_US, devices=100)
    for device, value in ((33, 5000), (34, -5000)):
        database.rows(
            "INSERT INTO readings (device, content_hash, recorded_at, received_at, temperature) VALUES (%s, 1, %s, now(), %s)",
            (device, to_text(first + 5 * HOUR_US + 1), value),
        )
    check_spans()
    assert database.rows("SELECT rollup_fold_late(100000)")[0][0] > 0
    assert assert_sheets_are_hours(database)[0] < made
    check_spans()
    make_sheets(database)
    assert assert_sheets_are_hours(database) == (made, fours)
    at = first + rng.randrange(9 * 60) * MINUTE_US
    database.rows("SELECT readings_remove('d140', %s, %s)", (to_text(at), to_text(at + 3 * HOUR_US)))
    database.rows("SELECT device_remove('d77')")
    assert_sheets_are_hours(database)
    database.rows("INSERT INTO devices (device_id) VALUES ('d151')")
    check_spans()
    make_sheets(database)
    assert assert_sheets_are_hours(database) == (made, fours)
    # of one block there are none
    database.rows("DELETE FROM rollup_sheets WHERE block = 1")
    check_spans()
    # days are counted again, and so are sheets of them
    database.rows("SELECT rollup_rebuild(%s, now())", (to_text(first),))
    assert assert_sheets_are_hours(database)[0] == 0
    check_spans()
    make_sheets(database)
    assert assert_sheets_are_hours(database)[0] >= made
    check_spans()


def test_sheets_spare_the_rows_of_hours(stack, rng):
    """Counted by the database: those of the devices that are looked at are left."""
    database = Session(migrated(stack, features=",".join(FEATURES)))
    first, hour = begun(database, 10)
    store(database, rng, 10_000, first, hour)
    roll_to(database, hour)
    database.rows("ANALYZE")
    span = first + 20 * MINUTE_US, first + 9 * HOUR_US + 47 * MINUTE_US
    questions = list(itertools.product(("deviation", "rise"), ("desc", "asc")))
    before = [hours_read(database, by, order, *span) for by, order in questions]
    make_sheets(database)
    since = [hours_read(database, by, order, *span) for by, order in questions]
    assert all(b - s > 0.9 * DEVICES * 10 for b, s in zip(before, since)), (before, since)


@pytest.mark.parametrize("far", ["NaN", "Infinity", "-Infinity", "1e300", "-1e300", "5e-324", "1e-300"])
def test_values_at_the_ends_of_doubles(stack, far):
    """They say nothing of a mean, and no arithmetic fails on them."""
    api = Api(stack)
    database = stack.database
    first, hour = begun(database, 6)
    database.rows(
        "INSERT INTO readings (device, content_hash, recorded_at, received_at, temperature, pressure)"
        " SELECT d, m, t, t, CASE WHEN d = 5 AND m = 130 THEN %(far)s::float8 ELSE d %% 3 END, CASE WHEN d = 6 THEN %(far)s::float8 ELSE d %% 3 + d * m / 100.0 END"
        " FROM generate_series(1, 9) d, generate_series(0, 350, 10) m, LATERAL (SELECT %(first)s::timestamptz + m * interval '1 minute' AS t) x",
        {"far": far, "first": to_text(first)},
    )
    roll_to(database, hour)
    make_sheets(database)
    assert database.value("SELECT count(*) FROM rollup_sheets WHERE counts IS NOT NULL") > 0
    for since, until in ((first, hour), (first + 25 * MINUTE_US, first + 5 * HOUR_US + 25 * MINUTE_US), (first + 125 * MINUTE_US, first + 135 * MINUTE_US)):
        check(api, database, since, until, limits=(2, 100))


def test_a_few_readings_of_an_hour_that_has_thousands(stack):
    """Counts of its parts are rounded, sums are not as coarse: the first ten minutes have no reading, and yet a sum."""
    api = Api(stack)
    database = stack.database
    first, hour = begun(database, 3)
    for device, since, every_us, count, value in ((1, first, HOUR_US // 4, 8, 1), (2, first + HOUR_US, MINUTE_US, 4, 10), (2, first + 80 * MINUTE_US, 400_000, 5000, 0)):
        database.rows(
            "INSERT INTO readings (device, content_hash, recorded_at, received_at, temperature, pressure)"
            " SELECT %(device)s, i, t, t, %(value)s, -%(value)s FROM generate_series(0, %(count)s - 1) i,"
            " LATERAL (SELECT %(since)s::timestamptz + i::bigint * %(every_us)s * interval '1 microsecond' AS t) x",
            {"device": device, "since": to_text(since), "every_us": every_us, "count": count, "value": value},
        )
    roll_to(database, hour)
    make_sheets(database)
    assert database.rows("SELECT part_counts[3], part_sums[3] > 30 FROM rollup_sheets WHERE feature = 'temperature' AND block = 0 AND hour = %s", (to_text(first + HOUR_US),)) == [(0, True)]
    for cut in (5 * MINUTE_US, 10 * MINUTE_US, 10 * MINUTE_US + 1):
        check(api, database, first, first + HOUR_US + cut)
        check(api, database, first + HOUR_US, first + HOUR_US + cut)


def test_sheets_of_a_feature_that_comes_later(stack, rng):
    """All are made again, so that it has as many as the others; and those of more than four days ago are gone."""
    database = Session(migrated(stack, features=",".join(FEATURES)))
    first, hour = begun(database, 6)
    store(database, rng, 1000, first, hour)
    roll_to(database, hour)
    make_sheets(database)
    assert database.count("rollup_sheets") == 6 * 3 * 2
    database.rows("SELECT add_features('{it''s odd}')")
    make_sheets(database)
    assert database.rows("SELECT feature, count(*), count(counts) FROM rollup_sheets GROUP BY 1 ORDER BY 1") == [
        ("it's odd", 18, 0), ("pressure", 18, 18), ("temperature", 18, 18),
    ]  # fmt: skip
    database.rows("UPDATE rollup_sheets SET hour = hour - interval '96 hours'")
    roll_to(database, hour)
    database.rows("UPDATE rollup_sheet_pass SET until = until - interval '1 hour'")
    make_sheets(database)
    assert database.value("SELECT min(hour) >= now() - interval '97 hours' FROM rollup_sheets")
    # a fleet that is small is quick without
    database.rows("DELETE FROM rollup_sheets", ())
    database.rows("UPDATE rollup_sheet_pass SET until = '-infinity'")
    assert database.rows("SELECT sheets_pass()") == [(False,)] and database.count("rollup_sheets") == 0
