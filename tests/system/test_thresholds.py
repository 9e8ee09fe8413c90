"""THRESHOLDS: who is beyond is counted and retained at the broker, and nothing else is, after restarts and late readings, too."""

from __future__ import annotations

import json

from oracle import now_us, reading
from test_collector import live_collector

from servers import until

ABOVE = "collectors/collector/thresholds/temperature/above/"
BELOW = "collectors/collector/thresholds/pressure/below/"
SETTING = "temperature>90~2,pressure<2"


def retained(stack):
    """What the broker has, as someone sees it who comes now."""
    listener = stack.listen("collectors/+/thresholds/#", "collectors/+/status")
    until(lambda: any(m.topic.endswith("/status") for m in listener.received), 10, "what is retained has come")
    listener.close()  # each is a thread
    return {m.topic: m.payload for m in listener.received if "/thresholds/" in m.topic and m.retain and m.payload}


def beyond(stack, threshold="temperature>90~2", what="devices"):
    wanted = f'threshold="{threshold}"'
    return next((v for name, v in stack.metrics().items() if name.startswith(f"highwater_threshold_{what}") and wanted in name), None)


def put(stack, *readings):
    count = stack.database.count()
    stack.publish(*readings)
    until(lambda: stack.database.count() == count + len(readings), 15, "they are stored")


def test_crossings_are_retained_and_taken_away(stack):
    at = now_us() - 30_000_000
    program = live_collector(stack, thresholds=SETTING, features="temperature[°C],pressure")
    put(stack, reading("a", at, temperature=91.5), reading("b", at, temperature=90), reading("c", at, pressure=1, temperature=99))
    until(lambda: set(retained(stack)) == {ABOVE + "a", ABOVE + "c", BELOW + "c"}, 15)
    said = json.loads(retained(stack)[ABOVE + "a"])
    assert said.pop("timestamp")[:4].isdigit()
    assert said == {"deviceId": "a", "feature": "temperature", "above": 90, "value": 91.5, "unit": "°C"}
    assert (beyond(stack), beyond(stack, "pressure<2"), beyond(stack, what="crossings")) == (2, 1, 2)

    put(stack, reading("a", at + 1, temperature=89), reading("b", at - 1, temperature=200), reading("c", at + 1, pressure=2))
    until(lambda: set(retained(stack)) == {ABOVE + "a", ABOVE + "c"}, 15, "89 is between, 200 came late, and 2 is back")
    put(stack, reading("a", at + 2, temperature=88))
    until(lambda: set(retained(stack)) == {ABOVE + "c"}, 15)
    status = stack.listen("collectors/collector/status")
    said = [{"feature": "temperature", "above": 90, "back": 88}, {"feature": "pressure", "below": 2, "back": 2}]
    now = [{**said[0], "devices": 1}, {**said[1], "devices": 0}]
    until(lambda: status.received and status.received[-1].json()["thresholds"] == now, 10)
    stack.start_httpapi()
    until(lambda: [one.get("thresholds") for one in stack.get_json("/collectors")["collectors"]] == [now], 10)

    # While nobody looks one comes back, the last word of another was never said, and somebody writes nonsense there.
    program.kill9()
    stack.publish(reading("c", at + 3, temperature=20), reading("d", at + 3, temperature=95))
    nonsense = stack.publisher()
    for topic, payload in ((ABOVE + "b", b"{}"), (ABOVE + "nobody", b"x"), ("collectors/collector/thresholds/x/above/a", b"{}")):
        nonsense.send_bytes(topic, payload, retain=True)
    between = json.dumps({"timestamp": "2020-01-01T00:00:00Z", "value": 91}).encode()
    nonsense.send_bytes(ABOVE + "a", between, retain=True)  # as a crash before its clearing would leave it
    nonsense.wait()
    program = live_collector(stack, thresholds=SETTING)
    until(lambda: set(retained(stack)) == {ABOVE + "d"}, 15, "what stands there is what is so")
    until(lambda: beyond(stack) == 1, 5)
    program.terminate()

    live_collector(stack)
    until(lambda: retained(stack) == {}, 15, "without the setting nothing stays")
    assert beyond(stack) is None


