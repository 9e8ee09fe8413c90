"""/heatmap: every device once in each step, at its highest, whatever the answer is made of."""

from __future__ import annotations

import math

from http_tools import Api, insert
from oracle import now_us, reading, to_text, to_us
from storage import DAY_US, HOUR_US
from test_bounded_boards import MINUTE_US, begin_storage, dropped_before, roll_to, store


def asked(from_us=None, to_us_=None, **more):
    more = {"feature": "temperature", **more}
    more |= {name: to_text(us) for name, us in (("from", from_us), ("to", to_us_)) if us is not None}
    return "/heatmap?" + "&".join(f"{name}={value}" for name, value in more.items())


def expected(database, answer, rows):
    """What an answer of these columns must say, by a look at every reading."""
    start, end, step = to_us(answer["from"]), to_us(answer["to"]), answer["stepMs"] * 1000
    best = {}
    for number, device, at, value in database.rows(
        "SELECT d.id, d.device_id, r.recorded_at, r.temperature FROM readings r JOIN devices d ON d.id = r.device"
        " WHERE r.recorded_at >= %s AND r.recorded_at < %s AND r.temperature IS NOT NULL",
        (to_text(start), to_text(end)),
    ):
        key = ((to_us(at) - start) // step, number, device)
        best[key] = max(best.get(key, -math.inf), value)
    counts = [[0] * rows for _ in range((end - start) // step)]
    if not best:
        return None, None, counts, None
    low, high = min(best.values()), max(best.values())
    for (place, _, _), value in best.items():
        row = 0 if low == high else min(int((value - low) / (high - low) * rows), rows - 1)
        counts[place][row] += 1
    _, _, _, top = max((value, place, -number, device) for (place, number, device), value in best.items())
    of_top = {place: value for (place, _, device), value in best.items() if device == top}
    return low, high, counts, {"deviceId": top, "highest": [of_top.get(place) for place in range(len(counts))]}


def check(api, database, from_us, to_us_, source, columns=30, rows=8):
    path = asked(from_us, to_us_, columns=columns, rows=rows)
    answer = api.json(path)
    start, end, step = to_us(answer["from"]), to_us(answer["to"]), answer["stepMs"] * 1000
    assert answer["source"] == source and start % step == 0 == end % step, path
    assert start <= from_us < start + step and end - step < to_us_ <= end and 1 <= len(answer["columns"]) <= columns, path
    assert (answer["low"], answer["high"], answer["columns"], answer["top"]) == expected(database, answer, rows), path
    return answer


def test_each_device_counts_once_in_each_step_at_its_highest(stack, rng):
    """Out of readings, hours and days; summed up and not, late ones too; columns that begin anywhere."""
    api = Api(stack)
    database = stack.database
    now = now_us()
    first = now - 5 * DAY_US
    database.rows("INSERT INTO devices (device_id) SELECT 'd' || i FROM generate_series(1, 40) i")
    begin_storage(database, first, first - first % DAY_US)
    levels = rng.choice((64, 4096))  # of which rows of equal height have no value on an edge that rounds

    def check_all(source_of_a_day):
        for length in (7_000_000, 20 * MINUTE_US, 5 * HOUR_US):
            since = rng.randrange(now - 2 * DAY_US, now - length)
            check(api, database, since, since + length, "readings")
        check(api, database, now - DAY_US, now + MINUTE_US, source_of_a_day, rng.choice((50, 96)))
        check(api, database, first, now, "hours", 4)
        check(api, database, first, now + MINUTE_US, source_of_a_day, 400, 100)

    store(database, rng, 3000, first, now, levels)
    check_all("readings")
    roll_to(database, now - rng.randrange(2, 90) * MINUTE_US)
    store(database, rng, 300, first, now, levels)
    check_all("readings")
    # as if there were many: by the sums of the fleet, the finest that is answered is the hour; then the day
    database.rows("INSERT INTO rollup_fleet_log (bucket, readings) SELECT date_bin('10 seconds', now(), 'epoch') - i * interval '1 hour', 1000000 FROM generate_series(0, 130) i")
    check(api, database, now - DAY_US, now + MINUTE_US, "hours")
    check(api, database, now - 20 * MINUTE_US - HOUR_US, now, "hours")
    check(api, database, first, now + MINUTE_US, "hours", 400)
    database.rows("INSERT INTO devices (device_id) SELECT 'silent' || i FROM generate_series(1, 10000) i")
    check(api, database, first, now + MINUTE_US, "days", 40)
    dropped_before(database, now - DAY_US)
    assert check_sums(api.json(asked(first, now, columns=400))) > 100, "out of the sums of what was dropped"
    database.rows("TRUNCATE rollup_fleet_log")
    few = api.json(asked(now - 3 * DAY_US, now - 3 * DAY_US + 2 * HOUR_US))
    assert few["source"] == "hours" and check_sums(few) > 0, "however few there were, they are readings no more"


def check_sums(answer):
    return sum(sum(column) for column in answer["columns"])


def test_a_spike_is_a_cell_and_its_device_is_the_line(stack):
    api = Api(stack)
    now = now_us() // HOUR_US * HOUR_US
    insert(stack.database, [reading(f"d{d}", now - m * 10 * MINUTE_US, temperature=20 + d / 2) for d in range(10) for m in range(1, 140)])
    insert(stack.database, [reading("d3", now - 7 * HOUR_US - MINUTE_US, temperature=99)])
    answer = api.json(asked(now - DAY_US, now, columns=96, rows=10))
    place = (now - 7 * HOUR_US - MINUTE_US - to_us(answer["from"])) // (answer["stepMs"] * 1000)
    assert [(i, column) for i, column in enumerate(answer["columns"]) if sum(column[1:])] == [(place, [9] + 8 * [0] + [1])]
    assert answer["top"]["deviceId"] == "d3" and answer["top"]["highest"][place] == 99 and answer["high"] == 99


def test_parameters_are_bounded_and_odd_spans_have_an_answer(stack):
    api = Api(stack)
    now = now_us()
    insert(stack.database, [reading("d", now - MINUTE_US, temperature=1.7e308), reading("e", now - MINUTE_US, temperature=-1.7e308),
                            reading("f", now - MINUTE_US, temperature=5e-324)])  # fmt: skip
    for bad in ("columns=1", "columns=401", "rows=0", "rows=101", "columns=", "rows=1.5", "from=yesterday", "by=rise", "interval=1h"):
        refused = api.get(asked() + "&" + bad)
        assert refused.status == 400 and bad.split("=")[0] in refused.json()["detail"], bad
    assert api.get("/heatmap").status == 400 and api.get("/heatmap?feature=none").status == 400
    answer = api.json(asked(rows=2))
    assert to_us(answer["to"]) - to_us(answer["from"]) in range(DAY_US, DAY_US + HOUR_US)
    assert [c for c in answer["columns"] if sum(c)] == [[1, 2]] and (answer["low"], answer["high"]) == (-1e290, 1e290)
    empty = api.json(asked(now, now))
    assert empty["columns"] == [] and empty["top"] is None and empty["low"] is None and empty["from"] == empty["to"]
    assert api.json(asked(now, now - DAY_US))["columns"] == []
    for span in (("0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"), ("1970-01-01T00:00:00Z", "2100-01-01T00:00:00.000001Z")):
        for columns in (2, 400):
            answer = api.json(f"/heatmap?feature=temperature&from={span[0]}&to={span[1]}&columns={columns}")
            assert answer["source"] == "days" and 1 <= len(answer["columns"]) <= columns and check_sums(answer) == 3, (span, columns)
    later = api.json(asked(now + 30 * DAY_US))
    assert check_sums(later) == 0 and to_us(later["to"]) >= now + 31 * DAY_US


def test_a_map_that_goes_on_is_asked_for_its_last_columns(stack, rng):
    """They are those of the whole map: out of readings and of hours, in the rows and with the line that the whole one has."""
    api = Api(stack)
    database = stack.database
    now = now_us()
    database.rows("INSERT INTO devices (device_id) SELECT 'd' || i FROM generate_series(1, 40) i")
    begin_storage(database, now - 2 * DAY_US, now - 2 * DAY_US - now % DAY_US)
    store(database, rng, 2000, now - DAY_US, now, 64)

    def check_tail(source, columns):
        whole = api.json(asked(now - DAY_US, now, columns=columns, rows=8))
        assert whole["source"] == source
        for count in (1, 2, 7):
            since = to_us(whole["to"]) - count * whole["stepMs"] * 1000 + rng.choice((0, 1, whole["stepMs"] * 1000 - 1))
            shown = {"columns": columns, "rows": 8, "low": whole["low"], "high": whole["high"], "line": whole["top"]["deviceId"]}
            tail = api.json(asked(now - DAY_US, now, since=to_text(since), **shown))
            for name in ("to", "stepMs", "source", "low", "high"):
                assert tail[name] == whole[name], name
            assert to_us(tail["to"]) - to_us(tail["from"]) == count * whole["stepMs"] * 1000
            assert tail["columns"] == whole["columns"][-count:]
            assert tail["top"] == {"deviceId": shown["line"], "highest": whole["top"]["highest"][-count:]}
        # what lies outside of the rows is in the first or the last one, and the answer says how far out it is
        middle = (whole["low"] + whole["high"]) / 2
        for limits in ({"low": middle}, {"high": middle}, {"low": middle, "high": middle}, {"low": 1e6, "high": 1e7}, {"low": -1e7, "high": -1e6}):
            beyond = api.json(asked(now - DAY_US, now, columns=columns, rows=4, **limits))
            assert check_sums(beyond) == check_sums(whole), limits
            assert beyond["low"] == min(whole["low"], limits.get("low", whole["low"])), limits
            assert beyond["high"] == max(whole["high"], limits.get("high", whole["high"])), limits
            assert beyond["top"] == whole["top"], limits

    check_tail("readings", 96)
    roll_to(database, now - rng.randrange(2, 90) * MINUTE_US)
    database.rows("INSERT INTO rollup_fleet_log (bucket, readings) SELECT date_bin('10 seconds', now(), 'epoch') - i * interval '1 hour', 1000000 FROM generate_series(0, 25) i")
    check_tail("hours", 96)
    assert api.json(asked(now - DAY_US, now, line="nobody"))["top"] is None
    assert api.json(asked(now - DAY_US, now, since=to_text(now + DAY_US)))["columns"] == []
    assert api.json(asked(now - DAY_US, now, since=to_text(now - 9 * DAY_US))) == api.json(asked(now - DAY_US, now))
    for bad in ("low=", "low=x", "low=0x10", "high=inf", "high=nan", "high=1e999", "low=1+1", "line=", "since=yesterday"):
        refused = api.get(asked() + "&" + bad)
        assert refused.status == 400 and bad.split("=")[0] in refused.json()["detail"], bad
