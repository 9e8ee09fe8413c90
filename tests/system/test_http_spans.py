"""Boards of any span, /dashboard?from=&to=: what a look at every reading says, or a refusal that is true."""

from __future__ import annotations

import itertools

from http_tools import Api, insert, some_readings
from oracle import FEATURES, board_of_json, board_of_span_by_sql, now_us, reading, to_text, to_us
from servers import until
from storage import DAY_US, HOUR_US
from test_bounded_boards import MINUTE_US, begin_storage, dropped_before, roll_to


def asked(from_us=None, to_us=None, **more):
    more |= {name: to_text(us) for name, us in (("from", from_us), ("to", to_us)) if us is not None}
    return "/dashboard?" + "&".join(f"{name}={value}" for name, value in more.items())


def assert_exact(api, database, from_us, to_us, orders=("desc", "asc"), limits=(3, 1000)):
    for order, limit in itertools.product(orders, limits):
        path = asked(from_us, to_us, order=order, limit=limit)
        answer = api.get(path)
        assert answer.status == 200 and answer.headers["x-data-source"] == "database", path
        for feature in FEATURES:
            expected = board_of_span_by_sql(database, feature, from_us, to_us, limit, order)
            assert board_of_json(answer.json()[feature]) == expected, path


def three_days(database, rng):
    """Readings of three days, of which partitions have the last one; nothing is rolled up. When it is, their first moment, and their times."""
    now = now_us()
    first = now - 3 * DAY_US
    begin_storage(database, now - DAY_US, first - first % DAY_US)
    insert(database, some_readings(rng, 600, span_us=3 * DAY_US))
    return now, first, [to_us(at) for (at,) in database.rows("SELECT recorded_at FROM readings")]


def test_any_span_is_what_every_reading_says(stack, rng):
    """Rolled up and not, in partitions and in readings_default; late ones, several of one moment, and some removed."""
    api = Api(stack)
    database = stack.database
    now, first, times = three_days(database, rng)

    def check():
        for _ in range(4):
            from_us, to_us_ = sorted(rng.choice(times) + rng.choice((-1, 0, 1)) for _ in "ft")
            assert_exact(api, database, from_us, to_us_)
        night = now - now % DAY_US - 4 * HOUR_US
        assert_exact(api, database, night, night + 10 * HOUR_US)
        assert_exact(api, database, first - DAY_US, now + DAY_US)

    check()
    roll_to(database, now - 30 * MINUTE_US)
    check()
    insert(database, some_readings(rng, 100, span_us=3 * DAY_US, devices=19))
    check()
    database.rows("SELECT rollup_fold_late(50)")
    for device in ("device_3", "device_5"):
        start = rng.choice(times)
        database.rows("SELECT readings_remove(%s, %s, %s)", (device, to_text(start - 9 * HOUR_US), to_text(start + 9 * HOUR_US)))
    check()


def test_a_span_has_its_start_and_not_its_end_and_either_may_be_left_out(stack):
    api = Api(stack)
    at = now_us() // 1_000_000 * 1_000_000 - 10 * HOUR_US
    insert(stack.database, [reading("d", at + i * MINUTE_US, temperature=i) for i in range(5)])

    def best(**parameters):
        board = api.json(asked(features="temperature", **parameters))["temperature"]
        return board[0]["temperature"] if board else None

    assert best(from_us=at, to_us=at + 4 * MINUTE_US) == 3
    assert best(to_us=at + 3 * MINUTE_US) == 2 and best(from_us=at) == 4
    assert best(from_us=at + MINUTE_US, order="asc") == 1
    assert best(from_us=at + 5 * MINUTE_US) is None
    assert best(from_us=at, to_us=at) is None and best(from_us=at + MINUTE_US, to_us=at) is None
    assert best(from_us=at, interval="past_minute") == 4  # of the span, not of the interval
    assert api.json("/dashboard?features=temperature&interval=past_minute") == {"temperature": []}


def test_what_has_been_over_for_a_minute_may_be_kept_for_one(stack):
    api = Api(stack)
    now = now_us()
    insert(stack.database, [reading("d", now - HOUR_US, temperature=1, pressure=1)])
    over = api.get(asked(now - 2 * HOUR_US, now - 2 * MINUTE_US))
    assert over.headers["cache-control"] == "public, max-age=60" and over.headers["etag"]
    assert now <= to_us(over.headers["x-data-as-of"]) <= now_us()
    for path in (asked(now - 2 * HOUR_US), asked(now - HOUR_US, now + HOUR_US), "/dashboard?interval=90m"):
        assert api.get(path).headers["cache-control"] == "no-cache", path


def test_a_span_that_moves_with_the_time_is_never_kept(stack):
    api = Api(stack)
    at = now_us() - HOUR_US
    insert(stack.database, [reading("d", at, temperature=1, pressure=1)])
    for span, count in (("from=now-2h&to=now-2m", 1), ("from=now-2h", 1), ("to=now-2h", 0), ("from=now&to=now-2m", 0)):
        answer = api.get(f"/dashboard?features=temperature&{span}")
        assert len(answer.json()["temperature"]) == count, span
        assert answer.headers["cache-control"] == "no-cache", span
    day = to_text(at)[:10]
    found = api.json(f"/dashboard?features=temperature&from={day}&to=9999-12-31")
    assert found == api.json(f"/dashboard?features=temperature&from={day}T00:00:00Z") and found["temperature"]
    seconds = at // 1_000_000
    assert api.json(f"/devices/d/readings?from={seconds}&to={seconds + 2}")["readings"]
    assert api.json(f"/devices/d/readings?from={seconds + 2}.5&to=now")["readings"] == []


def test_without_the_database_a_span_is_not_answered_by_boards_of_an_interval(stack, played):
    api = Api(stack)
    at = now_us()
    collector = played()
    collector.boards([reading("d1", at, temperature=9, pressure=1)])
    collector.go_live()
    until(lambda: api.source() == "boards")
    stack.database.rows("ALTER FUNCTION board_of_span RENAME TO elsewhere")  # as in a database that is not migrated yet
    answer = api.get(asked(at - HOUR_US, at))
    assert answer.status == 503 and answer.headers["retry-after"]


def test_a_span_of_which_days_were_dropped_is_answered_exactly_or_refused(stack):
    api = Api(stack)
    database = stack.database
    today = now_us() // DAY_US * DAY_US
    first = today - 4 * DAY_US
    begin_storage(database, first, first)
    # a's best of the first day is its best ever; b's was on the second day, and it had another one on the first
    insert(database, [
        reading("a", first + HOUR_US, temperature=90, pressure=1), reading("a", today - HOUR_US, temperature=50, pressure=1),
        reading("b", first + HOUR_US, temperature=70, pressure=1), reading("b", first + 25 * HOUR_US, temperature=80, pressure=1),
    ])
    roll_to(database, today)
    everything = {span: board_of_span_by_sql(database, "temperature", *span) for span in [(first, today), (first + DAY_US, today)]}
    dropped_before(database, today - DAY_US)
    for span, expected in everything.items():
        assert board_of_json(api.json(asked(*span, features="temperature"))["temperature"]) == expected, "out of peaks"
    first_day = asked(first, first + DAY_US, features="temperature")
    assert [e["deviceId"] for e in api.json(first_day + "&limit=1")["temperature"]] == ["a"]
    refused = api.get(first_day)
    assert refused.status == 410 and to_text(today - DAY_US).replace(".000000", "") in refused.json()["detail"]
    kept = api.json(asked(today - DAY_US, today, features="temperature"))
    assert [e["temperature"] for e in kept["temperature"]] == [50]
