"""`make run-production`: who may do what, tried by those who may not."""

from __future__ import annotations

import base64
import contextlib
import os
import re
import shutil
import signal
import ssl
import subprocess
import tempfile
import threading
import urllib.error
import urllib.request
from pathlib import Path

import psycopg2
import pytest
from conftest import BUILD_DIR, CLONE
from guarded import Authority
from production_client import Client
from servers import LOOPBACK, Program, free_port, port_is_free, until

pytestmark = pytest.mark.skipif(BUILD_DIR != CLONE / "build", reason="make run-production is for the release")

PORTS = ("HTTP_PORT", "METRICS_PORT", "PGPORT_PRIVATE", "MQTT_PORT", "MQTTS_PORT", "HTTPS_PORT")
NEW_DEVICE = "device_of_another"


class ProcessList:
    """Every command line that shows up, as whoever has a shell on the machine may see it.

    Commands that are over before one looks are found through PATH, so `path` has others of their names, which tell.
    """

    def __init__(self, folder: Path) -> None:
        self.seen: set[bytes] = set()
        self._told = folder / "told"
        folder.mkdir(mode=0o755)
        for name in ("mosquitto_passwd", "openssl", "base64", "paste", "grep", "sort"):
            command = folder / name
            command.write_text(f"#!/bin/sh\nprintf '%s\\n' {name} \"$@\" >> {self._told}\nexec {shutil.which(name)} \"$@\"\n")
            command.chmod(0o755)
        self.path = f"{folder}:{os.environ['PATH']}"
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def _look(self) -> None:
        while not self._ends.is_set():
            for entry in os.scandir("/proc"):
                if entry.name.isdigit():
                    with contextlib.suppress(OSError):
                        self.seen.add(Path(entry.path, "cmdline").read_bytes())
            self._ends.wait(0.002)

    def all(self) -> bytes:
        return b"\n".join(self.seen) + self._told.read_bytes()

    def close(self) -> None:
        self._ends.set()
        self._thread.join()


class Production:
    def __init__(self, home: Path) -> None:
        self.ports = {name: free_port() for name in PORTS}
        self.folder = home / "production"
        self.processes = ProcessList(home / "commands")
        env = {**os.environ, **{name: str(port) for name, port in self.ports.items()}, "HIGHWATER_HOME": str(home), "PATH": self.processes.path}
        argv = ["/usr/bin/python3", CLONE / "deploy/local/production.py"]
        self.run = Program("run-production", argv, home / "run.log", env=env)
        self.ca_file = self.folder / "tls/ca.crt"

    def secret(self, name: str) -> str:
        return (self.folder / "secrets" / name).read_text()

    def secrets(self) -> set[str]:
        """All words that nobody else is to see, and what a browser makes of its own."""
        files = [path.name for path in (self.folder / "secrets").glob("*-*") if not path.name.startswith(("pgpass", "metrics-header"))]
        words = {self.secret(name) for name in files}
        words |= {line.partition(":")[2] for line in self.secret("devices").split()}
        return words | {base64.b64encode(f"anna:{self.secret('page-anna')}".encode()).decode()}

    def log(self, name: str) -> str:
        return (self.folder / f"log/{name}.log").read_text(errors="replace")

    def url(self, user: str, sslmode: str = "verify-full", passfile: str | None = None) -> str:
        passfile = passfile or str(self.folder / f"secrets/pgpass-{user}")
        return f"postgresql://{user}@localhost:{self.ports['PGPORT_PRIVATE']}/highwater?sslmode={sslmode}&sslrootcert={self.ca_file}&passfile={passfile}"

    def sql(self, statement: str, user: str = "highwater_reader") -> list[tuple]:
        connection = psycopg2.connect(self.url(user))
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute(statement)
                return cursor.fetchall()
        finally:
            connection.close()

    def service(self, user: str, client_id: str = "") -> Client:
        return Client(self.ports["MQTT_PORT"], user, self.secret(f"broker-{user}"), client_id)

    def device(self, name: str, password: str, client_id: str = "") -> Client:
        return Client(self.ports["MQTTS_PORT"], name, password, client_id, self.ca_file)

    def get(self, path: str, password: str | None = None) -> tuple[int, bytes]:
        request = urllib.request.Request(f"https://localhost:{self.ports['HTTPS_PORT']}{path}")
        if password is not None:
            request.add_header("Authorization", "Basic " + base64.b64encode(f"anna:{password}".encode()).decode())
        try:
            with urllib.request.urlopen(request, context=ssl.create_default_context(cafile=self.ca_file)) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()


