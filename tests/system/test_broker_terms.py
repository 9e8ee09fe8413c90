"""What the broker grants, refuses and denies is read, said once in words that say what to set, and not vouched for."""

from __future__ import annotations

import struct

import pytest
from oracle import reading
from scripted_broker import END, NOT_AUTHORIZED, ScriptedBroker, publication
from servers import LOOPBACK, PrivateBroker, until


@pytest.fixture
def scripted():
    broker = ScriptedBroker()
    yield broker
    broker.close()


def properties(*given):
    body = b"".join(given)
    return lambda version: bytes([0, len(body)]) + body


def byte(identifier, value):
    return bytes([identifier, value])


def short(identifier, value):
    return struct.pack(">BH", identifier, value)


def word(identifier, value):
    return struct.pack(">BI", identifier, value)


def readiness(stack):
    try:
        status, _, body = stack.get("/readyz", stack.metrics_port)
    except OSError:
        return 0, "it does not listen yet"
    return status, body.decode()


def not_ready(stack, *words):
    """Until /readyz of the collector is 503 with a line that has all of these words."""

    def said():
        status, body = readiness(stack)
        return status == 503 and any(all(word in line for word in words) for line in body.splitlines())

    until(said, 15, f"not ready because of {words}")


def ready(stack):
    until(lambda: readiness(stack)[0] == 200, 15, "ready")


def says(program, *words):
    until(lambda: any(all(word in line for word in words) for line in program.output().splitlines()), 15, f"a line with {words}")


def count(program, text):
    return sum(text in line for line in program.output().splitlines())


def test_the_terms_of_one_connection_are_not_those_of_the_next(stack, scripted):
    """libmosquitto keeps the largest packet that a broker has ever named until it names another."""
    plain, scripted.connack = scripted.connack, properties(word(0x27, 10))
    collector = stack.start_collector(mqtt_url=scripted.url())
    httpapi = stack.start_httpapi(mqtt_url=scripted.url())
    not_ready(stack, "devices/+/readings", "larger than supported")
    says(httpapi, "larger than supported")
    scripted.connack = plain
    scripted.end_all()
    ready(stack)
    says(httpapi, "grants the subscription to collectors/+/status now")
    assert collector.is_running()


@pytest.mark.parametrize(
    "granted, words, is_ready",
    [
        (word(0x11, 300), ["forgets our session", "300 s", "BROKERS.md"], True),
        (word(0x11, 0), ["keeps no session", "BROKERS.md"], False),
        (byte(0x24, 0), ["QoS 0 only", "allow QoS 1"], False),
        (byte(0x25, 0), ["retains nothing", "allow retained"], True),
        (short(0x13, 4), ["1.5 x 4 s"], True),
        (byte(0x28, 0), ["devices/+/readings", "no wildcards"], False),
        (byte(0x2A, 0), ["$share/all/devices/+/readings", "no shared subscriptions"], False),
    ],
    ids=["session expires", "no session", "no QoS 1", "no retain", "short keepalive", "no wildcards", "no shares"],
)
def test_each_term_that_hurts_has_its_line(stack, scripted, granted, words, is_ready):
    scripted.connack = properties(granted)
    subscribe = "$share/all/devices/+/readings" if "$share" in words[0] else "devices/+/readings"
    collector = stack.start_collector(mqtt_url=scripted.url(), subscribe=subscribe)
    says(collector, "mqtt", *words)
    if is_ready:
        ready(stack)
    else:
        not_ready(stack, *words[:1])
    assert sum(all(word in line for word in words) for line in collector.output().splitlines()) == 1
    assert len(scripted.connects) == 2, "a SUBSCRIBE that would end the connection was sent"


def test_a_broker_that_says_nothing_is_not_complained_about(stack, scripted):
    collector = stack.start_collector(mqtt_url=scripted.url())
    ready(stack)
    assert " warning " not in collector.output() and " error " not in collector.output()


@pytest.mark.parametrize("version", ["5", "3.1.1"])
def test_a_refused_subscription_is_named_until_it_is_granted(stack, scripted, version):
    refused = NOT_AUTHORIZED if version == "5" else 0x80
    scripted.suback = lambda topic, qos: refused if topic == "devices/+/readings" else qos
    collector = stack.start_collector(mqtt_url=scripted.url(), mqtt_version=version, keepalive=5)
    not_ready(stack, "subscription to devices/+/readings", "Not authorized" if version == "5" else "no reason")
    until(lambda: scripted.filters.count("devices/+/readings") >= 3, 15, "it is asked for again")
    assert count(collector, "refuses the subscription") == 1
    scripted.suback = lambda topic, qos: qos
    ready(stack)
    says(collector, "grants the subscription to devices/+/readings now")


