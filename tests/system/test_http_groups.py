"""group= on boards, their lines, plots and exports: what every reading of the group's devices says."""

from __future__ import annotations

import csv
import io
import itertools
from urllib.parse import quote

from http_tools import Api, insert, some_readings
from oracle import FEATURES, board_of_json, board_of_span_by_sql, now_us, reading, to_text, to_us
from storage import DAY_US, HOUR_US, Session, migrated
from test_bounded_boards import FETCHED, MINUTE_US, begin_storage, dropped_before, roll_to
from test_http_boards_by import assert_same, changes, entries, rows_of
from test_http_spans import asked, three_days

HOSTILE = ["'; DROP TABLE readings; --", "温 度", "a,b", '{"x"}', "%", "NULL", "$1", "x" * 64, "‮bcd", "\\"]


def say(database, groups):
    """Groups by their names, each with its devices."""
    database.rows("DELETE FROM device_abouts")
    for group, devices in groups.items():
        database.rows("INSERT INTO device_abouts (device_id, group_name) SELECT unnest(%s::text[]), %s", (list(devices), group))


def test_a_board_of_a_group_is_what_every_reading_of_it_says(stack, rng):
    """Groups of any size, of devices that have no reading, too; spans and intervals; rolled up and not, late, removed."""
    api = Api(stack)
    database = stack.database
    now, first, times = three_days(database, rng)
    everyone = [f"device_{n}" for n in range(19)] + ["never heard"]

    def check():
        names = rng.sample(HOSTILE, 3)
        devices = rng.sample(everyone, len(everyone))
        sizes = [1, rng.randrange(2, 8), 20]
        groups = {name: devices[sum(sizes[:i]):][:size] for i, (name, size) in enumerate(zip(names, sizes))}
        say(database, groups)
        spans = [(first - DAY_US, now + DAY_US), (now - 2 * HOUR_US, now + DAY_US)]
        spans += [sorted(rng.choice(times) + rng.choice((-1, 0, 1)) for _ in "ft") for _ in range(2)]
        for (name, members), (from_us, to_us_), order in itertools.product(groups.items(), spans, ("desc", "asc")):
            limit = rng.choice((2, 1000))
            path = asked(from_us, to_us_, order=order, limit=limit, group=quote(name))
            answer = api.get(path)
            assert answer.status == 200 and answer.headers["x-data-source"] == "database", path
            for feature in FEATURES:
                expected = board_of_span_by_sql(database, feature, from_us, to_us_, limit, order, members)
                assert board_of_json(answer.json()[feature]) == expected, path
            rows = [row for row in rows_of(database, from_us, to_us_) if row[1] in members]
            for by in ("deviation", "rise"):
                expected = changes(rows, by, order)[:limit]
                assert_same(entries(api.json(path + f"&by={by}&features=temperature")), expected, by == "rise", (path, by))
        name, members = rng.choice(list(groups.items()))
        for interval, since in (("all_time", 0), ("2h", now - 2 * HOUR_US), ("9d", 0)):
            board = api.json(f"/dashboard?interval={interval}&limit=1000&features=temperature&group={quote(name)}")["temperature"]
            there = {r.device_id for r in board_of_span_by_sql(database, "temperature", since, now + DAY_US, 1000, "desc", members)}
            assert {e["deviceId"] for e in board} <= there and (since or len(board) == len(there))
            lines = api.json(f"/boards/history?interval={interval}&features=temperature&from={to_text(first)}&group={quote(name)}")
            assert {s["deviceId"] for s in lines["series"]} <= set(members)

    check()
    roll_to(database, now - 30 * MINUTE_US)
    check()
    insert(database, some_readings(rng, 100, span_us=3 * DAY_US, devices=19))
    check()
    start = rng.choice(times)
    database.rows("SELECT readings_remove('device_3', %s, %s)", (to_text(start - 9 * HOUR_US), to_text(start + 9 * HOUR_US)))
    check()


def test_boards_in_memory_are_not_a_groups(stack, played):
    api = Api(stack)
    at = now_us()
    collector = played()
    collector.boards([reading("d1", at, temperature=9, pressure=1), reading("d2", at, temperature=8, pressure=1)])
    collector.go_live()
    insert(stack.database, [reading("d1", at, temperature=9, pressure=1), reading("d2", at, temperature=8, pressure=1)])
    say(stack.database, {"A": ["d2"]})
    for _ in range(2):  # nor the second time, when an answer may be kept
        assert [e["deviceId"] for e in api.json("/dashboard?features=temperature&group=A")["temperature"]] == ["d2"]
        assert [s["deviceId"] for s in api.json("/boards/history?features=temperature&group=A")["series"]] == ["d2"]
        assert len(api.json("/dashboard?features=temperature")["temperature"]) == 2
    say(stack.database, {"A": ["d1"]})  # nothing remembers who was in it
    assert [e["deviceId"] for e in api.json("/dashboard?features=temperature&group=A")["temperature"]] == ["d1"]


