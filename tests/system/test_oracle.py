"""The oracle itself: small cases whose answers are plain, each right one and the wrong ones that it must find."""

from __future__ import annotations

import json
import math

import pytest
from board_oracle import (
    EVERYTHING,
    HIGHEST,
    LOWEST,
    Facts,
    View,
    device_errors,
    devices_errors,
    entry_of_fact,
    entry_of_json,
    exactly_at,
    of_boards,
    of_collector,
    out_of_sql,
    page_errors,
    points_errors,
    status_errors,
    value_histogram_errors,
)
from edge_node import metric, pb
from edge_said import STATUS, EdgeMessage
from oracle import Message, to_text
from published import Eras, Fact, Ledger, Settings, content_hash, elements, moment_us, samples_of

S = 1_000_000
HOUR = 3600 * S
NOON = moment_us("2026-11-26T12:00:00Z")


def fact(device="d", at_s=0.0, hash64=0, received_s=None, xid=1, owner="a", status="ON", **values):
    at_us = NOON + round(at_s * S)
    received_us = at_us if received_s is None else NOON + round(received_s * S)
    return Fact(device, at_us, hash64, received_us, xid, owner, status, values, None)


def board(facts, shown, as_of_s, length_s=None, order=HIGHEST, view=None, limit=10):
    as_of_us = NOON + round(as_of_s * S)
    length_us = None if length_s is None else round(length_s * S)
    entries = [entry_of_fact(f, ["t"]) for f in shown]
    return Facts(facts).board_errors(
        entries, ["t"], "t", order, length_us, as_of_us, view or exactly_at(as_of_us), limit
    )


# --- What was published ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value, us",
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01T08:00:00.5+08:00", 500_000),
        ("1969-12-31T19:00:00-0500", 0),
        ("1970-01-02 00:00:00.1234569", 86400 * S + 123_456),
        ("1970-01-01T05:30:00+0530", 0),
        (1, S),
        (1764158400, 1764158400 * S),
        (1764158400123, 1764158400123_000),
        (1764158400123456, 1764158400123456),
        (1764158400123456789, 1764158400123456),
    ],
)
def test_a_moment_is_read_in_every_form(value, us):
    assert moment_us(json.loads(json.dumps(value))) == us


def test_an_element_is_its_bytes_from_brace_to_brace():
    first, second = b'{"t":1}', b'{ "t" : [ {"x": 2} ],\n"u":"]}" }'
    payload = b" [\n " + first + b" ,\t" + second + b" ]\n"
    assert [element for element, _ in elements(payload)] == [first, second]
    assert [element for element, _ in elements(b" " + first + b"\r\n")] == [first]


def test_the_hash_is_xxh3():
    assert content_hash(b"") == 0x2D06800538D394C2
    assert content_hash(b'{"temperature":1}') != content_hash(b'{"temperature":1} ')
    assert any(content_hash(b"%d" % i) < 0 for i in range(10))  # signed, as in the database


def test_a_message_has_readings_and_what_is_to_be_rejected():
    good = b'{"timestamp":1764158400,"t":1e-3,"u":null,"status":"OFF","seq":7}'
    samples, refused = samples_of(Message("devices/d/readings", b"[" + good + b',{"t":NaN},{"t":-0.0}]', None))
    assert [(s.at_us, s.status, s.values, s.seq) for s in samples] == [
        (1764158400 * S, "OFF", {"t": 0.001}, 7),
        (None, None, {"t": 0.0}, None),
    ]
    assert refused == [b'{"t":NaN}'] and samples[0].device_id == "d" and math.copysign(1, samples[1].values["t"]) == 1
    for payload in (b"", b"{", b"[]", b'{"t":1} x', b'{"t":"1"}', b'{"status":"off"}', b"7", b'{"t":1e999}'):
        assert samples_of(Message("devices/d/readings", payload, None)) == ([], [payload]), payload