def test_less_than_was_asked_for_is_refused(stack, scripted):
    scripted.suback = lambda topic, qos: 0
    stack.start_collector(mqtt_url=scripted.url())
    not_ready(stack, "subscription to devices/+/readings", "QoS 0 only")


@pytest.mark.parametrize("topic", ["collectors/+/status", "collectors/+/boards/#", "collectors/+/thresholds/#"])
def test_httpapi_names_what_it_may_not_subscribe_to(stack, scripted, topic):
    scripted.suback = lambda asked, qos: NOT_AUTHORIZED if asked == topic else qos
    stack.start_httpapi(mqtt_url=scripted.url())
    until(lambda: f"the subscription to {topic}" in stack.get("/readyz")[2].decode(), 15, "not ready, with the topic")


@pytest.mark.parametrize("what", ["status", "boards/temperature/past_hour"])
def test_what_may_not_be_published_is_named_until_it_may(stack, scripted, what):
    topic = f"collectors/collector/{what}"
    scripted.puback = lambda asked: NOT_AUTHORIZED if asked == topic else 0
    collector = stack.start_collector(mqtt_url=scripted.url())
    not_ready(stack, "does not let us publish", "collectors/collector/" + what.split("/")[0])
    assert count(collector, f"does not let us publish on {topic}: Not authorized") == 1
    scripted.puback = lambda asked: 0
    ready(stack)
    # once it is known that a topic is allowed, nobody acknowledges
    until(lambda: ("collectors/collector/status", 0) in scripted.published[-3:], 15, "statuses have QoS 0 again")


def test_a_broker_that_ends_the_connection_over_a_topic_is_not_ready(stack, scripted):
    scripted.puback = lambda topic: END if "/boards/" in topic else 0
    stack.start_collector(mqtt_url=scripted.url())
    not_ready(stack, "ends the connection when we publish on collectors/collector/boards/")


@pytest.mark.parametrize("answer", [END, NOT_AUTHORIZED], ids=["ends the connection", "refuses"])
def test_it_goes_on_without_sys(stack, scripted, answer):
    scripted.suback = lambda topic, qos: answer if topic.startswith("$SYS") else qos
    collector = stack.start_collector(mqtt_url=scripted.url())
    says(collector, "$SYS", "going on without")
    ready(stack)
    before = len(scripted.connects)
    until(lambda: scripted.published.count(("collectors/collector/status", 0)) > 6, 15, "some seconds go by")
    assert len(scripted.connects) == before, "it flaps"
    scripted.end_all()
    until(lambda: len(scripted.connects) >= before + 2, 15, "it is back")
    ready(stack)
    assert count(collector, "going on without") <= 2  # of $SYS's two topics; of a Mosquitto three more
    assert not any(name.startswith("highwater_broker_") and "window" not in name for name in stack.metrics()), "that is not 0, but unknown"


def test_a_batch_that_cannot_grow_is_committed_at_once(stack, scripted):
    # with the linger each time it would take 100 s
    scripted.window = 20
    packets = [publication("devices/d/readings", b'{"temperature":%d}' % n, n + 1) for n in range(2000)]
    scripted.waiting = ("devices/+/readings", packets)
    collector = stack.start_collector(mqtt_url=scripted.url(), linger="1s")
    ready(stack)
    until(lambda: stack.database.value("SELECT count(*) FROM readings") == 2000, 40, "all is stored")
    assert stack.metrics()["highwater_broker_window"] == 20
    says(collector, "sends 20 messages before it waits", "max_inflight_messages")


# ---- versions ----------------------------------------------------------------------------------


def v3_refusal(code):
    return lambda version: bytes([code])


@pytest.mark.parametrize(
    "code, words", [(1, "MQTT_VERSION=3.1.1"), (2, "client id"), (3, "unavailable"), (4, "user name and password"), (5, "not authorized")]
)
def test_refusals_of_3_1_1_in_words(stack, scripted, code, words):
    scripted.connack = v3_refusal(code)
    collector = stack.start_collector(mqtt_url=scripted.url(), mqtt_version="3.1.1")
    says(collector, "mqtt", "not reachable", words)