@pytest.fixture(scope="module")
def production(area):
    """It runs, and has shown data through nginx; at its end it stops all that it started."""
    home = Path(tempfile.mkdtemp(dir=area, prefix="production-"))
    home.chmod(0o755)
    made = Production(home)
    made.run.start()
    made.run.wait_for_line("Ctrl-C stops everything", 90)
    yield made
    made.processes.close()
    made.run.signal(signal.SIGINT)
    assert made.run.wait(60) == 0, made.run.tail()
    assert made.run.output().rstrip().endswith("stopped")
    assert all(map(port_is_free, made.ports.values()))


@pytest.fixture(scope="module")
def intruder(production):
    """(name, password) of one more device, made as an operator does: no restart, and the broker knows it."""
    users = production.folder / "broker/highwater.passwords"
    done = subprocess.run([CLONE / "deploy/production/make-passwords", users, NEW_DEVICE], capture_output=True, text=True, check=True)
    name, _, password = done.stdout.strip().partition(":")
    config = str(production.folder / "broker/mosquitto.conf").encode()
    broker = next(int(path.parent.name) for path in Path("/proc").glob("[0-9]*/cmdline") if config in path.read_bytes())
    os.kill(broker, signal.SIGHUP)
    until(lambda: not is_refused(production, name, password), what="the broker knows the new user")
    return name, password


@contextlib.contextmanager
def connected(client):
    assert not client.refused
    yield client
    client.close()


def is_refused(production, user, password):
    client = production.device(user, password)
    client.close()
    return client.refused


@pytest.fixture
def device(production, intruder):
    with connected(production.device(*intruder)) as client:
        yield client


@pytest.fixture
def operator(production):
    with connected(production.service("operator")) as client:
        yield client


def links(production):
    """How the collector's connections to the broker have come and gone."""
    return re.findall(r".* mqtt.* -> .*", production.log("collector"))


def sent_and_heard(device, operator, payload=b'{"temperature":1}'):
    """The device's own reading arrives, and so everything that it was allowed to send before."""
    device.publish(f"devices/{NEW_DEVICE}/readings", payload)
    until(lambda: payload in operator.heard(f"devices/{NEW_DEVICE}/readings"), what="its own reading")


def test_a_device_publishes_as_itself_only(production, intruder, operator):
    operator.subscribe("#", "$SYS/broker/x", "$CONTROL/#")
    before = links(production)
    forged = b'{"temperature":1e9,"forged":true}'
    topics = ["devices/device_1/readings", "devices/collector/readings", f"devices/{NEW_DEVICE}/readings/x", f"devices/{NEW_DEVICE}",
              "collectors/collector/boards/temperature/past_minute", "collectors/collector/status", "collectors/collector/marker",
              "collectors/collector/rejected", f"collectors/{NEW_DEVICE}/status", "spBv1.0/STATE/highwater-collector",
              "$SYS/broker/x", "$CONTROL/dynamic-security/v1", "anything"]  # fmt: skip
    for topic in topics:
        with connected(production.device(*intruder)) as forger:
            forger.publish(topic, forged, retain=True)
    with connected(production.device(*intruder)) as device:
        sent_and_heard(device, operator)
    assert not [topic for topic, payload in operator.received if payload == forged]
    assert links(production) == before and "forged" not in production.log("collector")


def test_a_device_hears_nothing_of_others(production, device, operator):
    operator.subscribe("devices/+/readings", "collectors/#")
    device.subscribe("#")
    device.subscribe("devices/+/readings", "$share/all/devices/+/readings", f"devices/{NEW_DEVICE}/readings")
    device.subscribe("collectors/#", "$SYS/#", "$CONTROL/#")
    until(lambda: {topic.split("/")[0] for topic, _ in operator.received} == {"devices", "collectors"}, 30)
    sent_and_heard(device, operator)
    assert device.received == []