def test_boards_lines_and_plots_come_with_labels(stack, played):
    """Of the boards in memory and of SQL's; of who has no line, too; as they were said, whatever they are."""
    api = Api(stack)
    at = now_us()
    collector = played()
    collector.boards([reading("d1", at, temperature=9, pressure=1), reading("__proto__", at, temperature=8, pressure=1)])
    collector.go_live()
    insert(stack.database, [reading(d, at, temperature=t, pressure=1) for d, t in (("d1", 9), ("__proto__", 8), ("old", 7))])
    labels = {"d1": HOSTILE[3], "__proto__": HOSTILE[0], "old": "‮", "elsewhere": "x"}
    for device, label in labels.items():
        stack.database.rows("INSERT INTO device_abouts (device_id, label) VALUES (%s, %s)", (device, label))
    found = api.json("/boards/history")["labels"]
    assert found == {d: labels[d] for d in ("d1", "__proto__")}
    assert api.json("/boards/history?interval=3h&from=2020-01-01&to=2020-01-02")["labels"] == {}
    assert api.json("/boards/history?interval=3h&limit=1&features=temperature")["labels"] == {"d1": labels["d1"]}
    stack.database.rows("DELETE FROM device_abouts WHERE device_id = 'd1'")
    plot = api.json("/readings?deviceId=d1&deviceId=__proto__&deviceId=old&deviceId=elsewhere")
    assert [d["label"] for d in plot["devices"]] == [None, labels["__proto__"], labels["old"], "x"]


def test_what_was_dropped_of_others_refuses_no_group(stack):
    api = Api(stack)
    database = stack.database
    today = now_us() // DAY_US * DAY_US
    first = today - 4 * DAY_US
    begin_storage(database, first, first)
    insert(database, [
        reading("a", first + HOUR_US, temperature=90, pressure=1), reading("a", today - HOUR_US, temperature=50, pressure=1),
        reading("b", first + HOUR_US, temperature=70, pressure=1), reading("b", first + 25 * HOUR_US, temperature=80, pressure=1),
        reading("c", today - HOUR_US, temperature=5, pressure=1),
    ])
    roll_to(database, today)
    dropped_before(database, today - DAY_US)
    say(database, {"A": ["a"], "B": ["b", "c"]})
    span = asked(first, first + DAY_US, features="temperature")
    assert api.get(span).status == 410
    assert [e["temperature"] for e in api.json(span + "&group=A")["temperature"]] == [90]
    assert api.get(span + "&group=B").status == 410
    say(database, {"C": ["c"]})
    assert api.json(span + "&group=C")["temperature"] == []
    assert api.json(span + "&group=C&by=rise")["temperature"] == []


def test_plots_and_exports_of_a_group(stack, rng):
    api = Api(stack)
    database = stack.database
    readings = some_readings(rng, 300, devices=30)
    insert(database, readings)
    known = sorted({r.device_id for r in readings})
    groups = {HOSTILE[0]: known[:12], HOSTILE[1]: [known[12], "never heard"], HOSTILE[3]: ["never heard either"]}
    say(database, groups)
    for name, members in groups.items():
        there = [d for d in members if d in known]
        plot = api.json(f"/readings?group={quote(name)}&features=temperature")
        assert [d["deviceId"] for d in plot["devices"]] == there[:8] and plot["total"] == len(there), name
        head, *rows = csv.reader(io.StringIO(api.get(f"/readings?group={quote(name)}&format=csv").body.decode(), newline=""))
        assert sorted((to_us(row[0]), row[1]) for row in rows) == sorted((r.recorded_at_us, r.device_id) for r in readings if r.device_id in there)
        assert head[:3] == ["timestamp", "deviceId", "status"]
        lines = api.get(f"/readings?group={quote(name)}&format=jsonl").body.decode().splitlines()
        assert len(lines) == len(rows)


def test_an_unknown_group_is_empty_and_an_ill_formed_one_refused(stack):
    api = Api(stack)
    insert(stack.database, [reading("d", now_us() - MINUTE_US, temperature=1, pressure=1)])
    for name in (*HOSTILE, "a"):
        group = f"group={quote(name)}"
        assert api.json(f"/dashboard?interval=1h&{group}") == {"temperature": [], "pressure": []}
        assert api.json(f"/boards/history?interval=1h&{group}")["series"] == []
        assert api.json(f"/readings?{group}") == {"from": None, "to": None, "stepMs": None, "total": 0, "devices": []}
        assert api.get(f"/readings?{group}&format=csv").body.count(b"\n") == 1
        assert api.get(f"/readings?{group}&format=jsonl").body == b""
    for path in ("/dashboard", "/boards/history", "/readings"):
        for wrong in ("%00", "x" * 65, "%ff", "%e2%82", "a&group=b", "%4"):
            problem = api.get(f"{path}?group={wrong}")
            assert problem.status == 400 and problem.json()["parameter"] == "group", (path, wrong)
        assert api.json(f"{path}?group=").keys() == api.json(path).keys()
    assert api.json("/readings?group=") == api.json("/readings")  # as /devices has it: of all
    both = api.get("/readings?group=A&deviceId=d")
    assert both.status == 400 and "deviceId" in both.json()["detail"]


