"""Grafana's dashboards: what is in the files, and every query run, with Grafana's macros and variables expanded as it does that.

Grafana itself is in no package of Debian. What it would do with the files is held to the types that it publishes (make lint-dashboards);
what its data sources would be asked is asked here, of PostgreSQL as the role that reads, and of a Prometheus.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.parse
import urllib.request
from datetime import datetime, timedelta, timezone
from pathlib import Path

import psycopg2
import pytest
import yaml
from conftest import CLONE
from oracle import now_us, reading
from servers import LOOPBACK, Program, free_port, until
from storage import live

MONITORING = CLONE / "deploy" / "monitoring"
sys.path.insert(0, str(MONITORING))

import dashboards  # noqa: E402

FILES = {path.stem: json.loads(path.read_text()) for path in sorted(dashboards.PLACE.glob("*.json"))}
PANELS = [(name, panel) for name, one in FILES.items() for panel in one["panels"]]
CHOSEN = {"device": "d'evice", "feature": "temperature", "interval": "1 hour", "order": "desc", "collector": ".*", "__searchFilter": "%"}
INSTALLED_ONLY_BY_SOME = ("highwater_kafka_", "highwater_redis_")


def of_kind(kind: str, key: str) -> list[tuple[str, str, dict]]:
    """(where, query, target) of all panels with this data source."""
    return [
        (f"{name}: {panel['title']}", target[key], target)
        for name, panel in PANELS for target in panel["targets"] if target["datasource"]["type"] == kind
    ]


SQL = of_kind("postgres", "rawSql") + [
    (f"{name}: ${variable['name']}", variable["query"], {"format": "variable"})
    for name, one in FILES.items() for variable in one["templating"]["list"]
    if variable["type"] == "query" and variable["datasource"]["type"] == "postgres"
]
PROMQL = of_kind("prometheus", "expr")


def expanded(query: str, span: timedelta = timedelta(hours=6), step_s: int = 60, **chosen: str) -> str:
    """As Grafana's PostgreSQL data source does it."""
    until_at = datetime.now(timezone.utc)
    start, end = (f"'{at:%Y-%m-%dT%H:%M:%SZ}'" for at in (until_at - span, until_at))
    values = CHOSEN | chosen | {"__interval_ms": str(step_s * 1000), "__interval": f"{step_s}s", "__rate_interval": "30s"}

    def value(name: str, form: str | None) -> str:
        return "'" + values[name].replace("'", "''") + "'" if form == "sqlstring" else values[name]

    query = re.sub(r"\$__timeFilter\(([^)]*)\)", rf"\1 BETWEEN {start} AND {end}", query)
    query = query.replace("$__timeFrom()", start).replace("$__timeTo()", end)
    query = re.sub(r"\$\{(\w+)(?::(\w+))?\}", lambda m: value(m[1], m[2]), query)
    query = re.sub(r"\$(?!__timeGroup)(\w+)", lambda m: value(m[1], None), query)
    query = re.sub(r"\$__timeGroupAlias\((\w+), *(\d+)s\)", r'floor(extract(epoch from \1)/\2)*\2 AS "time"', query)
    assert "$" not in query, query
    return query


# --- The files -------------------------------------------------------------------------------------


def test_files_are_what_the_program_makes():
    assert {path: path.read_text() for path in dashboards.PLACE.glob("*.json")} == dashboards.made(), "deploy/monitoring/dashboards.py --write"


@pytest.mark.parametrize("name", FILES)
def test_a_dashboard_fits_together(name):
    one = FILES[name]
    assert one["uid"] == name and len(one["uid"]) <= 40
    variables = {variable["name"] for variable in one["templating"]["list"]}
    text = json.dumps(one)
    used = set(re.findall(r"\$\{(\w+)[:}]", text)) | set(re.findall(r"\$(\w+)", text))
    used = {used_one for used_one in used if not used_one.startswith("__")}
    assert used == variables
    taken = set()
    for panel in one["panels"]:
        place = panel["gridPos"]
        cells = {(x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])}
        assert not cells & taken and place["x"] + place["w"] <= 24, panel["title"]
        taken |= cells
    assert len({panel["id"] for panel in one["panels"]}) == len(one["panels"])
    for link in re.findall(r"/d/([\w-]+)", text):
        assert link in FILES


