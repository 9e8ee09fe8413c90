"""SUBSCRIBE changes between two runs: the broker forgets the old filter, and what waited under it is not lost."""

from __future__ import annotations

import pytest
from faults import is_stored
from oracle import reading
from servers import until

NOBODY = 0x10  # the broker's PUBACK: no subscriber

OLD = "devices/+/readings"


def reason_of(stack, topic):
    """What the broker says to a message for this topic."""
    publisher = stack.publisher()
    message = publisher.send_bytes(topic, b'{"temperature":1}')
    publisher.wait()
    return message.code


def is_collected(stack, site):
    """`site` stands for a filter's topics."""
    one = reading("probe", temperature=1)
    publisher = stack.publisher()
    publisher.send(one, topic=site.format("probe"))
    publisher.wait()
    until(lambda: is_stored(stack, one), 10, f"{site} is collected")


def start(stack, subscribe, **settings):
    collector = stack.start_collector(subscribe=subscribe, **settings)
    until(lambda: stack.database.count("sessions") == 1, 20, "the session is known")
    plain = subscribe.removeprefix("$share/g/").replace("+", "{}")
    until(lambda: reason_of(stack, plain.format("probe")) == 0, 15, f"{subscribe} is subscribed to")
    return collector


def send_while_away(stack, topic, count=20):
    sent = [reading(f"d{i % 5}", temperature=i) for i in range(count)]
    publisher = stack.publisher()
    for one in sent:
        publisher.send(one, topic=topic.format(one.device_id))
    publisher.wait()
    assert {message.code for message in publisher.messages} == {0}, "the session keeps them"
    return sent


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (OLD, "site/+/data"),
        ("$share/g/devices/+/readings", "site/+/data"),
        (OLD, "$share/g/site/+/data"),
        ("$share/g/devices/+/readings", OLD),
        ("devices/a/+/readings", "devices/+/readings"),  # to the new one, what came under the old has no legal id
        ("+/a/readings", "+/b/readings"),
    ],
)
def test_what_waited_under_the_old_filter_is_stored_and_nothing_comes_under_it_any_more(stack, old, new):
    old_topic = old.removeprefix("$share/g/").replace("+", "{}")
    new_topic = new.removeprefix("$share/g/").replace("+", "{}")
    collector = start(stack, old)
    assert collector.terminate() == 0
    waiting = send_while_away(stack, old_topic)
    collector = start(stack, new)
    until(lambda: all(is_stored(stack, one) for one in waiting), 15, "what waited is stored")
    assert stack.database.count("rejected_messages") == 0
    if old_topic != new_topic:
        until(lambda: reason_of(stack, old_topic.format("late")) == NOBODY, 10, "the broker has forgotten the old filter")
    is_collected(stack, new_topic)
    collector.kill9()
    collector.start()
    until(lambda: "mqtt: connecting -> up" in collector.output(), 15)
    is_collected(stack, new_topic)
    assert stack.database.count("rejected_messages") == 0


def test_a_filter_that_comes_back_is_subscribed_to(stack):
    for subscribe in (OLD, "site/+/data", "yard/+/data", OLD):
        collector = start(stack, subscribe)
        is_collected(stack, subscribe.replace("+", "{}"))
        assert collector.terminate() == 0
    assert reason_of(stack, "devices/d/readings") == 0
    assert reason_of(stack, "site/d/data") == reason_of(stack, "yard/d/data") == NOBODY
    assert stack.database.rows("SELECT filters, former FROM sessions") == [([OLD], ["site/+/data", "yard/+/data"])]


def test_a_kill_before_the_old_filter_is_taken_back_leaves_it_to_the_next_start(stack):
    assert start(stack, OLD).terminate() == 0
    waiting = send_while_away(stack, "devices/{}/readings")
    # as if it had been killed between writing the filter down and telling the broker
    stack.database.rows("UPDATE sessions SET former = filters, filters = '{site/+/data}'")
    start(stack, "site/+/data")
    until(lambda: all(is_stored(stack, one) for one in waiting), 15, "what waited is stored")
    until(lambda: reason_of(stack, "devices/d/readings") == NOBODY, 10, "the broker has forgotten the old filter")


def test_a_message_of_no_filter_is_refused_for_that(stack):
    assert start(stack, OLD).terminate() == 0
    send_while_away(stack, "devices/{}/readings", 1)
    stack.database.rows("UPDATE sessions SET filters = '{site/+/data}'")  # nobody remembers the old one
    start(stack, "site/+/data")
    until(lambda: stack.database.count("rejected_messages") == 1, 15)
    [(reason, topic)] = stack.database.rows("SELECT reason, topic FROM rejected_messages")
    assert (reason, topic) == ("no_such_topic", "devices/d0/readings")


def test_what_the_database_refuses_of_what_waited_is_kept_under_its_own_topic(stack):
    assert start(stack, OLD).terminate() == 0
    one = reading("d0", temperature=13)
    publisher = stack.publisher()
    publisher.send(one)
    publisher.wait()
    stack.database.rows("ALTER TABLE readings ADD CHECK (temperature <> 13)")
    start(stack, "site/+/data")
    until(lambda: stack.database.count("rejected_messages") == 1, 15)
    assert stack.database.value("SELECT topic FROM rejected_messages") == "devices/d0/readings"
