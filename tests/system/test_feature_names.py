"""A feature may have any name: it works in every table, query and answer, or is refused at the start with the reason."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import subprocess

import pytest
from conftest import BUILD_DIR, CLONE
from oracle import now_us, reading, stored_readings
from servers import until

# Each of these stands for something in SQL, in JSON, in JavaScript or in our own functions.
WORDS = """
    all and array as asc analyze between both case cast check collate column constraint cross current_user
    default desc distinct do else end except false fetch for foreign from full grant group having ilike in
    inner into is join lateral leading left like limit localtime natural not null offset on only or order
    overlaps placing primary references returning right row select session_user some symmetric table then
    to true union unique user using values variadic verbose when where window with
    abs bigint boolean coalesce date double extract float greatest int integer interval least max mean min
    nullif numeric oid real sum text time timestamptz trigger type uuid
    a at b bin bins bucket cursor d day days ends excluded f fleet fleet_log found h high highest hour
    hours i id l low lowest moved most n name names newest number of_readings old_before open origin p
    parts q r readings rolled s span starts state status_on status_inactive step steps t topic totals unit
    until first_at last_at readings_default devices peaks rollup_hours storage_state
    bytes constructor edges event format head json kind length next none points sequence statuses
    temperature temperature_count temperature_count_sum temperature_min temperature_mean x_sum x
    Temperature TEMPERATURE A-b a.b a-b a.b.c oil.Temperature-1 a_b A1.-_ toString
""".split() + ["a" + "9" * 30]
REFUSED = """
    device device_id deviceid content_hash recorded_at received_at status seq timestamp count feature
    sort_order value tableoid ctid xmin xmax cmin cmax deviceId Status