def test_messages_of_other_shapes_are_read_as_their_mapping_says():
    tele = b'{"Time":1764158400,"Seq":7,"State":{"Power":"OFF"},"Sensor":{"Temperature":-0.0},"Uptime":3}'
    senml = b'[{"bn":"urn:dev:x:","bt":1764158400.000001,"n":"x","v":5},{"n":"t","v":1.50},{"n":"status","vs":"ON"}]'
    cases = [
        ("s/tele/d/SENSOR", tele, (1764158400 * S, "OFF", {"temperature": 0.0}, 7)),
        ("s/text/d/t", b"21.5", (None, None, {"t": 21.5}, None)),
        ("s/senml/d/up", senml, (1764158400 * S + 1, "ON", {"t": 1.5}, None)),
    ]
    for topic, payload, expected in cases:
        (sample,), refused = samples_of(Message(topic, payload, None))
        assert (sample.at_us, sample.status, sample.values, sample.seq) == expected and sample.device_id == "d" and not refused
    for payload in (b'{"Uptime":1}', b"{", b'{"Time":"never","Sensor":{"T":1}}'):
        assert samples_of(Message("s/tele/d/SENSOR", payload, None)) == ([], [payload])


def test_edge_nodes_say_what_their_births_explain():
    aliases = {3: ("t", "Int16"), 1: ("x", "UInt32"), 2: (STATUS, "String")}
    metrics = [metric(None, 3, -7, "Int16", at=1764158400001), metric(None, 1, 5, "UInt32"), metric(None, 2, "ON", "String"),
               metric(None, 3, 8, "Int16", historical=True)]
    payload = pb.Payload(timestamp=1764158400002, seq=1, metrics=metrics).SerializeToString()
    first, second = samples_of(EdgeMessage("spBv1.0/g/DDATA/e/d", payload, (), aliases=aliases))[0]
    assert (first.device_id, first.at_us, first.status, first.values) == ("d", 1764158400001_000, None, {"t": -7.0})
    assert (second.at_us, second.status, second.values) == (1764158400002_000, "ON", {"t": 8.0})
    assert samples_of(EdgeMessage("spBv1.0/g/DDATA/e/d", payload, (), aliases={1: ("x", "UInt32")})) == ([], [payload])
    dead, refused = samples_of(EdgeMessage("spBv1.0/g/NDEATH/e", b"", (), dies=("d", "e")))
    assert [(s.device_id, s.at_us, s.status) for s in dead] == [("d", None, "INACTIVE"), ("e", None, "INACTIVE")] and not refused
    assert [dead[0].is_at(5, received_us) for received_us in (4, 5, 6)] == [False, True, True]


def test_a_row_is_found_by_its_bytes_and_has_the_features_that_were_kept():
    eras = Eras()
    eras.begin("collector", Settings(features=("t",)))
    ledger = Ledger([], eras)
    ledger.add(Message("devices/d/readings", b'[{"timestamp":1764158400,"t":1,"u":2},{"t":3}]', None))
    first, second = content_hash(b'{"timestamp":1764158400,"t":1,"u":2}'), content_hash(b'{"t":3}')
    assert ledger.fact("d", 1764158400 * S, first, NOON, 5).values == {"t": 1.0}
    assert ledger.fact("d", NOON, second, NOON, 5).values == {"t": 3.0}  # no time of its own: that of its arrival
    assert ledger.fact("d", NOON, second, NOON + 1, 5) is None
    assert ledger.fact("d", NOON, first, NOON, 5) is None
    assert ledger.fact("e", NOON, second, NOON, 5) is None


# --- Boards -------------------------------------------------------------------------------------------