def test_a_device_is_its_user_whatever_client_id_it_says(production, intruder, operator):
    operator.subscribe("devices/+/readings")
    ours = set(re.findall(r"as (highwater-\S+)", production.log("collector")))
    assert len(ours) == 2
    before = links(production)
    for number, client_id in enumerate((*ours, "device_1")):
        with connected(production.device(*intruder, client_id)) as client:
            sent_and_heard(client, operator, b'{"temperature":%d}' % number)
    assert links(production) == before
    said = production.log("broker")
    assert f"as {NEW_DEVICE} (" in said and not re.search(r"Client (?!" + NEW_DEVICE + r")\S+ already connected", said)


def test_who_is_nobody_is_refused(production, intruder):
    name, password = intruder
    for user, word in (("", ""), (name, "wrong"), (name, ""), ("device_1", password), ("nobody", password)):
        assert is_refused(production, user, word), user
    for user in ("", "nobody"):
        assert Client(production.ports["MQTT_PORT"], user, "x").refused
    another = Authority(production.folder.parent / "another-authority")
    with pytest.raises(ssl.SSLError):
        Client(production.ports["MQTTS_PORT"], name, password, ca_file=another.ca_file)


def test_collector_and_httpapi_may_what_they_need_and_no_more(production, operator):
    operator.subscribe("#")
    for user in ("collector", "httpapi"):
        service = production.service(user, f"another-{user}")
        for topic in ("devices/device_1/readings", "collectors/other/status", "anything"):
            with connected(production.service(user, f"forging-{user}")) as forger:
                forger.publish(topic, b"forged")
        service.subscribe("#" if user == "collector" else "devices/+/readings", "$CONTROL/#")
        service.publish(f"devices/{user}/readings", b"last")  # as a device of its name, which does no harm
        until(lambda: operator.heard(f"devices/{user}/readings"))
        assert not [topic for topic, _ in service.received if topic.startswith("devices/") and user == "httpapi"]
        service.close()
    assert not [topic for topic, payload in operator.received if payload == b"forged"]


def test_httpapis_role_can_only_read(production):
    tables = production.sql(
        "SELECT relname, CASE relkind WHEN 'S' THEN has_sequence_privilege(oid, 'SELECT') ELSE has_table_privilege(oid, 'SELECT') END,"
        " CASE relkind WHEN 'S' THEN has_sequence_privilege(oid, 'USAGE, UPDATE')"
        " ELSE has_table_privilege(oid, 'INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER') END"
        " FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'S', 'f')"
    )
    assert {"readings", "devices", "rejected_messages", "heartbeat"} <= {name for name, _, _ in tables}
    assert [row for row in tables if row[1:] != (True, False)] == []
    assert production.sql(
        "SELECT has_schema_privilege('public', 'CREATE'), has_database_privilege(current_database(), 'CREATE, TEMP'),"
        " rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication OR rolbypassrls FROM pg_roles WHERE rolname = current_user"
    ) == [(False, False, False)]
    assert production.sql("SELECT count(*) FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND prosecdef") == [(0,)]


@pytest.mark.parametrize("statement", [
    "SELECT readings_remove((SELECT min(device_id) FROM devices), '2020-01-01Z', now())",
    "SELECT device_remove((SELECT min(device_id) FROM devices))",
    "SELECT rollup_rebuild('2020-01-01', now())",
    "UPDATE installation SET id = DEFAULT",
    "CREATE TEMPORARY TABLE mine (n int)",
    "CREATE TABLE mine (n int)",
    "ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT ALL ON TABLES TO PUBLIC; SET ROLE highwater",
])  # fmt: skip
def test_httpapis_role_cannot_write_though_it_may_begin_to(production, statement):
    """It is read-only by default; this takes that off first, which anybody may."""
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        production.sql(f"SET default_transaction_read_only = off; COMMIT; BEGIN; {statement}")


def test_postgres_wants_passwords_and_tls(production):
    (hashed,) = {word[:14] for (word,) in production.sql("SELECT rolpassword FROM pg_authid WHERE rolname LIKE 'highwater%r%' AND rolpassword IS NOT NULL", "postgres")}
    assert hashed == "SCRAM-SHA-256$"
    for url in (production.url("highwater", passfile="/dev/null"), production.url("highwater", sslmode="disable"),
                production.url("highwater-httpapi", passfile="/dev/null"),
                production.url("highwater_reader").replace("/highwater?", "/postgres?")):  # fmt: skip
        with pytest.raises(psycopg2.OperationalError):
            psycopg2.connect(url).close()


