"""/boards/history: the lines beside the rows of boards, against every reading there is."""

from __future__ import annotations

import itertools

from http_tools import insert, migrate, some_readings
from oracle import now_us, reading, to_text, to_us
from servers import until

HOUR_US = 3_600_000_000
HOSTILE_ID = 'a "quoted" \\ ]},[ é'


def expected(readings, answer, feature, devices):
    """What the answer has to say of these devices."""
    first, step = to_us(answer["from"]), round(answer["stepMs"] * 1000)
    steps = round((to_us(answer["to"]) - first) / step)
    lines = {}
    for r in readings:
        value = dict(r.values).get(feature)
        at = (r.recorded_at_us - first) // step
        if r.device_id in devices and value is not None and 0 <= at < steps:
            line = lines.setdefault(r.device_id, {"min": [None] * steps, "max": [None] * steps})
            line["min"][at] = value if line["min"][at] is None else min(line["min"][at], value)
            line["max"][at] = value if line["max"][at] is None else max(line["max"][at], value)
    return lines


def lines(answer, feature):
    found = {s["deviceId"]: {"min": s["min"], "max": s["max"]} for s in answer["series"] if s["feature"] == feature}
    assert len(found) == sum(s["feature"] == feature for s in answer["series"])
    return found


def check(stack, readings, query):
    """The history is of the devices that /dashboard names; both are asked while nothing changes."""
    answer = stack.get_json(f"/boards/history?{query}")
    board = stack.get_json(f"/dashboard?{query.split('&points')[0]}")
    assert board.keys() >= {s["feature"] for s in answer["series"]}
    for feature, entries in board.items():
        devices = [entry["deviceId"] for entry in entries]
        assert lines(answer, feature) == expected(readings, answer, feature, devices), query
    return answer


def start_httpapi(stack):
    stack.start_httpapi()
    until(lambda: stack.get("/devices")[0] == 200, 20, "the database answers")


def test_out_of_the_tables_each_device_of_a_board_has_its_steps(stack, rng):
    migrate(stack)
    readings = some_readings(rng)
    insert(stack.database, readings)
    start_httpapi(stack)
    queries = ("interval=all_time", "interval=3h&order=asc&limit=3", "features=pressure&interval=all_time&limit=1000")
    for query, points in itertools.product(queries, (2, 7, 60, 120)):
        answer = check(stack, readings, f"{query}&points={points}")
        length = to_us(answer["to"]) - to_us(answer["from"])
        assert HOUR_US - points <= length <= HOUR_US
        assert to_us(answer["from"]) <= now_us() - length + HOUR_US // points and to_us(answer["asOf"]) <= to_us(answer["to"])
        assert answer["series"]


def test_of_a_span_the_steps_are_of_it_and_long_ones_come_out_of_whole_hours(stack, rng):
    migrate(stack)
    readings = some_readings(rng, count=2000, span_us=90 * HOUR_US)
    insert(stack.database, readings)
    start_httpapi(stack)
    now = now_us()
    spans = ((95 * HOUR_US, -5, 60), (80 * HOUR_US, 9 * HOUR_US, 12), (2 * HOUR_US, HOUR_US, 60))
    for begins, ends, points in ((now - before, now - after, points) for before, after, points in spans):
        within = [r for r in readings if begins <= r.recorded_at_us < ends]
        answer = check(stack, within, f"from={to_text(begins)}&to={to_text(ends)}&points={points}")
        assert to_us(answer["from"]) <= begins and to_us(answer["to"]) >= ends
        assert answer["series"]
    nothing = stack.get_json(f"/boards/history?from={to_text(now)}&to={to_text(now - 1)}")
    assert nothing["series"] == []
    # an end that is open is now, a beginning an hour before
    answer = check(stack, [r for r in readings if r.recorded_at_us >= now - HOUR_US], f"from={to_text(now - HOUR_US)}")
    assert now < to_us(answer["to"]) < now + HOUR_US
    answer = check(stack, [r for r in readings if now - 3 * HOUR_US <= r.recorded_at_us < now - 2 * HOUR_US], f"to={to_text(now - 2 * HOUR_US)}")
    assert to_us(answer["from"]) == now - 3 * HOUR_US


def test_of_boards_in_memory_the_lines_are_of_their_devices_and_a_peak_never_vanishes(stack):
    stack.start_collector(top_devices=5)
    stack.start_httpapi()
    until(lambda: stack.get("/dashboard")[1].get("X-Data-Source") == "boards", 20, "boards are live")
    at = now_us() - 600_000_000
    sent = [reading(f"d{i}", at + i + 1000 * j, temperature=10 * i + j % 5) for i in range(8) for j in range(50)]
    sent += [reading("d0", at + 60_500, temperature=1e6), reading(HOSTILE_ID, at, temperature=5e5, pressure=-1)]
    stack.publish(*sent)
    until(lambda: stack.database.count() == len(sent))
    until(lambda: len(stack.get_json("/dashboard?interval=past_hour")["temperature"]) == 9)
    answer = check(stack, sent, "interval=past_hour")
    assert 1e6 in lines(answer, "temperature")["d0"]["max"]
    assert lines(answer, "pressure")[HOSTILE_ID]
    # of a minute that had no reading the boards are empty, and so is this
    assert stack.get_json("/boards/history?interval=past_minute")["series"] == []


def test_the_readings_of_each_device_are_found_by_the_key_whatever_others_sent(database, stack):
    """All of one day: of another that has few they may well be found otherwise."""
    migrate(stack)
    noon = "date_trunc('day', now()) - interval '12 hours'"
    database.rows("INSERT INTO devices (device_id) SELECT 'd' || i FROM generate_series(1, 100) i")
    database.rows(
        "INSERT INTO readings (device, content_hash, recorded_at, received_at, temperature)"
        f" SELECT d, s, {noon} - s * interval '10 seconds', now(), d FROM generate_series(1, 100) d, generate_series(1, 300) s"
    )
    database.rows("ANALYZE readings")
    connection = database.connect()
    with connection, connection.cursor() as cursor:
        cursor.execute(
            f"SELECT * FROM board_lines(ARRAY[7, 8], 'temperature', {noon} - interval '59 minutes', {noon}, 59)"
        )
        assert {row[0] for row in cursor.fetchall()} == {7, 8}
        cursor.execute(
            "SELECT sum(seq_scan)::int, sum(idx_tup_fetch)::int FROM pg_stat_xact_user_tables WHERE relname LIKE 'readings\\_%'"
        )
        scans, fetched = cursor.fetchone()
    connection.close()
    assert (scans, 500 < fetched <= 600) == (0, True), fetched