def test_a_board_is_that_of_its_own_moment():
    nine, one = fact("d", at_s=0, t=9.0), fact("d", at_s=1, t=1.0)
    assert not board([nine, one], [nine], as_of_s=1.9, length_s=2)
    assert not board([nine, one], [one], as_of_s=2.0, length_s=2)  # recorded_at > as-of - length: the edge is out
    assert board([nine, one], [nine], as_of_s=2.0, length_s=2)
    assert board([nine, one], [one], as_of_s=1.999999, length_s=2)
    assert not board([nine, one], [], as_of_s=3.0, length_s=2)
    assert board([nine, one], [one], as_of_s=3.0, length_s=2)


def test_a_board_of_a_span_has_its_start_and_not_its_end():
    facts = [fact("d", at_s=at, t=float(at)) for at in range(4)]

    def errors(shown, from_s, to_s):
        entries = [entry_of_fact(f, ["t"]) for f in shown]
        span = (NOON + from_s * S, NOON + to_s * S)
        return Facts(facts).board_errors(entries, ["t"], "t", LOWEST, None, NOON + 9 * S, EVERYTHING, 10, span)

    assert not errors([facts[1]], 1, 3) and errors([facts[0]], 1, 3) and errors([facts[2]], 1, 3)
    assert not errors([], 1, 1) and errors([facts[1]], 1, 1) and errors([], 3, 4)


def test_a_board_has_what_had_arrived_and_nothing_later():
    late = fact("d", at_s=0, received_s=10, t=9.0)
    early = fact("d", at_s=1, t=1.0)
    assert not board([late, early], [early], as_of_s=9.9)
    assert board([late, early], [late], as_of_s=9.9)
    assert not board([late, early], [late], as_of_s=10)
    assert board([late, early], [early], as_of_s=10)


def test_ties_go_to_the_later_time_then_the_larger_hash_then_the_smaller_id():
    older, newer = fact("d", at_s=0, t=5.0), fact("d", at_s=1, t=5.0)
    assert not board([older, newer], [newer], 2) and board([older, newer], [older], 2)
    small, large = fact("d", hash64=-3, status="ON", t=5.0), fact("d", hash64=2, status="OFF", t=5.0)
    assert not board([small, large], [large], 2) and board([small, large], [small], 2)
    a, b, z, umlaut = (fact(name, t=5.0) for name in ("a", "b", "z", "ä"))
    assert not board([umlaut, z, b, a], [a, b, z, umlaut], 2)
    assert board([a, b], [b, a], 2)
    later = fact("b", at_s=1, t=5.0)
    assert not board([a, later], [later, a], 2)
    assert not board([older, newer], [newer], 2, order=LOWEST)


def test_a_board_has_each_device_once_and_no_more_than_its_places():
    facts = [fact(name, t=value) for name, value in (("a", 3.0), ("b", 2.0), ("c", 1.0))]
    worse = fact("a", at_s=1, t=2.5)
    assert not board([*facts, worse], facts[:2], 2, limit=2)
    assert board([*facts, worse], facts, 2, limit=2)
    assert board([*facts, worse], [facts[0], worse], 2, limit=2)
    assert board([*facts, worse], facts[:1], 2, limit=2)
    assert not board([*facts, worse], [facts[2], facts[1]], 2, limit=2, order=LOWEST)


def test_a_peak_is_a_whole_reading_and_never_a_mixture():
    facts = [fact("d", at_s=0, t=1.0, u=100.0), fact("d", at_s=1, t=2.0)]
    right = {"deviceId": "d", "timestamp": to_text(NOON + S), "status": "ON", "t": 2, "u": None}
    for document, is_right in ((right, True), ({**right, "u": 100}, False), ({**right, "v": None}, False)):
        entries = [entry_of_json(document, ["t", "u"])]
        errors = Facts(facts).board_errors(entries, ["t", "u"], "t", HIGHEST, None, NOON + 5 * S, EVERYTHING, 10)
        assert bool(errors) != is_right, document