@pytest.mark.parametrize("program, role", [("collector", "highwater"), ("httpapi", "highwater_reader")])
def test_check_finds_nothing_wrong(production, program, role):
    settings = {
        "DATABASE_URL": production.url(role).partition("&passfile")[0],
        "DATABASE_PASSWORD_FILE": production.folder / f"secrets/database-{role}",
        "MQTT_URL": f"mqtt://{program}@{LOOPBACK}:{production.ports['MQTT_PORT']}",
        "MQTT_PASSWORD_FILE": production.folder / f"secrets/broker-{program}",
        "TOKEN_FILE": production.folder / "secrets/tokens",
        "HTTP_LISTEN": f"{LOOPBACK}:{free_port()}",
        "METRICS_LISTEN": f"{LOOPBACK}:{free_port()}",
    }
    env = {**os.environ, **{name: str(value) for name, value in settings.items()}}
    done = subprocess.run([BUILD_DIR / program, "--check"], env=env, capture_output=True, text=True)
    assert done.returncode == 0 and "broker: subscribed" in done.stdout and "ready: 0 errors" in done.stdout, done.stdout + done.stderr


def test_nginx_lets_in_who_has_the_password_and_shows_what_is_for_others(production):
    password = production.secret("page-anna")
    assert production.get("/dashboard")[0] == production.get("/", "wrong")[0] == 401
    assert production.get("/", password)[0] == production.get("/devices?limit=1", password)[0] == 200
    for path in ("/readyz", "/healthz"):
        assert production.get(path, password)[0] == production.get(path)[0] == 404, path
    assert production.get("/metrics")[0] == 401 and production.get("/metrics", password)[0] == 200  # the page's System reads it


def test_httpapi_itself_wants_a_token_of_those_who_reach_it(production):
    def status(path, token=""):
        headers = {"Authorization": f"Bearer {production.secret(token)}"} if token else {}
        request = urllib.request.Request(f"http://{LOOPBACK}:{production.ports['HTTP_PORT']}{path}", headers=headers)
        with contextlib.suppress(urllib.error.HTTPError):
            return urllib.request.urlopen(request).status
        return 0

    for_nginx, for_metrics = "token-page", "token-metrics"
    assert [status(path, for_nginx) for path in ("/", "/dashboard", "/metrics")] == [200, 200, 200]
    assert [status(path, for_metrics) for path in ("/metrics", "/dashboard")] == [200, 0]
    assert [status(path) for path in ("/", "/dashboard", "/metrics")] == [0, 0, 0]


def test_events_pass_nginx_as_they_come(production):
    context = ssl.create_default_context(cafile=production.ca_file)
    login = base64.b64encode(f"anna:{production.secret('page-anna')}".encode()).decode()
    request = urllib.request.Request(f"https://localhost:{production.ports['HTTPS_PORT']}/events", headers={"Authorization": f"Basic {login}"})
    names: set[bytes] = set()
    with urllib.request.urlopen(request, context=context, timeout=60) as stream:
        while len(names) < 2:
            line = stream.readline()
            assert line, names
            names |= {line} if line.startswith(b"event:") else set()


def test_passwords_are_in_no_process_list_and_no_log(production):
    """The last of this file, so that all of it has been seen."""
    secrets = production.secrets()
    assert len(secrets) >= 25 and all(len(word) >= 32 for word in secrets)
    listed = production.processes.all()
    assert b"mosquitto_passwd" in listed and b"openssl\npasswd" in listed and b"--credentials" in listed and b"nginx.conf" in listed
    assert not [word for word in secrets if word.encode() in listed]
    logs = [*(production.folder / "log").iterdir(), production.folder / "nginx/access.log", production.run.log]
    assert len(logs) >= 8
    assert not [(word, log) for log in logs for word in secrets if word in log.read_text(errors="replace")]
    for path in (production.folder / "secrets").iterdir():
        assert path.stat().st_mode & 0o077 == 0, path
    assert (production.folder / "secrets").stat().st_mode & 0o777 == 0o700
