"""httpapi beside nginx, and what its streams cost; devicesim beside the broker."""

from __future__ import annotations

import re
import resource
import subprocess
import time
from pathlib import Path

import visible
from ingest import TARGETS, Floods
from report import Section, at_least, at_most
from rig import (
    DEVICES,
    LOOPBACK,
    Figure,
    Rig,
    ServerError,
    cpu_s,
    free_port,
    has,
    last_json,
    number,
    percentile,
    rounds,
    say,
    until,
)

CLIENTS = 64
PATH = "/dashboard?interval=past_hour"
NGINX = """
worker_processes 1;
daemon off;
master_process off; # one process, so that none outlives it
pid {area}/nginx.pid;
error_log {area}/log/nginx.log;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    sendfile on;
    tcp_nopush on;
    keepalive_requests 100000000;
    open_file_cache max=10;
    default_type application/json;
    client_body_temp_path {area}/nginx-body;
    proxy_temp_path {area}/nginx-proxy;
    fastcgi_temp_path {area}/nginx-fastcgi;
    uwsgi_temp_path {area}/nginx-uwsgi;
    scgi_temp_path {area}/nginx-scgi;
    server {{ listen {address}; root {root}; }}
}}
"""


def wrk(port: int, path: str, clients: int, seconds: float) -> dict[str, float]:
    url = f"http://{LOOPBACK}:{port}{path}"
    argv = ["wrk", "-t", "1", "-c", clients, "-d", f"{max(1, round(seconds))}s", "--latency", url]
    done = subprocess.run([str(arg) for arg in argv], capture_output=True, text=True)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)
    p99 = re.search(r"^\s+99%\s+([\d.]+)(us|ms|s)", done.stdout, re.MULTILINE)
    if not rate or not p99 or "Non-2xx" in done.stdout:
        raise ServerError(f"wrk {url}:\n{done.stdout}{done.stderr}")
    unit = {"us": 1e-3, "ms": 1.0, "s": 1e3}[p99.group(2)]
    return {"per second": float(rate.group(1)), "p99 ms": float(p99.group(1)) * unit}