""".split()
ILLEGAL = ["1st", "_hidden", "-a", ".a", "..", "a b", 'a"b', "a'b", "a/b", "a+b", "dü", "a" * 32]
MOST = 200  # of one collector
GROUPS = [WORDS[i : i + MOST] for i in range(0, len(WORDS), MOST)]


@pytest.mark.parametrize("program", ["collector", "httpapi", "devicesim"])
def test_a_name_that_cannot_be_a_feature_is_refused_with_the_reason(program):
    for name in [*REFUSED, *ILLEGAL]:
        settings = {**os.environ, "FEATURES": f"temperature,{name}"}
        refused = subprocess.run([BUILD_DIR / program], env=settings, capture_output=True, text=True, timeout=10)
        assert refused.returncode == 2, name
        assert f'"{name}"' in refused.stderr and "letters, digits, _ . and -" in refused.stderr, refused.stderr


def sent_of(names, at_us):
    """Of two devices, ten readings each: every feature has a value of its own in each."""
    return [
        reading(device, at_us + 1000 * step, "ON", **{n: 100.0 * i + step + add for i, n in enumerate(names)})
        for device, add in (("a", 0.0), ("b", 0.5))
        for step in range(10)
    ]


def start(stack, names):
    settings = {"features": ",".join(names), "lowest": 1}
    collector = stack.start_collector(**settings)
    httpapi = stack.start_httpapi(features=settings["features"])
    until(lambda: stack.get("/dashboard")[1].get("X-Data-Source") == "boards", 240, "columns are made, and boards are live")
    return collector, httpapi


def assert_answers(stack, names, readings, highest, lowest):
    """Every route that says something about a feature says the right thing."""
    for interval in ("past_hour", "all_time"):
        for order, best in (("desc", highest), ("asc", lowest)):
            for name in names:
                path = f"/dashboard?features={name}&interval={interval}&order={order}"
                until(
                    lambda path=path, name=name, best=best: [e[name] for e in stack.get_json(path)[name]] == best[name],
                    what=f"{path} is {best[name]}",
                )
    of_a = [dict(r.values) for r in readings if r.device_id == "a"]
    page = stack.get_json("/devices/a/readings?limit=1000&order=asc")["readings"]
    assert [{name: one[name] for name in names} for one in page] == of_a
    points = stack.get_json("/devices/a/points?points=100")["points"]
    assert sum(point["count"] for point in points) == len(of_a)
    document = csv.DictReader(io.StringIO(stack.get("/devices/a/readings?format=csv")[2].decode()))
    assert sorted(float(row[names[0]]) for row in document) == sorted(values[names[0]] for values in of_a)
    peaks = stack.get_json("/devices/a")["peaks"]
    for name in names:
        values = [one[name] for one in of_a]
        assert min(p[name]["min"] for p in points) == min(values) and max(p[name]["max"] for p in points) == max(values)
        assert peaks[name]["highest"][name] == max(values) and peaks[name]["lowest"][name] == min(values)
        for path in ("/devices/a/distribution", "/distribution"):
            counts = stack.get_json(f"{path}?feature={name}&bins=5")
            counts = counts.get("a", counts)
            assert sum(counts["counts"]) == len(of_a) * (1 if path.startswith("/devices") else 2)
    assert {device["deviceId"] for device in stack.get_json("/devices")["devices"]} == {"a", "b"}


@pytest.mark.parametrize("names", GROUPS, ids=lambda names: names[0])
def test_any_other_name_works_everywhere(stack, names):
    collector, _ = start(stack, names)
    now = now_us()
    readings = sent_of(names, now - 60_000_000)
    publisher = stack.publish(*readings)
    until(lambda: stack.database.count() == len(readings))
    # Again, and from a day without a partition, which go through the staging table and the trigger.
    late = [r for r in sent_of(names, now - 20 * 86_400_000_000)]
    for one in [*readings, *late]:
        publisher.send(one)
    publisher.wait()
    everything = late + readings
    until(lambda: stack.database.count() == len(everything))
    assert set(stored_readings(stack.database, names)) == set(everything)
    until(lambda: not stack.database.rows("SELECT 1 FROM partition_requests WHERE answer IS NULL"), what="the late day has its partition")
    highest = {n: [100.0 * i + 9.5, 100.0 * i + 9] for i, n in enumerate(names)}
    lowest = {n: [100.0 * i, 100.0 * i + 0.5] for i, n in enumerate(names)}
    assert_answers(stack, names, everything, highest, lowest)
    # Loaded again, rolled up again.
    assert collector.terminate() == 0
    stack.database.rows("SELECT rollup_rebuild(now() - interval '21 days', now())")
    collector.start()
    until(lambda: "windows: complete" in collector.output())
    until(lambda: stack.get("/dashboard")[1].get("X-Data-Source") == "boards", 20, "boards are live")
    assert_answers(stack, names, everything, highest, lowest)
    assert "on hold" not in collector.output() and stack.metrics()["highwater_maintenance_failures_total"] == 0


def test_a_fleet_with_odd_features_verifies(stack, logs):
    features = "offset,order,bytes,head,event,constructor"
    truth = logs / "truth.csv"
    collector = stack.start_collector(features=features)
    collector.wait_for_line("preflight: in-flight window")
    fleet = ("--num-devices", "3", "--rate", "200", "--duration", "1s", "--truth", str(truth))
    stack.devicesim(*fleet, features=features)
    verified = stack.devicesim("--verify", stack.database.url, "--truth", str(truth), "--verify-wait", "20s", "--json")
    result = json.loads(verified.output().splitlines()[-1])
    assert result["readings"]["rows"] == result["readings"]["sent"] > 0
    values = stack.database.value('SELECT count("offset") + count("constructor") FROM device_readings')
    assert values == 2 * result["readings"]["rows"]


def words_of_ours():
    """What our SQL calls anything."""
    words = set()
    for path in [*CLONE.glob("schema/*.sql"), *CLONE.glob("collector/**/*.c"), *CLONE.glob("httpapi/queries.c")]:
        text = path.read_text()
        if path.suffix == ".c":
            text = " ".join(re.findall(r'"(?:[^"\\]|\\.)*"', text))
        words |= set(re.findall(r"\b[a-z][a-z0-9_]{0,30}\b", re.sub(r"--.*", "", text)))
    return sorted(words - set(REFUSED))


OURS = words_of_ours()


@pytest.mark.faults
@pytest.mark.parametrize("names", [OURS[i : i + MOST] for i in range(0, len(OURS), MOST)], ids=lambda names: names[0])
def test_so_does_every_word_that_our_own_sql_uses(stack, names):
    test_any_other_name_works_everywhere(stack, names)