@pytest.mark.parametrize("answer", [v3_refusal(1), v3_refusal(0), lambda version: None, lambda version: b"\x84\0"],
                         ids=["refuses in 3.1.1", "answers in 3.1.1", "hangs up", "refuses in 5"])  # fmt: skip
@pytest.mark.parametrize("name", ["collector", "httpapi", "devicesim"])
def test_who_is_asked_for_5_and_knows_it_not_is_told_apart(stack, scripted, answer, name):
    scripted.connack = answer
    program = stack.program(name, mqtt_url=scripted.url(), metrics_listen="-", http_listen=f"{LOOPBACK}:{stack.http_port}")
    program.start()
    says(program, "MQTT_VERSION=3.1.1")


def test_3_1_1_loses_nothing_either(stack):
    """All three programs, against a real broker; the session outlives a kill."""
    collector = stack.start_collector(mqtt_version="3.1.1")
    stack.start_httpapi(mqtt_version="3.1.1")
    ready(stack)
    stack.devicesim("--count", 500, "--connections", 5, "--rate", 5000, mqtt_version="3.1.1")
    until(lambda: stack.database.value("SELECT count(*) FROM readings") == 500, 20, "500 rows")
    until(lambda: stack.get("/readyz")[0] == 200, 15, "httpapi is ready")
    collector.kill9()
    stack.devicesim("--count", 300, "--connections", 5, "--rate", 5000, "--seed", 7, mqtt_version="3.1.1")
    collector.start()
    until(lambda: stack.database.value("SELECT count(*) FROM readings") == 800, 20, "what came meanwhile")
    ready(stack)
    assert "session present" in collector.output()
    assert " error " not in collector.output()


@pytest.mark.parametrize("name", ["collector", "httpapi", "devicesim"])
def test_an_unknown_version_is_refused(stack, name):
    program = stack.program(name, mqtt_version="4")
    program.start()
    assert program.wait(10) == 2
    assert "5 or 3.1.1" in program.output()


# ---- a real broker, its access control, silence, addresses -------------------------------------


@pytest.fixture
def limited(area, logs):
    """Starts a broker with more lines in its configuration, and an ACL."""
    brokers = []

    def start(*lines, acl=""):
        home = area / f"limited-{logs.name}"
        home.mkdir(mode=0o755)
        (home / "acl").write_text(acl)
        extra = [f"acl_file {home / 'acl'}"] if acl else []
        brokers.append(PrivateBroker(home / "broker", extra_lines=[*lines, *extra], log=logs / "limited.log"))
        brokers[-1].start()
        return brokers[-1]

    yield start
    for broker in brokers:
        broker.kill9()


def test_reading_that_is_forbidden_shows_as_silence(stack, limited):
    # the subscription is granted: what may be read is looked at message by message
    broker = limited(acl="topic write devices/#\ntopic readwrite collectors/#\ntopic read $SYS/#\n")
    collector = stack.start_collector(mqtt_url=broker.url(), silent_after="2s")
    ready(stack)
    publisher = stack.publisher(port=broker.port)
    publisher.send(reading("d1", temperature=1))
    says(collector, "no message on devices/+/readings for 2s", "access control")
    assert stack.metrics()["highwater_last_message_age_seconds"] >= 2
    assert count(collector, "no message on") == 1


# 2.0.11 ends the connection over what it denies when the queue is bounded by bytes only
@pytest.mark.parametrize("queue", ["0", "100000"])
@pytest.mark.parametrize("allowed, denied", [("boards/#", "status"), ("status", "boards/")])
def test_what_a_real_broker_denies_is_named(stack, limited, queue, allowed, denied):
    rights = f"topic read devices/#\ntopic readwrite collectors/collector/{allowed}\ntopic readwrite collectors/+/marker\n"
    broker = limited(f"max_queued_messages {queue}", acl=rights)
    stack.start_collector(mqtt_url=broker.url())
    not_ready(stack, "publish on collectors/collector/" + denied)


def test_localhost_is_joined_whichever_of_its_addresses_listens(stack):
    # ::1 comes first where there is IPv6, and nobody listens there
    collector = stack.start_collector(mqtt_url=f"mqtt://localhost:{stack.broker.port}")
    ready(stack)
    assert "not reachable" not in collector.output()