def test_a_board_of_a_group_looks_at_few_readings(stack, rng):
    """Of a night of 400 devices, of which a group has 6, or all but 6; the highest are those of the others. In both of the
    hours that it cuts the whole fleet had its highest and lowest of all, but outside of it. Counted by the database, not by a clock."""
    database = Session(migrated(stack))
    now = now_us()
    night = now - now % DAY_US - 26 * HOUR_US - 30 * MINUTE_US
    start = night - night % DAY_US
    database.rows("INSERT INTO devices (device_id) SELECT 'd' || i FROM generate_series(1, 400) i")
    database.rows("INSERT INTO device_abouts (device_id, group_name) SELECT 'd' || i, CASE WHEN i <= 6 THEN 'few' ELSE 'many' END FROM generate_series(1, 400) i")
    begin_storage(database, start, start)
    database.rows(
        "INSERT INTO readings (device, content_hash, recorded_at, received_at, temperature)"
        " SELECT d, d, t, t, CASE WHEN m IN (-20, 490) THEN 1000 WHEN m IN (-19, 491) THEN -1000 WHEN d <= 6 THEN -s"
        " WHEN m < 30 OR m >= 450 THEN 0.1 + 0.8 * s ELSE s END FROM ("
        " SELECT d, m, %(night)s::timestamptz + m * interval '1 minute' AS t, random() AS s FROM"
        " (SELECT setseed(%(seed)s)) seed, generate_series(-120, 600) m, generate_series(1, 400) d) r ORDER BY t, d",
        {"night": to_text(night), "seed": rng.random()},
    )
    roll_to(database, now)
    database.rows("ANALYZE")
    connection = database.connect()
    with connection.cursor() as cursor:
        for (group, order), most in itertools.product((("few", "desc"), ("few", "asc"), ("many", "desc")), (1, 5)):
            cursor.execute(FETCHED)
            (before,) = cursor.fetchone()
            cursor.execute(
                "SELECT array_agg(device_id) FROM board_of_span('temperature', %s, %s, %s, %s, of_devices => devices_of_group(%s))",
                (order, to_text(night), to_text(night + 8 * HOUR_US), most, group),
            )
            (found,) = cursor.fetchone()
            assert len(found) == most and all((int(d[1:]) <= 6) == (group == "few") for d in found)
            cursor.execute(FETCHED)
            (after,) = cursor.fetchone()
            assert after - before <= 12 * 60 * most, (group, order, most)  # of 190,000: hours of a device
            connection.rollback()
    connection.close()


def test_a_group_that_jumped_where_the_span_is_cut_is_not_looked_at_device_by_device(stack, rng):
    """1,500 devices jump outside of both of the hours that the span cuts, others within: then sums say nothing of these hours."""
    api = Api(stack)
    database = stack.database
    start = (now_us() // HOUR_US - 8) * HOUR_US
    database.rows("INSERT INTO devices (device_id) SELECT 'd' || i FROM generate_series(1, 1506) i")
    say(database, {"many": [f"d{i}" for i in range(7, 1507)]})
    begin_storage(database, start, start)
    database.rows(
        "INSERT INTO readings (device, content_hash, recorded_at, received_at, temperature)"
        " SELECT d, d, t, t, CASE WHEN m IN (1, 29) THEN CASE WHEN d > 6 THEN 500 + s ELSE s END WHEN m IN (5, 25) AND d <= 6 THEN 1000 ELSE s END FROM ("
        " SELECT d, m, %(start)s::timestamptz + m * interval '10 minutes' AS t, random() AS s FROM"
        " (SELECT setseed(%(seed)s)) seed, generate_series(0, 35) m, generate_series(1, 1506) d) r ORDER BY t, d",
        {"start": to_text(start), "seed": rng.random()},
    )
    database.rows("ANALYZE")
    members = [f"d{i}" for i in range(7, 1507)]
    scans = "SELECT sum(idx_scan)::bigint FROM pg_stat_xact_user_tables WHERE relid IN (SELECT relid FROM pg_partition_tree('readings'))"
    for rolled in (5 * HOUR_US, 7 * HOUR_US):  # what is cut last is the hour that is under way, and is not
        roll_to(database, start + rolled - 10 * MINUTE_US)
        for since, until in ((20, 285), (15, 55), (20, 240), (60, 285), (250, 285)):
            span = start + since * MINUTE_US, start + until * MINUTE_US
            for limit in (2, 400):
                answer = api.json(asked(*span, group="many", features="temperature", limit=limit))
                assert board_of_json(answer["temperature"]) == board_of_span_by_sql(database, "temperature", *span, limit, "desc", members), span
    connection = database.connect()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM board_of_span('temperature', 'desc', %s, %s, 2, of_devices => devices_of_group('many'))",
            (to_text(start + 20 * MINUTE_US), to_text(start + 285 * MINUTE_US)),
        )
        cursor.execute(scans)
        assert cursor.fetchone()[0] < 1500, "the cut hours are read as a whole"
    connection.close()
