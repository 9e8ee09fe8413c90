"""httpapi without FEATURES and INTERVALS: it has them from the collectors, or from the database."""

from __future__ import annotations

from http_tools import PlayedCollector, Stream

from oracle import reading
from servers import until

DAY = "past_day=1d"


def contract(stack):
    """The features and intervals that the OpenAPI document names."""
    parameters = stack.get_json("/openapi.json")["paths"]["/events"]["get"]["parameters"]
    enums = {one["name"]: one["schema"]["items"]["enum"] for one in parameters if "items" in one["schema"]}
    return enums["features"], enums["interval"]


def source(stack, path):
    """Where the answer came from, None when it is no good one."""
    status, headers, _ = stack.get(path)
    return headers["X-Data-Source"] if status == 200 else status


def never_wrong(stack, path, wanted):
    """Asks until the answer is as wanted; on the way there it may be missing, but never called illegal."""

    def is_wanted():
        found = source(stack, path)
        assert found != 400, path
        return found == wanted

    until(is_wanted, 20, f"{path} comes from {wanted}")


def test_it_has_what_the_collectors_have_and_follows_them(stack):
    stack.start_httpapi()
    collector = stack.start_collector(features="a,b", intervals=f"{DAY},past_minute=60s")
    until(lambda: contract(stack) == (["a", "b"], ["past_day", "past_minute"]), 20)
    stack.publish(reading("one", a=1, b=2), reading("two", a=3))
    never_wrong(stack, "/dashboard?features=a,b&interval=past_day", "boards")
    until(lambda: [one["deviceId"] for one in stack.get_json("/dashboard?interval=past_day")["a"]] == ["two", "one"], 10)
    stream = Stream(stack.http_port, "/events?interval=past_day")
    until(lambda: set(stream.boards()) == {("a", "past_day", "desc"), ("b", "past_day", "desc")}, 10)

    collector.terminate()
    assert source(stack, "/dashboard?features=a,b&interval=past_day") in ("boards", "database")
    stack.start_collector(features="b,c", intervals="past_hour=1h,all_time")
    until(lambda: contract(stack) == (["b", "c"], ["past_hour", "all_time"]), 20)
    until(lambda: stream.ended_well, 5, "the stream of boards that are gone ends")
    stream.close()
    stack.publish(reading("one", b=5, c=7))
    never_wrong(stack, "/dashboard?features=b,c&interval=all_time", "boards")
    assert source(stack, "/dashboard?features=a") == 400
    stream = Stream(stack.http_port, "/events")
    until(lambda: len(stream.boards()) == 4 and stream.boards()["c", "all_time", "desc"] == ["one"], 10)
    stream.close()


def test_two_collectors_have_what_both_have_together(stack):
    stack.start_httpapi()
    stack.start_collector(collector_id="one", subscribe="one/devices/+/readings", features="a", intervals=DAY)
    until(lambda: source(stack, "/dashboard?features=a&interval=past_day") == "boards", 20)
    settings = {"features": "b", "intervals": "past_minute=60s", "metrics_listen": ""}
    other = stack.program("collector", log_name="other", collector_id="two", subscribe="two/devices/+/readings", **settings)
    other.start()
    until(lambda: contract(stack) == (["a", "b"], ["past_day", "past_minute"]), 20)
    assert source(stack, "/dashboard?features=a,b&interval=past_day") == "database"


def test_without_a_collector_it_has_what_the_database_has(stack):
    migration = stack.program("collector", ["--migrate"], features="a,b")
    migration.start()
    assert migration.wait(30) == 0, migration.tail()
    stack.start_httpapi()
    never_wrong(stack, "/dashboard?features=b&interval=all_time", "database")
    assert contract(stack) == (["a", "b"], ["past_minute", "past_hour", "all_time"])
    until(lambda: source(stack, "/dashboard?features=ghost") == 400, 10, "what is not there is called wrong in the end")


def test_a_feature_that_has_no_column_is_not_believed(stack, broker, database):
    stack.start_collector(features="a", intervals=DAY)
    stack.start_httpapi()
    until(lambda: contract(stack) == (["a"], ["past_day"]), 20)
    liar = PlayedCollector(broker.port, database)
    liar.register()
    names, hour = ["a", "ghost", "a;DROP"], {"name": "past_hour", "lengthMs": 3600000}
    liar.status("warming", features=names, intervals=[hour], generations=[0] * len(names))
    until(lambda: contract(stack)[1] == ["past_day", "past_hour"], 20)
    assert contract(stack)[0] == ["a"]
    liar.close()


def test_what_is_set_stays(stack):
    stack.start_httpapi(features="temperature", intervals=DAY)
    stack.start_collector(features="temperature,b")
    until(lambda: stack.get_json("/collectors")["collectors"], 20)
    until(lambda: source(stack, "/dashboard") == "database", 20)
    assert contract(stack) == (["temperature"], ["past_day"])