def test_boards_of_a_collector_lack_what_another_stored_and_never_what_it_did():
    own, foreign, better = fact("a", t=1.0), fact("b", owner="b", t=9.0), fact("b", at_s=1, owner="b", t=10.0)
    view = of_collector("a", NOON + 5 * S, NOON + 6 * S)
    facts = [own, foreign, better]
    for shown, is_right in (
        ([own], True),
        ([foreign, own], True),
        ([better, own], True),
        ([better, foreign, own], False),
        ([foreign], False),
        ([own, foreign], False),
    ):
        assert bool(board(facts, shown, 5, view=view)) != is_right, shown


def test_boards_out_of_sql_know_what_was_committed_and_maybe_what_came_since():
    known, new = fact("a", t=1.0, xid=4), fact("b", t=2.0, xid=7, received_s=3)
    unseen = fact("c", t=3.0, xid=8, received_s=9)
    view = out_of_sql(5, NOON + 8 * S)
    facts = [known, new, unseen]
    assert not board(facts, [known], 5, view=view) and not board(facts, [new, known], 5, view=view)
    assert board(facts, [new], 5, view=view) and board(facts, [unseen, known], 5, view=view)
    assert not board(facts, [new], 5, view=view, limit=1) and not board(facts, [known], 5, view=view, limit=1)


def test_merged_boards_are_exact_for_those_who_vouch_and_know_what_the_others_had_committed():
    own, gone, pending = fact("a", t=1.0), fact("b", owner="b", t=2.0, xid=3), fact("c", owner="b", t=3.0, xid=8)
    view = of_boards(NOON + 5 * S, {"a"}, 5)
    facts = [own, gone, pending]
    assert not board(facts, [gone, own], 5, view=view) and not board(facts, [pending, gone, own], 5, view=view)
    assert board(facts, [own], 5, view=view) and board(facts, [pending, own], 5, view=view)
    assert board(facts, [gone, own], 5, view=of_boards(NOON + 5 * S, {"a", "b"}, 5))


def test_many_readings_are_ranked_alike_over_any_interval():
    facts = [fact(f"d{i % 7}", at_s=i, hash64=i, t=float(i * 7919 % 1000)) for i in range(2000)]
    for length_s in (5, 100, 1500, 5000):
        best = {}
        for f in sorted(facts, key=lambda f: (f.values["t"], f.at_us)):
            if f.at_us > NOON + (1999 - length_s) * S:
                best[f.device_id] = f
        right = sorted(best.values(), key=lambda f: (-f.values["t"], -f.at_us, f.device_id))
        assert not board(facts, right, 1999, length_s), length_s
        assert board(facts, right[::-1], 1999, length_s), length_s


# --- Histograms, pages, plots, devices -------------------------------------------------------------------


def test_statuses_are_counted():
    facts = [fact(status="ON"), fact(at_s=1, status=None), fact(at_s=2, status="OFF", xid=9)]
    right = {"ON": 1, "OFF": 1, "ACTIVE": 0, "INACTIVE": 0, "none": 1}
    assert not status_errors(right, facts, EVERYTHING)
    for wrong in ({"ON": 0}, {"ON": 2}, {"none": 0}, {"OFF": 0}):
        assert status_errors({**right, **wrong}, facts, EVERYTHING), wrong
    view = View(lambda f: f.xid < 5, lambda f: True)
    assert not status_errors({**right, "OFF": 0}, facts, view) and status_errors({**right, "OFF": 2}, facts, view)
    assert status_errors({"ON": 1, "OFF": 1, "none": 1}, facts, EVERYTHING)


def histogram(values, edges, counts, bins):
    document = {"feature": "t", "count": sum(counts), "edges": edges, "counts": counts}
    facts = [fact(at_s=i, t=v) for i, v in enumerate(values)]
    return value_histogram_errors(document, "t", bins, facts, EVERYTHING)


