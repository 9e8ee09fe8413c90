#!/usr/bin/python3
"""Grafana's dashboards, made here: --write puts them into grafana/dashboards, as JSON.

Three files of a thousand lines each say everything several times over, and what differs by mistake hides among it. Here each panel
is a line or two, and its query stands where it can be read. Grafana 10 to 12 read what comes out (schemaVersion 38).
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

PLACE = Path(__file__).resolve().parent / "grafana" / "dashboards"
SQL, PROM = "postgres", "prometheus"  # the types of data sources; of a dashboard's variables, the names as well

# provisioning/datasources/highwater.yml makes them. Any other of the type can be chosen above each dashboard.
SOURCES = {SQL: "highwater-postgres", PROM: "highwater-prometheus"}

NAMES = {"fleet": "Fleet", "device": "One device", "system": "System"}


# --- Variables -------------------------------------------------------------------------------------


def source(kind: str) -> dict:
    return {"type": kind, "uid": f"${{{kind}}}"}


def source_variable(kind: str) -> dict:
    name = {SQL: "PostgreSQL", PROM: "Prometheus"}[kind]
    chosen = {"selected": True, "text": f"Highwater {name}", "value": SOURCES[kind]}
    return {"type": "datasource", "name": kind, "label": name, "query": kind, "current": chosen, "refresh": 1, "hide": 0}


def sql_variable(name: str, query: str, label: str) -> dict:
    return {"type": "query", "name": name, "label": label, "datasource": source(SQL), "query": query,
            "refresh": 2, "sort": 0, "multi": False, "includeAll": False}


def collector_variable() -> dict:
    query = "label_values(highwater_build_info, collector)"
    return {"type": "query", "name": "collector", "label": "Collector", "datasource": source(PROM),
            "query": {"qryType": 1, "query": query, "refId": "collectors"}, "refresh": 2, "sort": 1,
            "multi": True, "includeAll": True, "allValue": ".*", "current": {"selected": True, "text": ["All"], "value": ["$__all"]}}


def custom_variable(name: str, label: str, options: dict[str, str]) -> dict:
    made = [{"selected": i == 0, "text": text, "value": value} for i, (text, value) in enumerate(options.items())]
    return {"type": "custom", "name": name, "label": label, "options": made, "current": made[0], "multi": False, "includeAll": False,
            "query": ", ".join(f"{text} : {value}" for text, value in options.items())}


FEATURE = sql_variable("feature", "SELECT f FROM features_of('readings') f ORDER BY 1", "Feature")
DEVICE = sql_variable("device", "SELECT device_id FROM devices WHERE device_id LIKE '$__searchFilter' ORDER BY device_id LIMIT 500", "Device")
INTERVAL = custom_variable("interval", "Interval", {"past minute": "1 minute", "past hour": "1 hour", "past day": "1 day", "all time": "all"})
ORDER = custom_variable("order", "Order", {"highest first": "desc", "lowest first": "asc"})


# --- Panels ----------------------------------------------------------------------------------------


def sql(query: str, is_series: bool = False) -> dict:
    return {"datasource": source(SQL), "rawSql": " ".join(query.split()), "rawQuery": True, "editorMode": "code",
            "format": "time_series" if is_series else "table"}


def prom(expression: str, name: str = "__auto", is_instant: bool = False) -> dict:
    return {"datasource": source(PROM), "expr": " ".join(expression.split()), "legendFormat": name, "editorMode": "code",
            "range": not is_instant, "instant": is_instant}


def panel(kind: str, title: str, size: tuple[int, int], *targets: dict, unit: str = "short", says: str = "", options: dict | None = None,
          custom: dict | None = None, overrides: list | None = None, **more: object) -> dict:
    return {
        "type": kind, "title": title, "description": says, "gridPos": {"w": size[0], "h": size[1]},
        "datasource": targets[0]["datasource"], "targets": [{"refId": chr(ord("A") + i), **target} for i, target in enumerate(targets)],
        "fieldConfig": {"defaults": {"unit": unit, "custom": custom or {}, **more}, "overrides": overrides or []},
        "options": options or {},
    }


def lines(title: str, size: tuple[int, int], *targets: dict, **more: object) -> dict:
    options = {"legend": {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []}, "tooltip": {"mode": "multi", "sort": "desc"}}
    custom = {"drawStyle": "line", "lineWidth": 1, "fillOpacity": 10, "showPoints": "never", "spanNulls": False}
    made = panel("timeseries", title, size, *targets, options=options, custom=custom, **more)
    return made | {"interval": "10s"}  # no step is shorter: the fleet's sums are those of ten seconds


def number(title: str, size: tuple[int, int], *targets: dict, bad_from: float | None = None, bad_below: float | None = None, **more: object) -> dict:
    options = {"colorMode": "value", "graphMode": "none", "justifyMode": "auto", "orientation": "auto", "textMode": "auto", "wideLayout": True, "showPercentChange": False,
               "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False}}
    steps: list[dict] = [{"color": "text", "value": None}]
    if bad_from is not None:
        steps = [{"color": "green", "value": None}, {"color": "red", "value": bad_from}]
    if bad_below is not None:
        steps = [{"color": "red", "value": None}, {"color": "green", "value": bad_below}]
    return panel("stat", title, size, *targets, options=options, thresholds={"mode": "absolute", "steps": steps}, **more)


def rows(title: str, size: tuple[int, int], *targets: dict, **more: object) -> dict:
    options = {"showHeader": True, "cellHeight": "sm", "frameIndex": 0}
    return panel("table", title, size, *targets, options=options, custom={"align": "auto", "cellOptions": {"type": "auto"}, "inspect": False}, **more)


def shares(title: str, size: tuple[int, int], *targets: dict, **more: object) -> dict:
    options = {"pieType": "donut", "displayLabels": ["percent"], "tooltip": {"mode": "single", "sort": "none"},
               "legend": {"displayMode": "table", "placement": "right", "showLegend": True, "values": ["value"], "calcs": []},
               "reduceOptions": {"calcs": ["lastNotNull"], "fields": "/^readings$/", "values": True}}
    return panel("piechart", title, size, *targets, options=options, **more)


def links_to_device(column: str) -> list[dict]:
    link = {"title": "One device", "url": "/d/highwater-device?var-device=${__value.raw:percentencode}&${__url_time_range}"}
    return [{"matcher": {"id": "byName", "options": column}, "properties": [{"id": "links", "value": [link]}]}]


def dashboard(name: str, variables: list[dict], panels: list[dict], since: str) -> dict:
    """Panels flow from left to right, a row as high as its first."""
    x = y = height = 0
    for number_, one in enumerate(panels, 1):
        place = one["gridPos"]
        if x + place["w"] > 24:
            x, y, height = 0, y + height, 0
        one["gridPos"] = {"h": place["h"], "w": place["w"], "x": x, "y": y}
        one["id"] = number_
        x, height = x + place["w"], max(height, place["h"])
    links = [{"type": "dashboards", "title": "Highwater", "tags": ["highwater"], "asDropdown": False, "icon": "external link", "includeVars": True,
              "keepTime": True, "targetBlank": False, "tooltip": "", "url": ""}]
    return {
        "uid": f"highwater-{name}", "title": f"Highwater: {NAMES[name]}", "tags": ["highwater"], "schemaVersion": 38, "version": 1,
        "editable": True, "graphTooltip": 1, "refresh": "10s", "time": {"from": f"now-{since}", "to": "now"}, "timezone": "browser",
        "annotations": {"list": []}, "links": links, "templating": {"list": variables}, "panels": panels,
    }


# --- Fleet -----------------------------------------------------------------------------------------

# Sums of ten seconds, with those that transactions of the last minute left and nobody has folded in yet.
TEN_SECONDS = """(SELECT bucket, {columns} FROM rollup_fleet WHERE $__timeFilter(bucket)
    UNION ALL SELECT bucket, {columns} FROM rollup_fleet_log WHERE $__timeFilter(bucket)) s"""


def fleet() -> dict:
    statuses = "readings, status_on, status_off, status_active, status_inactive"
    return dashboard("fleet", [source_variable(SQL), source_variable(PROM), FEATURE, INTERVAL, ORDER, collector_variable()], [
        number("Devices", (4, 4), sql("SELECT count(*) AS devices FROM devices"), says="Every device that ever sent a reading."),
        number("Silent for an hour", (4, 4), prom('sum(highwater_devices_silent{for="1h", collector=~"$collector"})', is_instant=True), bad_from=1),
        number("Readings a second", (4, 4), prom('sum(rate(highwater_readings_stored_total{collector=~"$collector"}[$__rate_interval]))'), unit="short"),
        number("Rejected in the last hour", (4, 4), prom('sum(increase(highwater_readings_rejected_total{collector=~"$collector"}[1h]))', is_instant=True),
               bad_from=1, decimals=0),
        number("Collectors ready", (4, 4), prom('sum(highwater_ready{collector=~"$collector"})', is_instant=True), bad_below=1),
        number("Newest commit", (4, 4), prom('max(highwater_last_commit_timestamp_seconds{collector=~"$collector"}) * 1000', is_instant=True), unit="dateTimeFromNow"),

        rows("Board of $feature, $interval", (10, 12), sql("""
            SELECT b.device_id AS "device", (b.best).value AS "$feature", (b.best).recorded_at AS "recorded"
            FROM board_of('$feature', '$order', coalesce(now() - nullif('$interval', 'all')::interval, '-infinity'), 20) b"""),
             says="The best reading of each device, as httpapi and the page have it.", overrides=links_to_device("device")),
        lines("$feature of the fleet", (14, 12), sql(f"""
            SELECT $__timeGroupAlias(bucket, $__interval), min(low) AS "lowest", sum(total) / nullif(sum(n), 0) AS "mean", max(high) AS "highest"
            FROM {TEN_SECONDS.format(columns='"${feature}_count" AS n, "${feature}_sum" AS total, "${feature}_min" AS low, "${feature}_max" AS high')}
            GROUP BY 1 ORDER BY 1""", is_series=True)),

        lines("Readings a second", (14, 9), sql(f"""
            SELECT $__timeGroupAlias(bucket, $__interval), sum(readings) * 1000.0 / $__interval_ms AS "readings a second"
            FROM {TEN_SECONDS.format(columns="readings")} GROUP BY 1 ORDER BY 1""", is_series=True), says="By when they were recorded."),
        shares("Statuses", (10, 9), sql("""
            SELECT coalesce(status, 'none') AS "status", readings FROM fleet_histogram($__timeFrom()::timestamptz, $__timeTo()::timestamptz)
            ORDER BY 2 DESC"""), says="Of all readings in this time."),

        lines("Silent devices", (12, 9), prom('sum by (for) (highwater_devices_silent{collector=~"$collector"})', "for {{for}}"),
              prom('sum(highwater_devices_heard{collector=~"$collector"})', "devices")),
        lines("Statuses a second", (12, 9), sql(f"""
            SELECT $__timeGroupAlias(bucket, $__interval), sum(status_on) * 1000.0 / $__interval_ms AS "ON", sum(status_off) * 1000.0 / $__interval_ms AS "OFF",
                   sum(status_active) * 1000.0 / $__interval_ms AS "ACTIVE", sum(status_inactive) * 1000.0 / $__interval_ms AS "INACTIVE"
            FROM {TEN_SECONDS.format(columns=statuses)} GROUP BY 1 ORDER BY 1""", is_series=True)),

        rows("Newest devices", (8, 9), sql('SELECT device_id AS "device", first_seen_at AS "first seen" FROM devices ORDER BY id DESC LIMIT 20'),
             overrides=links_to_device("device")),
        rows("Numbers that never came", (8, 9), sql("""
            SELECT d.device_id AS "device", s.missing, s.repeats, s.restarts FROM device_sequences s JOIN devices d ON d.id = s.device
            WHERE s.missing > 0 ORDER BY s.missing DESC LIMIT 20"""), says="Of devices that number their readings.", overrides=links_to_device("device")),
        rows("Rejected of late", (8, 9), sql("""
            SELECT received_at AS "received", reason, topic, detail FROM rejected_messages WHERE $__timeFilter(received_at)
            ORDER BY received_at DESC, id DESC LIMIT 20""")),
    ], since="1h")


# --- One device ------------------------------------------------------------------------------------

OF_DEVICE = "device_id = ${device:sqlstring}"


def device() -> dict:
    whole = f"FROM devices d, device_spans(ARRAY[d.id]) s WHERE d.{OF_DEVICE}"
    return dashboard("device", [source_variable(SQL), DEVICE, FEATURE], [
        number("Newest reading", (6, 4), sql(f"SELECT extract(epoch FROM s.last_at) * 1000 AS newest {whole}"), unit="dateTimeFromNow"),
        number("Oldest reading", (6, 4), sql(f"SELECT extract(epoch FROM s.first_at) * 1000 AS oldest {whole}"), unit="dateTimeFromNow"),
        number("Readings, ever", (6, 4), sql(f"SELECT s.readings {whole}")),
        number("$feature, highest ever", (6, 4), sql(f"""
            SELECT p.value FROM devices d JOIN peaks p ON p.device = d.id
            WHERE d.{OF_DEVICE} AND p.feature = '$feature' AND p.sort_order = 'desc'"""), unit="none"),

        lines("$feature of $device", (24, 11), sql(f"""
            SELECT p.at AS time, p.lowest[1] AS "lowest", p.mean[1] AS "mean", p.highest[1] AS "highest"
            FROM devices d, device_points(d.id, $__timeFrom()::timestamptz, $__timeTo()::timestamptz, 500, ARRAY['$feature']) p
            WHERE d.{OF_DEVICE} AND p.at IS NOT NULL ORDER BY 1""", is_series=True),
              says="Every peak shows: 500 steps at most, each with its lowest, mean and highest value. Old hours come out of rollups.", unit="none"),

        lines("Readings", (16, 9), sql(f"""
            SELECT p.at AS time, p.readings AS "readings"
            FROM devices d, device_points(d.id, $__timeFrom()::timestamptz, $__timeTo()::timestamptz, 100, ARRAY['$feature']) p
            WHERE d.{OF_DEVICE} AND p.at IS NOT NULL ORDER BY 1""", is_series=True), says="In each of 100 steps."),
        shares("Statuses", (8, 9), sql("""
            SELECT coalesce(status, 'none') AS "status", readings
            FROM device_histogram(${device:sqlstring}, $__timeFrom()::timestamptz, $__timeTo()::timestamptz) ORDER BY 2 DESC"""), says="Of its readings in this time."),

        rows("Newest readings", (16, 10), sql(f"""
            SELECT p.recorded_at AS "recorded", p.received_at AS "received", (ARRAY['ON', 'OFF', 'ACTIVE', 'INACTIVE'])[p.status] AS "status",
                   p.seq AS "number", p."$feature"
            FROM devices d, device_page(d.id, $__timeFrom()::timestamptz, $__timeTo()::timestamptz, true, 100) p WHERE d.{OF_DEVICE}""")),
        rows("Numbers", (8, 10), sql(f"""
            SELECT s.highest, s.highest_at AS "at", s.missing, s.repeats, s.restarts
            FROM devices d JOIN device_sequences s ON s.device = d.id WHERE d.{OF_DEVICE}"""), says="If it numbers its readings."),
        rows("By hour", (24, 9), sql(f"""
            SELECT h.hour, h.readings, h."${{feature}}_min" AS "lowest", h."${{feature}}_mean" AS "mean", h."${{feature}}_max" AS "highest"
            FROM hours_between(${{device:sqlstring}}, $__timeFrom()::timestamptz, $__timeTo()::timestamptz) h ORDER BY 1 DESC LIMIT 200"""), says="Hours that are over."),
    ], since="6h")


# --- System ----------------------------------------------------------------------------------------

OURS = 'collector=~"$collector"'


def rate(metric: str, labels: str = OURS) -> str:
    return f"rate({metric}{{{labels}}}[$__rate_interval])"


def quantile(share: float, metric: str, labels: str = OURS, by: str = "collector") -> str:
    return f"histogram_quantile({share}, sum by (le, {by}) ({rate(metric + '_bucket', labels)}))"


def system() -> dict:
    c, by = "{{collector}}", "sum by (collector) "
    return dashboard("system", [source_variable(SQL), source_variable(PROM), collector_variable()], [
        number("Collectors", (6, 4), prom(f"max by (collector) (highwater_ready{{{OURS}}})", c, is_instant=True), bad_below=1,
               mappings=[{"type": "value", "options": {"0": {"text": "not ready"}, "1": {"text": "ready"}}}]),
        number("httpapi", (6, 4), prom("highwater_httpapi_ready", "{{instance}}", is_instant=True), bad_below=1,
               mappings=[{"type": "value", "options": {"0": {"text": "not ready"}, "1": {"text": "ready"}}}]),
        number("Alerts", (6, 4), prom('count(ALERTS{alertname=~"Highwater.*", alertstate="firing"}) or vector(0)', is_instant=True), bad_from=1),
        number("Versions", (6, 4), prom("count by (version) (highwater_build_info or highwater_httpapi_build_info)", "{{version}}", is_instant=True)),

        lines("Readings a second", (12, 9), prom(by + f"({rate('highwater_readings_received_total')})", f"received, {c}"),
              prom(by + f"({rate('highwater_readings_stored_total')})", f"stored, {c}"),
              prom(by + f"({rate('highwater_readings_duplicate_total')})", f"duplicate, {c}")),
        lines("Rejected a second", (12, 9), prom(f"sum by (reason) ({rate('highwater_readings_rejected_total')})", "{{reason}}"), says="docs/REJECTED.md has each reason."),
        lines("From arrival to commit", (8, 9), prom(quantile(0.5, "highwater_arrival_to_commit_seconds"), f"p50, {c}"),
              prom(quantile(0.99, "highwater_arrival_to_commit_seconds"), f"p99, {c}"), unit="s"),
        lines("A commit", (8, 9), prom(quantile(0.5, "highwater_commit_duration_seconds"), f"p50, {c}"),
              prom(quantile(0.99, "highwater_commit_duration_seconds"), f"p99, {c}"), unit="s"),
        lines("Readings of a batch", (8, 9), prom(quantile(0.5, "highwater_batch_readings"), f"p50, {c}"),
              prom(quantile(0.99, "highwater_batch_readings"), f"p99, {c}")),
        lines("Oldest uncommitted reading", (8, 9), prom(f"highwater_oldest_uncommitted_seconds{{{OURS}}}", c), unit="s"),
        lines("Received and not committed", (8, 9), prom(f"highwater_readings_in_flight{{{OURS}}}", c)),
        lines("Age of boards", (8, 9), prom(f"timestamp(highwater_boards_as_of_seconds{{{OURS}}}) - highwater_boards_as_of_seconds{{{OURS}}}", c), unit="s"),

        lines("The broker keeps", (8, 9), prom(f"highwater_broker_queued_messages{{{OURS}}}", f"queued messages, {c}"),
              prom(f"highwater_broker_retained_messages{{{OURS}}}", f"retained messages, {c}")),
        lines("The broker keeps, in bytes", (8, 9), prom(f"highwater_broker_stored_bytes{{{OURS}}}", c), unit="bytes"),
        lines("The broker dropped", (8, 9), prom(f"increase(highwater_broker_dropped_messages_total{{{OURS}}}[$__rate_interval])", c)),

        lines("On the database's disk", (12, 9), prom(f"max by (what) (highwater_disk_bytes{{{OURS}}})", "{{what}}"), unit="bytes"),
        lines("Rollups are behind", (12, 9), prom(f"timestamp(highwater_rollup_timestamp_seconds{{{OURS}}}) - highwater_rollup_timestamp_seconds{{{OURS}}}", c), unit="s"),
        lines("Sums to be folded in", (8, 9), prom(f"max(highwater_rollup_late_rows{{{OURS}}})", "late"),
              prom(f"max(highwater_rollup_fleet_log_rows{{{OURS}}})", "of the fleet")),
        number("Partitions", (4, 9), prom(f"max(highwater_partitions{{{OURS}}})", is_instant=True)),
        number("The oldest begins", (4, 9), prom(f"min(highwater_oldest_partition_timestamp_seconds{{{OURS}}}) * 1000", is_instant=True), unit="dateTimeAsIso"),
        rows("Partitions", (8, 9), sql("""
            SELECT name, starts_at AS "from", ends_at AS "until", pg_total_relation_size(to_regclass(name)) AS "size"
            FROM reading_partitions ORDER BY starts_at DESC LIMIT 50"""),
             overrides=[{"matcher": {"id": "byName", "options": "size"}, "properties": [{"id": "unit", "value": "bytes"}]}]),

        lines("Days that wait to be packed", (8, 9), prom(f"max(highwater_packing_waiting{{{OURS}}})", "waiting"),
              prom(f"max(highwater_packing_progress_ratio{{{OURS}}})", "of the present one, done")),
        lines("Readings packed a second", (8, 9), prom(f"sum(rate(highwater_readings_packed_total{{{OURS}}}[$__rate_interval]))", "packed")),
        lines("Packed readings", (8, 9), prom(f"max(highwater_packed_readings{{{OURS}}})", "packed"),
              prom(f"max(highwater_packing_late_readings{{{OURS}}})", "late, to be merged")),

        lines("Requests a second", (8, 9), prom("sum by (route) (rate(highwater_httpapi_requests_total[$__rate_interval]))", "{{route}}")),
        lines("Answers are not 200 or 304", (8, 9), prom('sum by (code) (rate(highwater_httpapi_requests_total{code!~"200|204|304"}[$__rate_interval]))', "{{code}}")),
        lines("Duration, p99", (8, 9), prom(quantile(0.99, "highwater_httpapi_request_duration_seconds", 'route!="/events"', "route"), "{{route}}"), unit="s"),
        lines("Answers come from", (8, 9), prom("sum by (source) (rate(highwater_httpapi_answers_total[$__rate_interval]))", "{{source}}")),
        lines("Queries that wait", (8, 9), prom("highwater_httpapi_database_waiting", "waiting, {{instance}}"),
              prom("highwater_httpapi_database_connections_busy", "under way, {{instance}}")),
        lines("Clients", (8, 9), prom("highwater_httpapi_connections", "connections, {{instance}}"), prom("highwater_httpapi_event_streams", "streams of events, {{instance}}")),

        lines("Memory", (8, 9), prom('process_resident_memory_bytes{job=~"highwater-.*"}', "{{job}}, {{instance}}"), unit="bytes"),
        lines("CPU", (8, 9), prom('rate(process_cpu_seconds_total{job=~"highwater-.*"}[$__rate_interval])', "{{job}}, {{instance}}"), unit="percentunit"),
        lines("Open descriptors", (8, 9), prom('process_open_fds{job=~"highwater-.*"}', "{{job}}, {{instance}}")),

        lines("Kafka: records that are not stored", (12, 9), prom(f"sum by (topic, partition) (highwater_kafka_lag_records{{{OURS}}})", "{{topic}} {{partition}}"),
              says="With a collector that reads a topic."),
        lines("Redis: boards that it lacks", (12, 9), prom(f"highwater_redis_lacking{{{OURS}}}", c), says="With REDIS_URL."),
    ], since="1h")


def made() -> dict[Path, str]:
    return {PLACE / f"highwater-{one.__name__}.json": json.dumps(one(), indent=1) + "\n" for one in (fleet, device, system)}


if __name__ == "__main__":
    if sys.argv[1:] != ["--write"]:
        sys.exit("dashboards.py --write")
    PLACE.mkdir(parents=True, exist_ok=True)
    for path, text in made().items():
        path.write_text(text)