def test_data_sources_are_those_that_are_provisioned():
    provisioned = yaml.safe_load((MONITORING / "grafana/provisioning/datasources/highwater.yml").read_text())["datasources"]
    assert {one["type"]: one["uid"] for one in provisioned} == dashboards.SOURCES
    assert {one["name"] for one in provisioned} == {
        variable["current"]["text"] for one in FILES.values() for variable in one["templating"]["list"] if variable["type"] == "datasource"
    }
    kinds = [{panel["datasource"]["type"] for panel in one["panels"]} for one in FILES.values()]
    assert [set(re.findall(r'"uid": "\$\{(.*?)\}"', json.dumps(one))) for one in FILES.values()] == kinds
    provider = yaml.safe_load((MONITORING / "grafana/provisioning/dashboards/highwater.yml").read_text())["providers"][0]
    assert provider["options"]["path"].endswith("highwater/monitoring/grafana/dashboards")


# --- SQL -------------------------------------------------------------------------------------------


@pytest.fixture
def reader(stack, postgres):
    """The role that reads, as docs/OPERATIONS.md and deploy/production/roles.sql make it, on a database with three days of 40 devices."""
    live(stack)
    stack.publish(*(reading(CHOSEN["device"], now_us(), "ON", temperature=20.0 + seq, seq=seq) for seq in (1, 2, 5)))
    until(lambda: stack.database.count() == 3, 20)
    for statement in (
        "SELECT make_partitions(now() - interval '3 days', now())",
        "INSERT INTO devices (device_id) SELECT 'device_' || i FROM generate_series(1, 40) i",
        """INSERT INTO readings (device, content_hash, recorded_at, received_at, status, temperature, pressure)
           SELECT d.id, i, now() - i * interval '1 minute', now(), 1 + i % 4, i % 37, i / 3.0
           FROM devices d, generate_series(1, 4000) i""",
        "SELECT rollup_fold_late(1000000)",
        "INSERT INTO rejected_messages (received_at, topic, payload, reason, detail) VALUES (now(), 'devices/x/readings', '{', 'syntax', 'of a test')",
    ):
        stack.database.rows(statement)
    until(lambda: stack.database.count("device_sequences WHERE missing > 0") == 1, 30, "numbers are written")
    connection = stack.database.connect()
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
    connection.close()
    name = f"grafana_{stack.database.name}"
    postgres.sql(
        f"CREATE ROLE {name} LOGIN; ALTER ROLE {name} SET default_transaction_read_only = on; GRANT SELECT ON ALL TABLES IN SCHEMA public TO {name}",
        stack.database.name)
    connection = psycopg2.connect(postgres.url(stack.database.name, name))
    yield connection
    connection.close()
    postgres.sql(f"DROP OWNED BY {name}; DROP ROLE {name}", stack.database.name)


def scans(cursor) -> dict[str, int]:
    """Rows of partitions of readings that were read from end to end, in this session of late."""
    cursor.execute(
        "SELECT relname, seq_tup_read FROM pg_stat_xact_user_tables WHERE seq_tup_read > 0 AND relid IN (SELECT relid FROM pg_partition_tree('readings'))")
    return dict(cursor.fetchall())


def test_every_query_of_sql_has_rows_and_those_of_a_device_use_its_key(reader):
    empty, read, untimed = [], {}, []
    for where, query, target in SQL:
        with reader, reader.cursor() as cursor:
            before = scans(cursor)
            for span, step in ((timedelta(hours=1), 10), (timedelta(days=3), 600)):
                cursor.execute(expanded(query, span, step))
                found = cursor.fetchall()
                if not found and span > timedelta(hours=1) or found and all(value is None for row in found for value in row):
                    empty.append(where)
                if target["format"] == "time_series" and "time" not in [column.name for column in cursor.description]:
                    untimed.append(where)
            if where.startswith("highwater-device") and scans(cursor) != before:
                read[where] = scans(cursor)
    assert not empty and not read and not untimed


def test_a_query_takes_ids_and_features_of_any_kind(reader):
    """An id with a quote is that of the device above; one that nobody has is an empty plot and no error."""
    with reader, reader.cursor() as cursor:
        for where, query, _ in SQL:
            cursor.execute(expanded(query, device="x'; DROP TABLE readings; --", feature="pressure", interval="all", order="asc"))
            cursor.fetchall()


# --- PromQL ----------------------------------------------------------------------------------------