def test_bins_rise_in_equal_steps_and_hold_what_lies_between_their_edges():
    assert not histogram([0.0, 1.0, 2.0, 4.0], [0.0, 2.0, 4.0], [2, 2], 2)
    assert histogram([0.0, 1.0, 2.0, 4.0], [0.0, 2.0, 4.0], [3, 1], 2)
    assert histogram([0.0, 1.0, 2.0, 4.0], [0.0, 1.0, 4.0], [1, 3], 2)
    assert histogram([0.0, 1.0, 2.0, 4.0], [0.0, 4.0], [4], 2)
    assert histogram([0.0, 4.0], [0.0, 2.0, 5.0], [1, 1], 2)
    assert not histogram([3.0, 3.0], [3.0, 3.0], [2], 5)
    assert not histogram([], [], [], 5) and histogram([1.0], [], [], 5)
    assert not histogram([-1.7e308, 1.7e308], [-1.7e308, 0.0, 1.7e308], [1, 1], 2)


def test_edges_of_neighbouring_doubles_do_not_fall():
    low = 1.0
    high = math.nextafter(low, 2)
    assert histogram([low, high], [low, high, low, high], [1, 0, 1], 3)
    assert histogram([low, high], [low, low, high, high], [0, 2, 0], 3)
    assert not histogram([low, high], [low, high], [2], 3)


def test_pages_have_every_reading_once_and_in_order():
    facts = [fact(at_s=1, hash64=2, t=1.0), fact(at_s=1, hash64=5, t=2.0), fact(at_s=2, t=3.0, xid=9)]
    rows = [entry_of_fact(f, ["t"]) for f in facts]
    assert not page_errors(rows, ["t"], LOWEST, facts, EVERYTHING)
    assert not page_errors(rows[::-1], ["t"], HIGHEST, facts, EVERYTHING)
    for wrong in (rows[:2], rows[1:], [rows[1], rows[0], rows[2]], [*rows, rows[2]], [rows[0], *rows]):
        assert page_errors(wrong, ["t"], LOWEST, facts, EVERYTHING), wrong
    view = View(lambda f: f.xid < 5, lambda f: True)
    assert not page_errors(rows[:2], ["t"], LOWEST, facts, view) and page_errors(rows[1:], ["t"], LOWEST, facts, view)


def test_points_hold_each_reading_in_one_step():
    """Steps of an hour that begin at a half hour: four readings in the first, not six."""
    times_s = [-HOUR / S / 4, 1800, 1801, 3600, 5399.999999, 5400]
    facts = [fact(at_s=t, t=float(i)) for i, t in enumerate(times_s)]
    start = NOON + 1800 * S
    document = {
        "from": to_text(start),
        "to": to_text(start + 2 * HOUR),
        "stepMs": 3600000,
        "points": [
            {"timestamp": to_text(start), "count": 4, "t": {"min": 1, "max": 4, "mean": 2.5}},
            {"timestamp": to_text(start + HOUR), "count": 1, "t": {"min": 5, "max": 5, "mean": 5}},
        ],
    }

    def errors(changed, most=2):
        asked = Facts(facts).span(start, start + 2 * HOUR)
        return points_errors({**document, **changed}, ["t"], most, start, start + 2 * HOUR, asked, EVERYTHING)

    first, second = document["points"]
    assert not errors({})
    assert errors({}, most=1)
    assert errors({"points": [{**first, "count": 6}, second]})
    assert errors({"points": [{**first, "t": {"min": 1, "max": 3, "mean": 2.5}}, second]})
    assert errors({"points": [{**first, "t": {"min": 1, "max": 4, "mean": 2.51}}, second]})
    assert errors({"points": [{**first, "t": None}, second]})
    assert errors({"points": [first]})
    assert errors({"points": []})
    assert errors({"points": [first, {**second, "timestamp": to_text(start + HOUR - 1)}]})
    assert errors({"from": to_text(start - 1)})