def http(rig: Rig, runs: int, seconds: float, half_rate: float) -> dict[str, dict[str, Figure]]:
    port, nginx_port, root = free_port(), free_port(), rig.area / "www"
    root.mkdir(exist_ok=True)
    config = rig.area / "nginx.conf"
    config.write_text(NGINX.format(area=rig.area, address=f"{LOOPBACK}:{nginx_port}", root=root))
    nginx = rig.program("nginx", ["/usr/sbin/nginx", "-c", config])
    with rig.database() as database, rig.broker() as broker, rig.collector(broker, database) as collector:
        program = visible.front_program(rig, broker, database, port)
        with rig.running(program), rig.running(nginx), rig.running(rig.devicesim(broker, "--num-devices", 15)):
            visible.wait_for_boards(port, program)
            status, body = visible.get(port, PATH)
            if status != 200:
                raise ServerError(f"GET {PATH}: {status}")
            (root / "dashboard.json").write_bytes(body)
            until(lambda: visible.get(nginx_port, "/dashboard.json")[0] == 200, 10, "nginx answers")
            results = rounds(
                "http",
                runs,
                {
                    "nginx": lambda: wrk(nginx_port, "/dashboard.json", CLIENTS, seconds),
                    "httpapi": lambda: wrk(port, PATH, CLIENTS, seconds),
                },
            )
            results["httpapi"]["bytes"] = Figure([len(body)])

        def ingest_rate(serves: bool) -> dict[str, float]:
            """Ingest at half of its most, with and without requests."""
            rate = ["--num-devices", DEVICES, "--connections", 4, "--rate", round(half_rate)]
            with rig.running(rig.devicesim(broker, *rate, "--duration", f"{seconds + 3:g}s")):
                time.sleep(1.5)
                before, began = collector.stored(), time.monotonic()
                if serves:
                    figures = wrk(port, PATH, 8, seconds)
                else:
                    figures = {}
                    time.sleep(max(1, round(seconds)))
                figures["ingest per second"] = (collector.stored() - before) / (time.monotonic() - began)
            return figures

        with rig.running(program):
            visible.wait_for_boards(port, program)
            busy = {"with": lambda: ingest_rate(True), "without": lambda: ingest_rate(False)}
            results.update(rounds("http beside ingest", max(1, runs // 2 + 1), busy))
    return results


def streams(rig: Rig, clients: int, probes: int) -> dict[str, Figure]:
    port = free_port()
    with rig.database() as database, rig.broker() as broker, rig.collector(broker, database):
        program = visible.front_program(rig, broker, database, port)
        with rig.running(program):
            visible.wait_for_boards(port, program)
            late = visible.fan_out(broker.port, port, clients, probes)
            rss = program.rss_kb() / 1024
    say(f"streams: {clients} clients, p99 {percentile(late, 0.99):.0f} ms, {rss:.1f} MB")
    return {"p50 ms": Figure([percentile(late, 0.5)]), "most ms": Figure([max(late)]), "RSS MB": Figure([rss])}


def http_section(results: dict[str, dict[str, Figure]], fan: dict[str, Figure], clients: int) -> Section:
    section = Section("HTTP", TARGETS)
    if results:
        ours, nginx = results["httpapi"]["per second"], results["nginx"]["per second"]
        ratio = ours.over(nginx)
        size = results["httpapi"]["bytes"].median
        section.add(
            f"GET /dashboard from boards, {size:,.0f} bytes, requests per second",
            ours.text(),
            f"nginx, the same bytes as a file: {nginx.text()}",
            ratio.text(),
            ">= 1.0",
            at_least(ratio.median, 1.0),
        )
        p99 = results["with"]["p99 ms"]
        section.add(
            "the same while ingest runs at half of its most, p99 ms",
            p99.text(),
            f"{results['with']['per second'].text()} requests per second",
            "",
            "< 5 ms",
            at_most(p99.median, 5),
        )
        busy, alone = results["with"]["ingest per second"], results["without"]["ingest per second"]
        ratio = busy.over(alone)
        section.add(
            "ingest meanwhile, readings per second",
            busy.text(),
            f"without requests: {alone.text()}",
            ratio.text(),
            ">= 0.9",
            at_least(ratio.median, 0.9),
        )
    if fan:
        section.add(
            f"publish to event, {clients:,} clients of /events, the last of them, ms",
            fan["most ms"].text(),
            f"the median one: {fan['p50 ms'].text()}",
            "",
            "<= 250 ms",
            at_most(fan["most ms"].median, 250),
        )
        section.add(
            f"resident memory of httpapi with {clients:,} clients, MB",
            fan["RSS MB"].text(),
            "",
            "",
            "<= 100 MB",
            at_most(fan["RSS MB"].median, 100),
        )
    section.notes.append(
        f"wrk, one thread, {CLIENTS} connections kept alive (8 beside ingest); nginx with one worker, a cache of open "
        "files and no access log."
    )
    return section


def fleet(rig: Rig, seconds: float) -> dict[str, Figure]:
    """10,000 devices with connections of their own, a reading a second each."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < DEVICES + 200:
        say(f"fleet: left out: only {hard} descriptors are allowed here")
        return {}
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # for the broker, which inherits it
    try:
        with rig.broker() as broker:
            with rig.running(rig.devicesim(broker, "--num-devices", DEVICES, "--interval", "1s..1s")) as sim:
                until(lambda: sim.fd_count() >= DEVICES, 60, "all devices are connected", pause=0.2)
                time.sleep(3)
                cpu, broker_cpu, began = cpu_s(sim.pid), cpu_s(broker.program.pid), time.monotonic()
                time.sleep(seconds)
                span = time.monotonic() - began
                share = (cpu_s(sim.pid) - cpu) / span * 100
                broker_share = (cpu_s(broker.program.pid) - broker_cpu) / span * 100
                rss = sim.rss_kb() / 1024
                sim.terminate(60)
                rate = last_json(sim)["ackedPerSecond"]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    say(f"fleet: {number(share)} % of a core, {number(rss)} MB, {number(rate)} acknowledged/s")
    return {"share": Figure([share]), "RSS MB": Figure([rss]), "broker": Figure([broker_share])}


def fleet_section(floods: Floods, figures: dict[str, Figure]) -> Section:
    section = Section("devicesim", TARGETS)
    if floods:
        ours, broker = floods["collector"]["devicesim us"], floods["collector"]["broker us"]
        ratio = ours.over(broker)
        section.add(
            "CPU per reading in the flood, us",
            ours.text(),
            f"the broker's: {broker.text()}",
            ratio.text(),
            "< 1",
            at_most(ratio.median, 1),
        )
    if figures:
        section.add(
            "10,000 connections, a reading a second each, % of a core",
            figures["share"].text(),
            f"the broker's: {figures['broker'].text()}",
            figures["share"].over(figures["broker"]).text(),
            "<= 50 %",
            at_most(figures["share"].median, 50),
        )
        section.add(
            "resident memory meanwhile, MB",
            figures["RSS MB"].text(),
            "",
            "",
            "<= 200 MB",
            at_most(figures["RSS MB"].median, 200),
        )
    return section


def is_here() -> bool:
    return has("wrk") and Path("/usr/sbin/nginx").exists()