def test_a_broker_that_forgot_is_told_again_and_a_device_that_is_removed_is_beyond_nothing(stack):
    live_collector(stack, thresholds="temperature>90")
    put(stack, reading("a", temperature=91), reading("b", temperature=92))
    until(lambda: set(retained(stack)) == {ABOVE + "a", ABOVE + "b"}, 15)
    stack.broker.kill9()
    (stack.broker.home / "mosquitto.db").unlink(missing_ok=True)
    stack.broker.start()
    until(lambda: set(retained(stack)) == {ABOVE + "a", ABOVE + "b"}, 30)
    stack.database.value("SELECT device_remove('a')")
    until(lambda: set(retained(stack)) == {ABOVE + "b"}, 30)


def test_of_two_collectors_the_one_that_heard_a_device_last_tells_of_it(stack):
    """Both read the same tables at their start; a device is beyond once, whoever stored what it sent."""
    both = {"thresholds": "temperature>90", "intervals": "past_hour=1h"}
    topic = "collectors/{}/thresholds/temperature/above/x".format

    def send(site, one):
        publisher = stack.publisher()
        publisher.send([one], topic=f"{site}/x/readings")
        publisher.wait()
        until(lambda: stack.database.count(), 15)

    def says(collector):
        heard = stack.listen(f"collectors/{collector}/status")
        until(lambda: (s := heard.latest(f"collectors/{collector}/status")) and "devices" in s.json()["thresholds"][0], 20)
        return heard.received[-1].json()["thresholds"][0]["devices"]

    def keep(**seconds):
        for collector, silent in seconds.items():
            stack.database.rows(  # it may not have written it down yet
                "INSERT INTO hearing (collector, part, saved_at, silent_s) SELECT %s, 0, now(), array_fill(NULL::integer, ARRAY[id]) || %s FROM devices"
                " ON CONFLICT (collector, part) DO UPDATE SET saved_at = excluded.saved_at, silent_s = excluded.silent_s", (collector, silent)
            )

    a = live_collector(stack, log_name="a", collector_id="a", subscribe="site-a/+/readings", **both)
    send("site-a", reading("x", now_us() - 1_000_000_000, temperature=95))
    until(lambda: set(retained(stack)) == {topic("a")}, 15)
    live_collector(stack, log_name="b", collector_id="b", subscribe="site-b/+/readings", metrics_listen="-", **both)
    assert (says("a"), says("b")) == (1, 0)
    assert set(retained(stack)) == {topic("a")}

    # It moves to where b listens, while a is away.
    a.kill9()
    send("site-b", reading("x", now_us(), temperature=96))
    until(lambda: set(retained(stack)) == {topic("a"), topic("b")}, 15)
    keep(a=100, b=5)
    live_collector(stack, log_name="a", collector_id="a", subscribe="site-a/+/readings", **both)
    until(lambda: set(retained(stack)) == {topic("b")}, 20, "a says no more what b knows better")
    until(lambda: (says("a"), says("b")) == (0, 1), 10)


def test_odd_ids_and_devices_that_are_silent_for_longer_than_any_interval(stack):
    """What is legal as an id is legal in a topic; a start knows of the silent ones by what is retained alone."""
    ids = ["a b", "$SYS", '"\\<b>', "%2F", "x|y&z=1", "\u0645\u0636\u062e\u0629", "\U0001f525" * 64, "e\u0301", "\u00e9", "-1", "above"]
    settings = {"thresholds": "temperature>90,pressure<2", "intervals": "past_second=1s"}
    at = now_us() - 3_600_000_000
    program = live_collector(stack, **settings)
    put(stack, *(reading(one, at, temperature=91) for one in ids))
    until(lambda: set(retained(stack)) == {ABOVE + one for one in ids}, 20)
    assert {json.loads(payload)["deviceId"] for payload in retained(stack).values()} == set(ids)
    program.terminate()
    live_collector(stack, **settings)
    until(lambda: beyond(stack, "temperature>90") == len(ids), 20)
    assert set(retained(stack)) == {ABOVE + one for one in ids}
    put(stack, *(reading(one, at - 1, temperature=1) for one in ids[:2]), *(reading(one, at + 1, temperature=90) for one in ids[2:]))
    until(lambda: set(retained(stack)) == {ABOVE + one for one in ids[:2]}, 20, "what came late changes nothing")
    assert (beyond(stack, "temperature>90"), beyond(stack, "pressure<2")) == (2, 0)


def test_what_is_wrong_is_said(stack):
    for text, words in (("temperature>=90", "no finite number"), ("heat>1", "no feature"), ("temperature>1,temperature>2", "second")):
        program = stack.program("collector", thresholds=text)
        program.start()
        assert program.wait(10) == 2
        assert words in program.log.read_text() and "thresholds: " in program.log.read_text()