def test_promtool_reads_every_query(tmp_path):
    if shutil.which("promtool") is None:
        pytest.skip("there is no promtool here: make deps")
    rules = [{"record": f"query_{i}", "expr": expanded(query)} for i, (_, query, _) in enumerate(PROMQL)]
    path = tmp_path / "queries.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": rules}]}))
    done = subprocess.run(["promtool", "check", "rules", path], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_metrics_of_the_queries_are_exported():
    listed = set(re.findall(r"^\| `(\w+)`", (CLONE / "docs" / "METRICS.md").read_text(), re.MULTILINE))
    named = {metric.removesuffix("_bucket") for _, query, _ in PROMQL for metric in re.findall(r"\b(?:highwater|process)_\w+", re.sub(r'"[^"]*"', "", query))}
    assert named <= listed


@pytest.fixture
def prometheus(area, logs):
    """A Prometheus of the test's own, with deploy/monitoring/prometheus.yml, which asks each second."""
    binary = shutil.which("prometheus")
    if binary is None:
        pytest.skip("there is no prometheus here: make deps")
    home = Path(tempfile.mkdtemp(dir=area, prefix="prometheus-"))
    port = free_port()
    program = Program("prometheus", [
        binary, f"--config.file={home}/prometheus.yml", f"--storage.tsdb.path={home}/data", f"--web.listen-address={LOOPBACK}:{port}",
    ], logs / "prometheus.log")

    def start(**ports: list[int]) -> tuple[Program, int]:
        config = yaml.safe_load((MONITORING / "prometheus.yml").read_text())
        config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
        for job in config["scrape_configs"]:
            targets = [f"{LOOPBACK}:{one}" for one in ports[job["job_name"].removeprefix("highwater-")]]
            job["static_configs"] = [{"targets": targets}]
        (home / "prometheus.yml").write_text(yaml.safe_dump(config))
        (home / "alerts.yml").write_text((MONITORING / "alerts.yml").read_text())
        program.start()
        return program, port

    yield start
    program.kill9()


def asked(port: int, path: str, **parameters: object) -> dict:
    with urllib.request.urlopen(f"http://{LOOPBACK}:{port}/api/v1/{path}?{urllib.parse.urlencode(parameters)}") as answer:
        said = json.load(answer)
    assert said["status"] == "success", said
    return said["data"]


@pytest.mark.faults
def test_a_prometheus_answers_every_query_and_no_alert_comes_of_an_idle_fleet(stack, prometheus):
    """Without a device, then with one; and with a second process of the same id, which waits."""
    collector = live(stack)
    waits_at = free_port()
    waits = stack.start_collector(metrics_listen=f"{LOOPBACK}:{waits_at}", log_name="waits")
    waits.wait_for_line("another|waits", 20)
    stack.start_httpapi()
    program, port = prometheus(collector=[stack.metrics_port, waits_at], httpapi=[stack.http_port])
    program.wait_for_line("Server is ready to receive web requests", 60)
    missing = set()

    def answered() -> bool:
        stack.publish(reading("d", now_us(), "ON", temperature=1.0), reading("d", now_us(), "ON"))
        stack.get("/dashboard?interval=past_hour&features=temperature")
        stack.get("/dashboard?interval=never")
        now = datetime.now().timestamp()
        missing.clear()
        for where, query, target in PROMQL:
            at = {"time": now} if target["instant"] else {"start": now - 30, "end": now, "step": "5s"}
            found = asked(port, "query" if target["instant"] else "query_range", query=expanded(query), **at)["result"]
            values = [value[1] for one in found for value in (one.get("values") or [one["value"]])]
            if not any(value != "NaN" for value in values) and not re.search("|".join(INSTALLED_ONLY_BY_SOME), query):
                missing.add(where)
        return not missing

    def alerts_of(seconds: int) -> list[str]:
        """Those that are firing or pending when it has looked for so long at what is as it is."""
        start = datetime.now().timestamp()
        until(lambda: asked(port, "query", query="min(timestamp(up))")["result"][0]["value"][1] > str(start + seconds), 60, "it looks", pause=0.5)
        rules = [rule for group in asked(port, "rules")["groups"] for rule in group["rules"]]
        assert len(rules) > 30 and {rule["health"] for rule in rules} == {"ok"}
        return [rule["name"] for rule in rules if rule["state"] != "inactive"]

    until(lambda: asked(port, "query", query="sum(up) == 3")["result"], 60, "all are scraped")
    assert alerts_of(10) == []
    until(answered, 120, f"every query has data: {missing}", pause=1)
    assert alerts_of(10) == []
    assert asked(port, "label/collector/values", **{"match[]": "highwater_build_info"}) == ["collector"]  # what $collector chooses from
    waits.kill9()
    collector.kill9()
    until(lambda: {"HighwaterDown", "HighwaterNoCollector"} <= {
        alert["labels"]["alertname"] for alert in asked(port, "alerts")["alerts"]}, 60, "its alerts are pending")
