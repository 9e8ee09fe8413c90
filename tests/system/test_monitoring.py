"""deploy/monitoring: each alert fires when it should and not when it should not, by promtool; what the documents say of it.

A case is a night: series of an installation in which all is well, and what is different in it. All alerts that fire are compared,
so a case says of each of the others, too, that it does not.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field

import pytest
import yaml
from conftest import CLONE
from oracle import reading
from servers import until
from storage import live

MONITORING = CLONE / "deploy" / "monitoring"
sys.path.insert(0, str(MONITORING))

import table  # noqa: E402

ALERTS = {rule["alert"]: rule for rule in table.rules()}
C = '{job="highwater-collector",instance="a:5001",collector="a"}'
H = '{job="highwater-httpapi",instance="h:5000"}'
D = '{job="node",instance="db:9100",mountpoint="/var",fstype="ext4"}'
LONG = "x400"  # to the end of the case, as Case.document() has it


ONCE = [
    "session_takeovers", "sessions_lost", "boards_refused", "rejected_messages_deleted", "windows_coarsened", "broker_dropped_messages",
    "maintenance_failures", "batches_fenced",
]


def labelled(labels: str, more: str) -> str:
    return labels[:-1] + "," + more + "}"


def well(step: int) -> dict[str, str]:
    """A collector and an httpapi, a sample each `step` seconds. Where an alert has a threshold, it is all but reached."""
    still = {
        "up": (1, C), "highwater_ready": (1, C), "highwater_database_up": (1, C), "highwater_mqtt_up": (1, C),
        "highwater_store_on_hold": (0, C), "highwater_collector_id_conflict": (0, C), "process_start_time_seconds": (-1e6, C),
        "highwater_last_message_age_seconds": (3600, C), "highwater_devices_heard": (100, C), "highwater_sequence_missing": (7, C),
        "highwater_broker_stored_bytes": (134217728, C), "highwater_broker_window": (1000, C), "highwater_boards_inexact": (3, C),
        "highwater_redis_up": (1, C), "highwater_redis_lacking": (0, C), "highwater_rollup_late_rows": (10000, C),
        "highwater_default_readings": (50, C), "highwater_maintenance_holder": (1, C), "highwater_packing_waiting": (1, C),
        "highwater_kafka_up": (1, C), "highwater_kafka_held_partitions": (0, C),
        "highwater_httpapi_ready": (1, H), "highwater_httpapi_boards_current": (1, H),
        "highwater_httpapi_database_is_standby": (0, H), "highwater_httpapi_database_behind_seconds": (10, H),
        "node_filesystem_avail_bytes": (3e9, D), "node_filesystem_size_bytes": (1e10, D),
        "highwater_cassandra_up": (1, '{job="highwater-cassandra",instance="k:5003"}'),
    }
    series = {name + labels: f"{value}{LONG}" for name, (value, labels) in still.items()}
    # what has been counted was so long ago
    series |= {f"highwater_{name}_total{C}": f"3{LONG}" for name in ONCE}
    series |= {
        "up" + H: f"1{LONG}",
        "highwater_accounting_mismatches_total" + C: f"0{LONG}",
        "highwater_httpapi_wrong_tokens_total" + H: f"0+{step / 6}{LONG}",
        "highwater_httpapi_tls_not_after_timestamp_seconds" + H: f"1209600+{step}{LONG}",
        "highwater_cassandra_missed_records_total" + '{job="highwater-cassandra",instance="k:5003"}': f"3{LONG}",
        "highwater_messages_total" + C: f"0+{100 * step}{LONG}",
        "highwater_readings_received_total" + C: f"0+{100 * step}{LONG}",
        "highwater_readings_rejected_total" + labelled(C, 'reason="no_value"'): f"0+{step}{LONG}",
        "highwater_readings_packed_total" + C: f"0+{step}{LONG}",
        "highwater_devices_silent" + labelled(C, 'for="1h"'): f"10{LONG}",
        "highwater_threshold_devices" + labelled(C, 'threshold="temperature>90"'): f"0{LONG}",
        "highwater_devices_silent" + labelled(C, 'for="5m"'): f"90{LONG}",
        "highwater_arrival_to_commit_seconds_bucket" + labelled(C, 'le="1"'): f"0+{100 * step}{LONG}",
        "highwater_arrival_to_commit_seconds_bucket" + labelled(C, 'le="5"'): f"0+{100 * step}{LONG}",
        "highwater_arrival_to_commit_seconds_bucket" + labelled(C, 'le="+Inf"'): f"0+{100 * step}{LONG}",
        "highwater_boards_as_of_seconds" + C: f"-10+{step}{LONG}",
        "highwater_rollup_timestamp_seconds" + C: f"-600+{step}{LONG}",
        "highwater_kafka_lag_records" + labelled(C, 'topic="readings",partition="0"'): f"10000{LONG}",
        "highwater_httpapi_requests_total" + labelled(H, 'route="/dashboard",code="200"'): f"0+{99 * step}{LONG}",
        "highwater_httpapi_requests_total" + labelled(H, 'route="/dashboard",code="503"'): f"0+{step}{LONG}",
    }
    return series


@dataclass
class Case:
    name: str
    fires: dict[str, int] = field(default_factory=dict)  # how many of each
    differs: dict[str, str | None] = field(default_factory=dict)  # series that are otherwise, or not there
    at: str = "60m"
    step: int = 60
    only: dict[str, str] | None = None  # there is nothing else

    def document(self) -> dict:
        series = dict(self.only) if self.only is not None else well(self.step)
        for name, values in self.differs.items():
            assert self.only is not None or name in series or values is not None, f"{self.name}: {name} is no series"
            series[name] = values
        samples = int(self.at[:-1]) * {"m": 60, "h": 3600}[self.at[-1]] // self.step
        return {
            "rule_files": [str(MONITORING / "alerts.yml")],
            "evaluation_interval": f"{2 * self.step}s",  # the fewer, the sooner it is done
            "tests": [{
                "interval": f"{self.step}s",
                "input_series": [{"series": name, "values": values.replace(LONG, f"x{samples}")} for name, values in series.items() if values is not None],
                "promql_expr_test": [{
                    "expr": 'count by (alertname) (ALERTS{alertstate="firing"})',
                    "eval_time": self.at,
                    "exp_samples": [{"labels": f'{{alertname="{alert}"}}', "value": count} for alert, count in sorted(self.fires.items())],
                }],
            }],
        }


def c(name: str, more: str = "") -> str:
    return f"highwater_{name}" + (labelled(C, more) if more else C)


def h(name: str, more: str = "") -> str:
    return f"highwater_httpapi_{name}" + (labelled(H, more) if more else H)


def other(text: str) -> str:
    """The same of another process with the same COLLECTOR_ID."""
    return text.replace("a:5001", "b:5001")


START = "process_start_time_seconds" + C
DAY = {"step": 600, "at": "27h"}  # 162 samples
RISES_AT_50 = "3x49 4x400"

PLAIN = [
    Case("all is well, every threshold all but reached"),
    Case("nothing is there but httpapi", {"HighwaterNoCollector": 1}, only={"up" + H: f"1{LONG}", h("ready"): f"1{LONG}"}),
    Case("a collector is dead", {"HighwaterDown": 1, "HighwaterNoCollector": 1}, {"up" + C: "1x50 0x400"} | {
        name: "1x50 stale" for name in well(60) if '"a:5001"' in name and not name.startswith("up")}),
    Case("httpapi is dead", {"HighwaterDown": 1}, {"up" + H: "1x50 0x400"}),
    Case("a scrape failed, once", {}, {"up" + C: "1x59 0x400"}),
    Case("not ready", {"HighwaterNotReady": 1, "HighwaterNoCollector": 1}, {c("ready"): "1x50 0x400"}),
    Case("not ready, while another is", {"HighwaterNotReady": 1}, {c("ready"): "1x50 0x400", c("ready").replace('"a"', '"b"'): f"1{LONG}"}),
    Case("not ready for a moment", {}, {c("ready"): "1x59 0x400"}),
    Case("httpapi is not ready", {"HighwaterHttpapiNotReady": 1}, {h("ready"): f"0{LONG}"}),
    Case("no database", {"HighwaterDatabaseDown": 1}, {c("database_up"): "1x50 0x400"}),
    Case("no broker", {"HighwaterBrokerDown": 1}, {c("mqtt_up"): "1x50 0x400"}),
    Case("sums do not agree", {"HighwaterAccounting": 1}, {c("accounting_mismatches_total"): "0x58 1x400"}),
    Case("the schema is too new", {"HighwaterStoreOnHold": 1}, {c("store_on_hold"): "0x58 1x400"}),
    Case("commits are slow", {"HighwaterSlow": 1}, {c("arrival_to_commit_seconds_bucket", 'le="1"'): "0+5000x400"}),
    Case("commits are slow for a moment", {}, {c("arrival_to_commit_seconds_bucket", 'le="1"'): "0+6000x58 348000+5000x400"}),
    Case("a fifth is rejected", {"HighwaterRejecting": 1}, {c("readings_rejected_total", 'reason="no_value"'): "0+1200x400"}),
    Case("one of few is rejected", {}, {c("readings_rejected_total", 'reason="no_value"'): "0x55 1x400", c("readings_received_total"): "0+1x400"}),
    Case("rejected messages are deleted", {"HighwaterRejectedDeleted": 1}, {c("rejected_messages_deleted_total"): RISES_AT_50}),
    Case("numbers are missing", {"HighwaterNumbersMissing": 1}, {c("sequence_missing"): "7x57 8x400"}),
    Case("late numbers came", {}, {c("sequence_missing"): "7x57 3x400"}),
    Case("fenced again and again", {"HighwaterBatchesFenced": 1}, {c("batches_fenced_total"): "0+1x400"}),
    Case("fenced a few times", {}, {c("batches_fenced_total"): "0x50 4x400"}),
    Case("the broker drops", {"HighwaterBrokerDrops": 1}, {c("broker_dropped_messages_total"): "3x55 4x400"}),
    Case("the broker's queue is half full", {"HighwaterBrokerQueue": 1}, {c("broker_stored_bytes"): "134217729x400"}),
    Case("a small window", {"HighwaterBrokerWindow": 1}, {c("broker_window"): "50x400"}),
    Case("a window of which nothing is known", {}, {c("broker_window"): "0x400"}),
    Case("an id in two installations", {"HighwaterIdConflict": 1}, {c("collector_id_conflict"): "1x400"}),
    Case("another client with our id", {"HighwaterSessionTakenOver": 1}, {c("session_takeovers_total"): "3x55 4x400"}),
    Case("a session is lost", {"HighwaterSessionLost": 1}, {c("sessions_lost_total"): "3x55 4x400"}),
    Case("boards stand still", {"HighwaterBoardsStandStill": 1}, {c("boards_as_of_seconds"): "0+60x55 3300x400"}),
    Case("boards are too large", {"HighwaterBoardsRefused": 1}, {c("boards_refused_total"): "3x55 4x400"}),
    Case("boards lack memory", {"HighwaterBoardsInexact": 1}, {c("windows_coarsened_total"): "0+1x400"}),
    Case("memory was given up, no board hurt", {}, {c("windows_coarsened_total"): "0+1x400", c("boards_inexact"): "0x400"}),
    Case("no Redis", {"HighwaterRedis": 1}, {c("redis_up"): "0x400"}),
    Case("Redis refuses a board", {"HighwaterRedis": 1}, {c("redis_lacking"): "1x400"}),
    Case("no rollups", {"HighwaterRollupsBehind": 1}, {c("rollup_timestamp_seconds"): "0+60x40 2400x400"}),
    Case("more late readings than are folded in", {"HighwaterLateRows": 1}, {c("rollup_late_rows"): "0+1000x400"}),
    Case("late readings come and go", {}, {c("rollup_late_rows"): "20000x400"}),
    Case("a device with a wrong clock", {"HighwaterDefaultReadings": 1}, {c("default_readings"): "0+1x400"}),
    Case("jobs fail", {"HighwaterMaintenance": 1}, {c("maintenance_failures_total"): "0+1x400"}),
    Case("a job failed five times", {}, {c("maintenance_failures_total"): "0x50 5x400"}),
    Case("packing stands still", {"HighwaterPacking": 1}, {
        c("packing_waiting"): "1x400", c("readings_packed_total"): "7x400"}),
    Case("packing goes on", {}, {c("packing_waiting"): "9x400", c("readings_packed_total"): "0+1000x400"}),
    Case("nothing is to be packed", {}, {c("packing_waiting"): "0x400", c("readings_packed_total"): "7x400"}),
    Case("httpapi cannot answer", {"HighwaterHttpapiErrors": 1}, {h("requests_total", 'route="/dashboard",code="503"'): "0+600x400"}),
    Case("httpapi is asked nothing", {}, {h("requests_total", f'route="/dashboard",code="{code}"'): "7x400" for code in (200, 503)}),
    Case("a probe is told no", {}, {h("requests_total", 'route="/readyz",code="503"'): "0+600x400"}),
    Case("no current boards", {"HighwaterHttpapiWithoutBoards": 1}, {h("boards_current"): "0x400"}),
    Case("no current boards at a standby", {}, {h("boards_current"): "0x400", h("database_is_standby"): "1x400"}),
    Case("a certificate ends", {"HighwaterCertificate": 1}, {h("tls_not_after_timestamp_seconds"): "1209599+60x400"}),
    Case("somebody tries tokens", {"HighwaterWrongTokens": 1}, {h("wrong_tokens_total"): "0+11x400"}),
    Case("it is started again and again", {"HighwaterRestarts": 1}, {START: "-1e6x40 2400x5 2700x5 3000x5 3300x400"} | {
        c(f"{name}_total"): "0x400" for name in ONCE}),
    Case("a standby is late", {"HighwaterStandbyBehind": 1}, {h("database_behind_seconds"): "11x400"}),
    Case("no Kafka", {"HighwaterKafkaDown": 1}, {c("kafka_up"): "0x400"}),
    Case("a gap in a topic", {"HighwaterKafkaHeld": 1}, {c("kafka_held_partitions"): "1x400"}),
    Case("a group is too slow", {"HighwaterKafkaLag": 1}, {c("kafka_lag_records", 'topic="readings",partition="0"'): "0+1000x400"}),
    Case("a group is too slow, and its partition moves", {"HighwaterKafkaLag": 1}, {
        c("kafka_lag_records", 'topic="readings",partition="0"'): "0+1000x25 stale",
        c("kafka_lag_records", 'topic="readings",partition="0"').replace('"a"', '"b"'): "_x26 26000+1000x400"}),
    Case("no Cassandra", {"HighwaterCassandraDown": 1}, {'highwater_cassandra_up{job="highwater-cassandra",instance="k:5003"}': "0x400"}),
    Case("Kafka deleted what Cassandra lacks", {"HighwaterCassandraMissed": 1}, {
        'highwater_cassandra_missed_records_total{job="highwater-cassandra",instance="k:5003"}': "3x55 4x400"}),
]

# A collector was away for a minute.
RESTARTED = {c(f"{name}_total"): "3x50 _x2 0x400" for name in ONCE} | {START: "-1e6x50 _x2 3100x400"}

ODD = [
    # A second process of an id waits for the first: nothing of what it lacks is wrong.
    Case("a standby of the same id", {}, {other(c(name)): f"0{LONG}" for name in (
        "ready", "database_up", "mqtt_up", "boards_as_of_seconds", "rollup_timestamp_seconds", "last_message_age_seconds", "redis_lacking",
        "sequence_missing", "devices_heard", "default_readings", "maintenance_holder", "boards_inexact", "broker_window")}),
    # A pod is replaced: another instance, whose counters begin again; what it counts before the first scrape is told, too.
    Case("a pod is replaced", {}, {c(name): f"{value}x50 stale" for name, value in (("ready", 1), ("database_up", 1), ("mqtt_up", 1), ("sequence_missing", 7))} | {
        other(c("ready")): "_x51 0 1x400", other(c("database_up")): "_x51 0 1x400", other(c("mqtt_up")): "_x51 0 1x400",
        other(c("sequence_missing")): "_x51 0 7x400", other(START): "_x51 3060x400", "up" + other(C): "_x51 1x400"}),
    Case("a session is lost while the collector is away", {"HighwaterSessionLost": 1}, RESTARTED | {
        c("sessions_lost_total"): "0x50 stale", other(c("sessions_lost_total")): "_x52 1x400", other(START): "_x52 3100x400"}),
    Case("it was so twice", {"HighwaterSessionLost": 1}, RESTARTED | {  # 1 before, 1 after: no increase, and no reset that shows
        c("sessions_lost_total"): "1x50 _x2 1x400"}),
    Case("counters begin again", {}, RESTARTED),
    # No devices: nothing comes, nothing is committed, nothing is divided by zero.
    Case("no devices at all", {}, {
        c("messages_total"): "0x400", c("readings_received_total"): "0x400", c("readings_rejected_total", 'reason="no_value"'): "0x400",
        **{c("arrival_to_commit_seconds_bucket", f'le="{le}"'): "0x400" for le in ("1", "5", "+Inf")},
        c("devices_heard"): "0x400", c("devices_silent", 'for="1h"'): "0x400", c("boards_as_of_seconds"): "0+60x400"}),
    Case("the last batch before the night was slow", {}, {
        c("arrival_to_commit_seconds_bucket", 'le="1"'): "7x400",
        **{c("arrival_to_commit_seconds_bucket", f'le="{le}"'): "7x30 9x400" for le in ("5", "+Inf")}}),
    # Several collectors: what one lacks is told of that one.
    Case("two of three collectors are slow", {"HighwaterSlow": 2}, {
        c("arrival_to_commit_seconds_bucket", f'le="{le}"').replace('collector="a"', f'collector="{who}"'): f"0+{rate}x400"
        for who in "bc" for le, rate in (("1", 10), ("5", 100), ("+Inf", 100))}),
    # Whoever rolls up, rolls up for all; one that is late need not worry while another has done it.
    Case("another collector rolls up", {}, {
        c("rollup_timestamp_seconds"): "600x400", c("rollup_timestamp_seconds").replace('"a"', '"b"'): "0+60x400"}),
    Case("a store without boards", {}, {c("boards_as_of_seconds"): "0x400", c("rollup_timestamp_seconds"): None}),
    # Nights.
    Case("silence where there was none yesterday", {"HighwaterSilence": 1}, {
        c("last_message_age_seconds"): "3601x400", c("messages_total"): "0+1000x400"}, **DAY),
    Case("silence on the first day", {"HighwaterSilence": 1}, {c("last_message_age_seconds"): "3601x400"}),
    Case("a night like the one before", {}, {c("last_message_age_seconds"): "30000x400", c("messages_total"): "0x400"}, **DAY),
    Case("the day does not begin", {"HighwaterSilence": 1}, {c("last_message_age_seconds"): "90001x400", c("messages_total"): "0x400"}, **DAY),
    Case("silent since the database went away", {"HighwaterNotReady": 1, "HighwaterNoCollector": 1}, {
        c("last_message_age_seconds"): "3601x400", c("ready"): "0x400"}),
    Case("a device is beyond a threshold", {"HighwaterThreshold": 1}, {c("threshold_devices", 'threshold="temperature>90"'): "0x5 2x60"}),
    Case("none is beyond it", {}, {c("threshold_devices", 'threshold="temperature>90"'): "0x60"}),
    Case("one is beyond it for a moment", {}, {c("threshold_devices", 'threshold="temperature>90"'): "0x20 1x0 0x60"}),
    Case("a site is silent", {"HighwaterDevicesSilent": 1}, {c("devices_silent", 'for="1h"'): "10x150 21x400"}, **DAY),
    Case("nearly a tenth is silent", {}, {c("devices_silent", 'for="1h"'): "10x150 20x400"}, **DAY),
    Case("all devices sleep, as they did yesterday", {}, {c("devices_silent", 'for="1h"'): "100x400"}, **DAY),
    Case("the disk is full tomorrow", {"HighwaterDiskFull": 1}, {"node_filesystem_avail_bytes" + D: "3e9-24e6x140"}, step=600, at="10h"),
    Case("the disk is full in a week", {}, {"node_filesystem_avail_bytes" + D: "3e9-3e6x140"}, step=600, at="10h"),
    Case("a dump takes half a large disk for an hour", {}, {"node_filesystem_avail_bytes" + D: "9e9-100e6x60"}, step=600, at="5h"),
]


@pytest.fixture(scope="module")
def promtool():
    binary = shutil.which("promtool")
    if binary is None:
        pytest.skip("there is no promtool here: make deps")
    return binary


def test_promtool_takes_the_rules_and_the_configuration(promtool):
    for command in (["check", "rules", MONITORING / "alerts.yml"], ["check", "config", MONITORING / "prometheus.yml"]):
        done = subprocess.run([promtool, *command], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr


def test_alerts_fire_when_they_should_and_only_then(promtool, tmp_path):
    cases = PLAIN + ODD
    assert len({case.name for case in cases}) == len(cases)
    for case in cases:
        (tmp_path / f"{case.name}.yml").write_text(yaml.safe_dump(case.document()))
    command = [promtool, "test", "rules", *sorted(tmp_path.iterdir())]
    done = subprocess.run(command, env={**os.environ, "GOGC": "400"}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    said = re.split(r"^Unit Testing: +", done.stdout.replace(f"{tmp_path}{os.sep}", ""), flags=re.MULTILINE)
    failed = [part for part in said if "FAILED" in part]
    assert not failed, "".join(failed)
    assert done.returncode == 0


def test_every_alert_is_seen_to_fire_and_not_to():
    assert set(ALERTS) == {alert for case in PLAIN + ODD for alert in case.fires}
    # that it does not fire when all is well says something only where its series are
    there = {re.match(r"\w+", name)[0] for name in well(60)}
    assert not {metric for rule in ALERTS.values() for metric in metrics_of(rule["expr"])} - there


def metrics_of(expression: str) -> set[str]:
    return set(re.findall(r"\b(?:highwater|node|process)_\w+\b", re.sub(r'"[^"]*"', "", expression)))


SECONDS = {"s": 1, "min": 60, "h": 3600, "day": 86400, "days": 86400, "MiB": 2**20}


def numbers(text: str) -> set[float]:
    """Those of a sentence, in seconds or bytes."""
    return {float(number) * SECONDS.get(unit, 1) for number, unit in re.findall(r"(?<![\w.`])(\d+(?:\.\d+)?)(?: (s|min|h|days?|MiB)\b)?", text)}


def prometheus_numbers(text: str) -> set[float]:
    units = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
    text = re.sub(r'"[^"]*"', lambda quoted: " " + quoted[0].strip('"') + " " if re.fullmatch(r'"\d+\w"', quoted[0]) else "", text)
    return {float(number) * units[unit] for number, unit in re.findall(r"(?<![\w.])(\d+(?:\.\d+)?)([smhd]?)\b", text)}


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_says_what_it_does(name):
    rule = ALERTS[name]
    says = rule["annotations"]
    assert set(says) == {"summary", "when", "do", "runbook_url"} and all(says.values())
    assert rule["labels"]["severity"] in ("critical", "warning", "info")
    named = {metric.removesuffix("_bucket") for metric in metrics_of(rule["expr"])}
    told = set(re.findall(r"`((?:highwater|node|process)_\w+)`", says["when"]))
    assert told <= named and (told or "up" in says["when"])
    # "p99", "code 503" and "is not 1" are no thresholds of another kind: they are in the expression as well
    missing = numbers(says["when"].replace("p99", "0.99")) - prometheus_numbers(rule["expr"] + " " + rule.get("for", "") + " 503")
    assert not missing, f"{says['when']}: {rule['expr']}"


def test_the_table_in_the_documents_is_made_of_the_rules():
    written = table.TABLE.findall((CLONE / "docs" / "OPERATIONS.md").read_text())
    assert written == [table.table()], "deploy/monitoring/table.py --write"


def test_places_that_alerts_name_are_there():
    """As links of the document: test_docs.py follows those of the table."""
    for rule in ALERTS.values():
        path, _, _ = rule["annotations"]["runbook_url"].partition("#")
        assert (CLONE / path).exists()


def test_metrics_of_alerts_are_exported():
    listed = set(re.findall(r"^\| `(\w+)`", (CLONE / "docs" / "METRICS.md").read_text(), re.MULTILINE))
    consumer = (CLONE / "deploy/cassandra/metrics.py").read_text()
    listed |= {"highwater_cassandra_" + name for name in re.findall(r'^    "(\w+)": \("(?:counter|gauge)"', consumer, re.MULTILINE)}
    named = {metric.removesuffix("_bucket") for rule in ALERTS.values() for metric in metrics_of(rule["expr"]) if not metric.startswith("node_")}
    assert not named - listed


def scraped(named: set[str], stack, *ports: int) -> None:
    """Waits until all of these are among what the programs say; what only others have is left out."""

    def lacking():
        said = b"".join(stack.get("/metrics", port)[2] for port in ports).decode()
        return {metric for metric in named if not re.search(rf"^{metric}\b", said, re.MULTILINE)}

    until(lambda: not lacking(), 60, f"all of {named} are there", pause=0.2)


def named_by_alerts(*prefixes: str) -> set[str]:
    return {metric for rule in ALERTS.values() for metric in metrics_of(rule["expr"]) if metric.startswith(prefixes)}


def test_metrics_of_alerts_are_in_what_is_scraped(stack, redis_server):
    """Of what an ordinary installation has, with Redis."""
    live(stack, redis_url=redis_server.url(), thresholds="temperature>90")
    stack.start_httpapi()
    stack.publish(reading("d", temperature=1.0))
    others = named_by_alerts("node_", "highwater_kafka_", "highwater_cassandra_", "highwater_httpapi_tls_", "highwater_httpapi_wrong_")
    scraped(named_by_alerts("highwater_", "process_") - others, stack, stack.metrics_port, stack.http_port)


def test_metrics_of_alerts_about_kafka_are_in_what_is_scraped(stack, mock_kafka):
    for topic in ("readings", "readings.rejected"):
        mock_kafka.topic(topic, 1)
    stack.start_collector(source=f"{mock_kafka.url('readings')}?group=g").wait_for_line("windows: complete", 60)
    scraped(named_by_alerts("highwater_kafka_"), stack, stack.metrics_port)


def test_the_broker_s_queue_is_that_of_its_settings():
    limit = int(re.search(r"^max_queued_bytes (\d+)$", (CLONE / "mosquitto.conf").read_text(), re.MULTILINE)[1])
    assert limit / 2 in prometheus_numbers(ALERTS["HighwaterBrokerQueue"]["expr"])