def test_a_device_has_its_latest_and_its_peaks():
    facts = [fact(at_s=0, t=9.0), fact(at_s=1, t=1.0), fact(at_s=2, status="OFF"), fact("e", at_s=3, t=99.0)]

    def shown(f):
        return {"deviceId": "d", "timestamp": to_text(f.at_us), "status": f.status, "t": f.values.get("t")}

    right = {
        "latest": shown(facts[2]),
        "peaks": {"t": {"highest": shown(facts[0]), "lowest": shown(facts[1])}},
    }

    def errors(**changed):
        return device_errors({**right, **changed}, ["t"], Facts(facts), "d", EVERYTHING)

    assert not errors()
    assert errors(peaks={"t": {"highest": shown(facts[1]), "lowest": shown(facts[1])}})
    assert errors(peaks={"t": {"highest": shown(facts[0]), "lowest": None}})
    assert errors(peaks={"t": {"highest": shown(facts[0]), "lowest": shown(facts[0])}})
    assert errors(latest=shown(facts[1])) and errors(latest=None)


def test_devices_are_listed_with_what_they_sent_last():
    facts = Facts([fact("b", at_s=0), fact("b", at_s=9), fact("a", at_s=-7200), fact("ä", at_s=1)])

    def entry(device, first_s, last_s, hour):
        moments = [to_text(NOON + s * S) for s in (first_s, last_s)]
        return {"deviceId": device, "firstReadingAt": moments[0], "lastReadingAt": moments[1], "readingsPastHour": hour}

    def errors(*entries, after=""):
        return devices_errors(entries, facts, after, NOON + 10 * S, EVERYTHING)

    a, b, umlaut = entry("a", -7200, -7200, 0), entry("b", 0, 9, 2), entry("ä", 1, 1, 1)
    assert not errors(a, b, umlaut) and not errors(a, b) and not errors(b, umlaut, after="a")
    assert errors(b, umlaut) and errors(a, umlaut) and errors(umlaut, b, a) and errors(a, a, b)
    assert errors(entry("a", -7200, -7200, 1)) and errors(a, entry("b", 0, 0, 2)) and errors(a, entry("b", 1, 9, 2))


def test_what_retention_may_have_dropped_may_be_missing():
    old, new = fact(at_s=0, t=1.0), fact(at_s=10, t=2.0)
    view = EVERYTHING.after_drops(NOON + 5 * S)
    rows = [entry_of_fact(f, ["t"]) for f in (old, new)]
    assert not page_errors(rows, ["t"], LOWEST, [old, new], view)
    assert not page_errors(rows[1:], ["t"], LOWEST, [old, new], view)
    assert page_errors(rows[:1], ["t"], LOWEST, [old, new], view)


def test_a_peak_may_be_of_what_was_dropped_unseen_as_any_set_of_features_had_it():
    eras = Eras()
    eras.begin("collector", Settings(features=("t", "u")))
    eras.begin("collector", Settings(features=("t",)))
    ledger = Ledger([], eras)
    message = Message("devices/d/readings", b'{"timestamp":1764158400,"status":"ON","t":-5,"u":2}', None)
    ledger.add(message)
    ledger.droppable_before_us = NOON
    facts = [*ledger.perhaps_dropped(), fact(at_s=1, t=1.0)]
    at = to_text(1764158400 * S)
    of_now = {"deviceId": "d", "timestamp": to_text(NOON + S), "status": "ON", "t": 1, "u": None}
    for u, is_right in ((2, True), (None, True), (3, False)):
        shown = {"deviceId": "d", "timestamp": at, "status": "ON", "t": -5, "u": u}
        for view in (of_boards(NOON + 5 * S, {"collector"}, 5), out_of_sql(5, NOON + 5 * S)):
            entries = [entry_of_json(shown, ["t", "u"])]
            errors = Facts(facts).board_errors(entries, ["t", "u"], "t", LOWEST, None, NOON + 5 * S, view, 1)
            assert bool(errors) != is_right, u
            assert not Facts(facts).board_errors(
                [entry_of_json(of_now, ["t", "u"])], ["t", "u"], "t", LOWEST, None, NOON + 5 * S, view, 1
            )
