"""--check: what would not work is found before it is started, beside what runs, and nothing changes."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import struct
import subprocess
import threading
from pathlib import Path

import pytest
from conftest import BUILD_DIR, CLONE
from oracle import reading
from servers import LOOPBACK, PrivateBroker, free_port, until
from test_collector import live_collector


def check(stack, program, *args, **settings):
    """The exit status, and the findings: (level, what, words)."""
    values = {"database_url": stack.database.url, "mqtt_url": stack.broker.url(), "give_up_after": "5s", **settings}
    env = {"PATH": os.environ["PATH"], **{name.upper(): str(value) for name, value in values.items()}}
    done = subprocess.run([BUILD_DIR / program, "--check", *args], capture_output=True, text=True, env=env, timeout=60)
    lines = done.stdout.splitlines()
    found = [re.fullmatch(r"(ok|warning|error) +(\w+): (.+)", line) for line in lines]
    if found and found[-1] is None:
        assert re.fullmatch(r"(ready|not as it should be): \d+ errors?, \d+ warnings?", lines[-1])
        found.pop()
    assert all(found), done.stdout
    findings = [match.groups() for match in found]
    assert done.returncode == any(level == "error" for level, _, _ in findings), done.stdout
    return done.returncode, findings


def errors(findings):
    return [f"{what}: {words}" for level, what, words in findings if level == "error"]


def has(findings, level, *words):
    return any(found == level and all(word in f"{what}: {text}" for word in words) for found, what, text in findings)


@pytest.mark.parametrize("version", ["5", "3.1.1"])
def test_before_the_first_start_nothing_is_made(stack, version):
    status, findings = check(stack, "collector", mqtt_version=version)
    assert status == 0, findings
    assert has(findings, "ok", "database", "no tables yet, and role highwater may make them")
    assert has(findings, "ok", "published on collectors/collector/check, and read it back")
    assert has(findings, "warning", "subscribed to devices/+/readings, but nothing came")
    assert stack.database.value("SELECT count(*) FROM pg_class WHERE relname = 'schema_migrations'") == 0
    listener = stack.listen("collectors/#")
    stack.publisher().send_bytes("collectors/fence", b"")
    until(lambda: listener.received)
    assert [message.topic for message in listener.received] == ["collectors/fence"]  # nothing retained is left
    status, findings = check(stack, "httpapi", mqtt_version=version)
    assert status == 1 and has(findings, "error", "database", "no table readings yet")
    status, findings = check(stack, "devicesim", mqtt_version=version)
    assert status == 0 and has(findings, "ok", "broker: connected")


def test_a_collector_that_runs_is_not_disturbed(stack):
    live_collector(stack)
    stack.publish(reading("d1", 1_790_000_000_000_000, "ON", temperature=1.0)).wait()
    until(lambda: stack.metrics()["highwater_readings_stored_total"] == 1)
    rows = "SELECT (SELECT count(*) FROM schema_migrations), (SELECT count(*) FROM rejected_messages), (SELECT count(*) FROM sessions)"
    before = stack.database.rows(rows)
    log = stack.program_named("collector").output()
    for _ in range(2):
        status, findings = check(stack, "collector")
        assert status == 0, findings
        assert has(findings, "ok", "has the rights it needs") and has(findings, "ok", "its schema is this version's")
    status, findings = check(stack, "httpapi")
    assert status == 0, findings
    assert has(findings, "ok", "subscribed to collectors/+/status, and read a message")
    assert has(findings, "ok", "subscribed to collectors/+/boards/#, and read a message")
    stack.publish(reading("d1", 1_790_000_001_000_000, "ON", temperature=1.0)).wait()
    until(lambda: stack.metrics()["highwater_readings_stored_total"] == 2)
    assert stack.database.rows(rows) == before
    assert stack.program_named("collector").output() == log


def test_a_message_that_came_is_told(stack):
    stack.publisher().send_bytes("devices/d1/readings", b"{}")
    subprocess.run(["mosquitto_pub", "-h", LOOPBACK, "-p", str(stack.broker.port), "-t", "devices/d1/readings", "-r", "-m", "{}"], check=True)
    _, findings = check(stack, "collector")
    assert has(findings, "ok", "subscribed to devices/+/readings, and read a message")
    _, findings = check(stack, "collector", subscribe="$share/group/devices/+/readings")
    assert has(findings, "ok", "subscribed to devices/+/readings, and read a message")


ACL = """user full
topic readwrite #
user deaf
topic write #
user mute
topic read #
"""


@pytest.fixture
def strict(area, logs):
    """A broker whose access control drops without a word what it does not allow."""
    folder = Path(area, f"strict-{free_port()}")
    folder.mkdir()
    (folder / "users").write_text("".join(f"{name}:pw\n" for name in ("full", "deaf", "mute")))
    subprocess.run(["mosquitto_passwd", "-U", folder / "users"], check=True)
    (folder / "acl").write_text(ACL)
    for path in (folder, folder / "users", folder / "acl"):
        path.chmod(0o755)
    broker = PrivateBroker(folder / "data", log=logs / "strict.log",
                           extra_lines=["allow_anonymous false", f"password_file {folder}/users", f"acl_file {folder}/acl"])
    broker.start()
    yield broker
    broker.kill9()


@pytest.mark.parametrize("version", ["5", "3.1.1"])
def test_what_a_broker_drops_without_a_word_is_found(stack, strict, version):
    def of(user):
        return check(stack, "collector", mqtt_url=strict.url().replace("//", f"//{user}:pw@"), mqtt_version=version)

    status, findings = of("full")
    assert status == 0, findings
    status, findings = of("deaf")
    assert status == 1 and has(findings, "error", "collectors/collector/check"), findings
    status, findings = of("mute")
    assert status == 1 and has(findings, "error", "collectors/collector/check"), findings
    status, findings = of("nobody")
    assert status == 1 and len(errors(findings)) == 1 and errors(findings)[0].startswith("broker: ")
    assert "pw" not in errors(findings)[0]


def test_a_role_that_lacks_a_right_is_told_which(stack, postgres):
    live_collector(stack).terminate()
    postgres.sql("DROP ROLE IF EXISTS looker; CREATE ROLE looker LOGIN")
    url = stack.database.url.replace("highwater@", "looker@")
    try:
        status, findings = check(stack, "collector", database_url=url)
        assert status == 1 and has(findings, "error", "role looker is not the owner of table")
        status, findings = check(stack, "httpapi", database_url=url)
        assert status == 1 and has(findings, "error", "role looker lacks SELECT on")
        with stack.database.connect(superuser=True) as connection, connection.cursor() as cursor:
            cursor.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO looker")
        connection.close()
        status, findings = check(stack, "httpapi", database_url=url)
        assert status == 0 and has(findings, "ok", "role looker has the rights it needs")
        with stack.database.connect(superuser=True) as connection, connection.cursor() as cursor:
            cursor.execute("INSERT INTO schema_migrations (name, hash) SELECT '999_later', hash FROM schema_migrations LIMIT 1")
        connection.close()
        for program, its_url in (("collector", stack.database.url), ("httpapi", url)):
            status, findings = check(stack, program, database_url=its_url)
            assert status == 1 and has(findings, "error", "a newer version has made this database: it has 999_later")
    finally:
        with stack.database.connect(superuser=True) as connection, connection.cursor() as cursor:
            cursor.execute("DROP OWNED BY looker")
        connection.close()
        postgres.sql("DROP ROLE looker")


def test_all_that_is_wrong_is_told_at_once(stack, area):
    nowhere = free_port()
    mapping = Path(area, f"mapping-{nowhere}.json")
    mapping.write_text("{")
    _, findings = check(stack, "collector", database_url=f"postgresql://u:geheim@{LOOPBACK}:{nowhere}/x", redis_url=f"redis://{LOOPBACK}:{nowhere}",
                        mqtt_url=f"mqtt://{LOOPBACK}:{nowhere}")
    assert {what for level, what, _ in findings if level == "error"} == {"database", "broker", "redis"}
    assert "geheim" not in str(findings)
    _, findings = check(stack, "collector", mappings=mapping)
    assert has(findings, "error", "settings", str(mapping))
    _, findings = check(stack, "collector", "--config", str(mapping))
    assert has(findings, "error", "settings", f"{mapping}:1: ")
    _, findings = check(stack, "collector", metrics_listen="nowhere:x", metrics_hosts="a b")
    assert has(findings, "error", "listen: METRICS_LISTEN") and has(findings, "error", "listen: METRICS_HOSTS")
    with socket.socket() as other:
        other.bind((LOOPBACK, nowhere))
        other.listen()
        _, findings = check(stack, "httpapi", http_listen=f"{LOOPBACK}:{nowhere}")
        assert has(findings, "warning", "listen: HTTP_LISTEN", "is in use")
    _, findings = check(stack, "httpapi", http_listen=f"{LOOPBACK}:{nowhere}")
    assert has(findings, "ok", "listen: HTTP_LISTEN", "is free")
    _, findings = check(stack, "httpapi", token_file=mapping, mqtt_ca_file="/no/such")
    assert has(findings, "error", "tokens", str(mapping))
    _, findings = check(stack, "collector", mqtt_url=f"mqtts://{LOOPBACK}:{nowhere}", mqtt_ca_file="/no/such")
    assert has(findings, "error", "broker", "/no/such")
    _, findings = check(stack, "collector", database_password_file=f"{mapping}.no")
    assert has(findings, "error", "database", f"{mapping}.no")


@pytest.fixture
def stopped_database():
    """Lets everybody in as PostgreSQL does, and then says nothing more: a server or a proxy that is stopped."""
    welcome = b"R" + struct.pack("!ii", 8, 0) + b"K" + struct.pack("!iii", 12, 1, 1) + b"Z" + struct.pack("!i", 5) + b"I"
    held = []

    def serve():
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                held.append(connection)
                connection.recv(1000)
                connection.sendall(welcome)

    with socket.create_server((LOOPBACK, 0)) as listener:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"postgresql://highwater@{LOOPBACK}:{listener.getsockname()[1]}/x?sslmode=disable"
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()
    for connection in held:
        connection.close()


def test_a_database_that_falls_silent_is_given_up(stack, stopped_database):
    status, findings = check(stack, "collector", database_url=stopped_database, give_up_after="1s")
    assert status == 1 and has(findings, "error", "database", "does not answer in time"), findings
    assert has(findings, "ok", "broker: connected")  # the rest is looked at all the same


def test_redis_is_greeted_and_nothing_is_put(stack, redis_server):
    _, findings = check(stack, "collector", redis_url=redis_server.url())
    assert has(findings, "ok", "redis: connected")
    client = redis_server.client()
    assert client.dbsize() == 0
    client.config_set("requirepass", "geheim")
    _, findings = check(stack, "collector", redis_url=redis_server.url())
    assert has(findings, "error", "redis", "password") and not has(findings, "error", "geheim")


def test_a_topic_of_kafka_is_asked_for_and_not_made(stack, mock_kafka):
    topic = mock_kafka.topic("readings", 4)
    status, findings = check(stack, "collector", store=mock_kafka.url(topic))
    assert status == 0 and has(findings, "ok", f"store: the topic {topic} has 4 partitions"), findings
    status, findings = check(stack, "collector", source=mock_kafka.url(topic))
    assert has(findings, "ok", f"source: the topic {topic}"), findings
    for _ in range(2):  # the first question has made none
        status, findings = check(stack, "collector", store=mock_kafka.url("missing"))
        assert status == 1 and has(findings, "error", "store: Kafka has no topic missing"), findings
    status, findings = check(stack, "collector", store=f"kafka://{LOOPBACK}:{free_port()}/readings", give_up_after="2s")
    assert status == 1 and has(findings, "error", "store: "), findings


@pytest.mark.parametrize("program", ["collector", "httpapi", "devicesim"])
def test_the_file_with_every_setting_is_right_when_all_of_it_is_said(stack, area, program):
    """Each line of it with its default: names, sections and values are as the programs take them."""
    file = Path(area, f"all-{free_port()}.conf")
    file.write_text(re.sub(r"^#([A-Z_]+ =)", r"\1", (CLONE / "deploy/highwater.conf").read_text(), flags=re.MULTILINE))
    _, findings = check(stack, program, "--config", str(file))
    assert has(findings, "ok", "settings") and not has(findings, "error", "settings")
    assert has(findings, "ok", "broker: connected")
