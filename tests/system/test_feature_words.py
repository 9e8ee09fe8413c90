"""Units and labels of features: from FEATURES to the contract, the metrics and the comments of columns."""

from __future__ import annotations

import subprocess

import pytest
from conftest import BUILD_DIR
from oracle import reading

from servers import until

WORDS = {"temperature": ("°C", "Outdoor \"T\", it's \\ warm"), "pressure": ("bar", ""), "load": ("", "Load")}
FEATURES = ",".join(f"{name}[{unit}{'|' + label if label else ''}]" for name, (unit, label) in WORDS.items())


def said(stack):
    """What the contract says of each feature."""
    features = stack.get_json("/openapi.json")["components"]["schemas"]["Reading"]["properties"]
    return {name: (features[name].get("x-unit", ""), features[name].get("title", "")) for name in WORDS if name in features}


def comment(stack, name, table="readings"):
    return stack.database.value(
        "SELECT col_description(attrelid, attnum) FROM pg_attribute WHERE attrelid = %s::regclass AND attname = %s",
        (table, name),
    )


def test_units_and_labels_are_told_everywhere_and_follow_the_setting(stack):
    stack.start_httpapi()
    collector = stack.start_collector(features=FEATURES)
    until(lambda: said(stack) == WORDS, 20, "the contract has what the collector says")
    until(lambda: "units" in str(stack.get_json("/collectors")), 10)
    entry = stack.get_json("/collectors")["collectors"][0]
    assert entry["units"] == {"temperature": "°C", "pressure": "bar"}
    assert entry["labels"] == {name: label for name, (_, label) in WORDS.items() if label}
    metrics = stack.get("/metrics", stack.metrics_port)[2].decode()
    assert 'highwater_feature_info{collector="collector",feature="pressure",unit="bar",label=""} 1' in metrics
    assert 'label="Outdoor \\"T\\", it\'s \\\\ warm"} 1' in metrics
    for table in ("readings", "peaks", "device_readings"):
        assert comment(stack, "temperature", table).startswith("temperature[°C|Outdoor \"T\", it's \\ warm] as the device sent it")
    stack.publish(reading("one", temperature=1))
    collector.terminate()
    assert said(stack) == WORDS, "what a collector said stays while it is away"

    # another httpapi, and nobody to hear: the comments say it
    stack.program_named("httpapi").terminate()
    stack.database.rows("COMMENT ON COLUMN readings.load IS 'Somebody''s own words'")
    before = stack.database.value("SELECT string_agg(xmin::text, ',' ORDER BY objsubid) FROM pg_description WHERE objoid = 'readings'::regclass")
    migration = stack.program("collector", ["--migrate"], features=FEATURES)
    migration.start()
    assert migration.wait(30) == 0, migration.tail()
    after = stack.database.value("SELECT string_agg(xmin::text, ',' ORDER BY objsubid) FROM pg_description WHERE objoid = 'readings'::regclass")
    assert before == after, "what is right already is not written again"
    assert comment(stack, "load") == "Somebody's own words"
    migration = stack.program("collector", ["--migrate"], features="temperature[K],pressure,load")
    migration.start()
    assert migration.wait(30) == 0, migration.tail()
    assert comment(stack, "temperature").startswith("temperature[K] as")
    assert comment(stack, "pressure").startswith("pressure as the device")

    # a collector that comes back with other words
    stack.start_httpapi()
    for unit in ("K", "°F"):
        collector = stack.start_collector(features=f"temperature[{unit}],pressure,load")
        until(lambda: said(stack)["temperature"] == (unit, ""), 20, f"the contract says {unit}")
        collector.terminate()


@pytest.mark.parametrize("program", ["collector", "httpapi", "devicesim"])
def test_what_is_no_unit_is_refused_by_all_programs_alike(program):
    for features, words in (
        ("a[x", b'"[x" behind feature "a" is not a pair of brackets'),
        ("a[]", b"neither a unit nor a label"),
        ("a[" + "u" * 25 + "]", b"1 to 24 bytes"),
        ("a[\u202e]", b"without control or invisible characters"),
    ):
        run = subprocess.run([f"{BUILD_DIR}/{program}", "--features", features], capture_output=True, timeout=20, check=False)
        assert run.returncode == 2, (features, run)
        assert words in run.stderr, run.stderr


def test_a_config_file_takes_them_too(tmp_path):
    file = tmp_path / "highwater.conf"
    for features, is_wrong in (("temperature[°C|Outdoor, T],pressure[bar]", False), ("temperature[°C", True)):
        file.write_text(f"FEATURES={features}\n")
        run = subprocess.run([f"{BUILD_DIR}/devicesim", "--config", file, "--check"], capture_output=True, timeout=60, check=False)
        assert (b"pair of brackets" in run.stdout) == is_wrong, run
