"""Counters and gauges, served as Prometheus' text, with /healthz and /readyz, by a thread of their own."""

from __future__ import annotations

import http.server
import logging
import threading
from collections.abc import Callable

PREFIX = "highwater_cassandra_"

METRICS = {
    "records_total": ("counter", "Records read from the topic."),
    "tombstones_total": ("counter", "Records without a value, which are passed over."),
    "rows_written_total": ("counter", "Rows that Cassandra has acknowledged; one that is read again is written again."),
    "rejected_total": ("counter", "Records that can never be written and are in the topic of the rejected, by reason."),
    "requests_total": ("counter", "Requests sent to Cassandra; each writes rows of one device and day."),
    "retries_total": ("counter", "Requests that failed and are made again, by error."),
    "missed_records_total": ("counter", "Records that were gone from the topic before they were read."),
    "rebalances_total": ("counter", "Times that partitions came or went."),
    "commits_total": ("counter", "Commits of offsets, by result: ok or failed."),
    "rows_waiting": ("gauge", "Rows read and not acknowledged yet."),
    "requests_in_flight": ("gauge", "Requests that are not answered yet."),
    "partitions": ("gauge", "Partitions of the topic that this member reads."),
    "lag_records": ("gauge", "Records behind the committed offset, by partition."),
    "up": ("gauge", "1 while rows are written, 0 while requests fail."),
}


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


class Metrics:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._values: dict[tuple[str, tuple[tuple[str, str], ...]], float] = {}
        for name in (
            "records_total",
            "tombstones_total",
            "rows_written_total",
            "requests_total",
            "missed_records_total",
            "rebalances_total",
        ):
            self.add(name, 0)
        for name in ("rows_waiting", "requests_in_flight", "partitions", "up"):
            self.set(name, 0)

    def add(self, name: str, count: float = 1, **labels: str) -> None:
        key = name, tuple(sorted(labels.items()))
        with self._lock:
            self._values[key] = self._values.get(key, 0) + count

    def set(self, name: str, value: float, **labels: str) -> None:
        assert name in METRICS
        with self._lock:
            self._values[name, tuple(sorted(labels.items()))] = value

    def drop(self, name: str) -> None:
        """All that it has by labels."""
        with self._lock:
            self._values = {key: value for key, value in self._values.items() if key[0] != name}

    def get(self, name: str, **labels: str) -> float:
        return self._values.get((name, tuple(sorted(labels.items()))), 0)

    def text(self) -> str:
        with self._lock:
            values = sorted(self._values.items())
        lines = []
        for name, (kind, help_text) in METRICS.items():
            lines += [f"# HELP {PREFIX}{name} {help_text}", f"# TYPE {PREFIX}{name} {kind}"]
            for (its_name, labels), value in values:
                if its_name == name:
                    inside = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels)
                    lines.append(f"{PREFIX}{name}{f'{{{inside}}}' if inside else ''} {value:.17g}")
        return "\n".join(lines) + "\n"


def serve(
    listen: tuple[str, int], metrics: Metrics, why_not_ready: Callable[[], str]
) -> http.server.ThreadingHTTPServer:
    """OSError when the address cannot be had. `why_not_ready` is empty when all is well."""
    is_loopback = listen[0] in ("127.0.0.1", "::1", "localhost")

    class Handler(http.server.BaseHTTPRequestHandler):
        timeout = 10  # a client that sends nothing holds a thread no longer
        server_version = "highwater"
        sys_version = ""

        def do_GET(self) -> None:
            host = (self.headers.get("Host") or "").rsplit(":", 1)[0].strip("[]")
            if is_loopback and host not in ("127.0.0.1", "localhost", "::1", ""):
                self._answer(403, "this Host is not served\n")  # a page that rebinds its name reads nothing here
            elif self.path == "/metrics":
                self._answer(200, metrics.text(), "text/plain; version=0.0.4; charset=utf-8")
            elif self.path == "/healthz":
                self._answer(200, "ok\n")
            elif self.path == "/readyz":
                reason = why_not_ready()
                self._answer(503 if reason else 200, f"{reason or 'ok'}\n")
            else:
                self._answer(404, "there are /metrics, /healthz and /readyz\n")

        def _answer(self, status: int, text: str, kind: str = "text/plain; charset=utf-8") -> None:
            body = text.encode(errors="backslashreplace")
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            logging.getLogger("highwater.metrics").debug(format, *args)

    class Server(http.server.ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            logging.getLogger("highwater.metrics").debug("a client went away", exc_info=True)

    server = Server((listen[0], listen[1]), Handler)
    threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()
    return server
