"""Passwords: in whatever spelling they come, nobody reads them who reads what a program says."""

from __future__ import annotations

import contextlib
import os
import re
import resource
import shutil
import socket
import subprocess
import threading
from pathlib import Path

from conftest import BUILD_DIR
from servers import LOOPBACK, PrivateBroker, Program, free_port, until
from tls_proxy import make_certificate

SECRET = ("s3cr3t", "s3%63r3t", "s%33cr3t", "cr3t", "s3@", "s3/")
NOBODY = free_port()  # where nobody listens

DATABASES = [
    "host=x password=s3cr3t bogus=1",
    "postgresql://u@x/db?password=s3cr3t&bogus=1",
    "postgresql://u:s3cr3t@x/db?bogus=1",
    f"postgresql://u:s3cr3t@{LOOPBACK}:{NOBODY}/db",
    f"postgresql://u:s%33cr3t@[::1]:{NOBODY}/db",
    f"postgresql://u@{LOOPBACK}:{NOBODY}/db?password=s3cr3t&sslpassword=s3cr3t",
    f"host={LOOPBACK} port={NOBODY} password = 's3cr3t'",
    f"host={LOOPBACK} port={NOBODY} password=s3\\'cr3t",
    "host=x password='s3cr3t",
    "host=x password=my s3cr3t",
    "host=x password:s3cr3t",
    "host=password=s3cr3t",
    "host=x port=s3cr3t",
    "dbname=postgresql://u:s3cr3t@x/db",
    "postgresql://u:s3@cr3t@x.invalid/db",
    "postgresql://u:s3/cr3t@x.invalid/db",
    "postgresql://u:s3%zzcr3t@x/db",
    "u:s3cr3t@x/db",
    "psql -h x -U u password=s3cr3t",
    f"postgresql://{LOOPBACK}:{NOBODY}/s3cr3t@x/db",
    f"postgresql://u@{LOOPBACK}:{NOBODY}/db?sslmode=require?password=s3cr3t",
    f"postgresql://u@{LOOPBACK}:{NOBODY}/db?connect_timeout=5;password=s3cr3t",
    f"postgresql://u:s3cr3t@{LOOPBACK}:{NOBODY}:{NOBODY}/db",
    f"host={LOOPBACK} port={NOBODY} sslmode= password=s3cr3t",
    f"host={LOOPBACK} port={NOBODY} connect_timeout= PASSWORD=s3cr3t",
    f"host={LOOPBACK} port={NOBODY} target_session_attrs = password=s3cr3t",
    f"host={LOOPBACK} port={NOBODY} sslmode=verify-full sslrootcert=;password=s3cr3t",
    f"host={LOOPBACK} port={NOBODY} channel_binding=x;Pwd=s3cr3t",
    f"host={LOOPBACK};port={NOBODY};password=s3cr3t",
    "HOST=x PASSWORD=s3cr3t",
    "host=x\npassword=s3cr3t\nbogus",
    "postgres://u:s3cr3t@[::1/db",
    "postgresql://u:s3cr3t@x,y:z/db",
    "jdbc:postgresql://x/db?user=u&password=s3cr3t",
    "s3cr3t",
]

BROKERS = [
    "u:s3cr3t@host",
    "mqtt:u:s3cr3t@host",
    "mqtt//u:s3cr3t@host",
    "mqtt://u:s3cr3t",
    "mqtt://u:s3cr3t@host:port",
    "mqtt://u:s3cr3t@",
    "mqtt://u:s3/cr3t@host",
    "mqtt://host?password=s3cr3t",
    "mqtt://host:1883?password=s3cr3t",
    "http://u:s3cr3t@host",
    "mqtt://u@host:s3cr3t",
    "unix://u:s3cr3t@host",
    "MQTT://u:s3cr3t@host",
    "mqtt:///u:s3cr3t@host",
    "mqtt://:s3cr3t@host",
    "mqtt://u:s3cr3t@[::1",
    "mqtt://u:s3cr3t@host:99999",
    "mqtt://u:s3cr3t@ho st",
    "mqtt://u:s3cr3t %@host",
    "mqtt://u:s3%00cr3t@host",
    "mqtt://u:s3cr3t@host,host2",
    "mqtt://u:s3cr3t@host/topic",
    "//u:s3cr3t@host:1883",
    "ws://u:s3cr3t@host/mqtt",
    "mqtts://host?user=u&password=s3cr3t",
    "u s3cr3t host@",
    "unix:///u:s3cr3t@run/mosquitto",
    f"mqtt://u:s3cr3t@{LOOPBACK}:{NOBODY}",
    f"mqtt://u:s3@cr3t@{LOOPBACK}:{NOBODY}",
    f"mqtt://u:s3%63r3t@[::1]:{NOBODY}",
]


def environment(**settings: str) -> dict[str, str]:
    values = {"DATABASE_URL": f"host={LOOPBACK} port={NOBODY}", "MQTT_URL": f"mqtt://{LOOPBACK}:{NOBODY}"}
    values |= {"METRICS_LISTEN": "-", "HTTP_LISTEN": f"{LOOPBACK}:{free_port()}", "LOG_LEVEL": "debug"}
    return {**os.environ, **values, **settings}


OF_DATABASE = re.compile(rb"(database.*|schema): .*; trying again")
OF_BROKER = re.compile(rb"(mqtt.*|broker): .*; trying again")


def said_by_all(tmp_path: Path, commands: list[tuple[list[str], dict[str, str]]], last: re.Pattern[bytes]) -> list[str]:
    """Runs them all at once: to their ends, or until they have said this of whom they cannot reach."""
    running = []
    for i, (argv, env) in enumerate(commands):
        log = tmp_path / f"{i}.log"
        with log.open("wb") as out:
            argv = [str(BUILD_DIR / argv[0]), *argv[1:]]
            running.append((subprocess.Popen(argv, env=env, stdout=out, stderr=out, stdin=subprocess.DEVNULL), log))
    for process, log in running:
        until(lambda process=process, log=log: process.poll() is not None or last.search(log.read_bytes()), 60)
    for process, _ in running:
        process.kill()
        process.wait()
    return [log.read_text(errors="replace") for _, log in running]


def leaks(commands: list[tuple[list[str], dict[str, str]]], said: list[str]) -> list[str]:
    for text in said:
        assert text, "it said nothing"
    return [f"{argv}: {text}" for (argv, _), text in zip(commands, said) if any(part in text for part in SECRET)]


def test_no_spelling_of_a_database_has_its_password_printed(tmp_path):
    truth = tmp_path / "truth"
    truth.write_text("event\n")
    commands = []
    for url in DATABASES:
        for argv in (["collector"], ["httpapi"], ["collector", "--rejected"]):
            commands.append((argv, environment(DATABASE_URL=url)))
        commands.append((["devicesim", "--truth", str(truth), "--verify", url], environment()))
    said = said_by_all(tmp_path, commands, OF_DATABASE)
    assert leaks(commands, said) == []


def test_no_spelling_of_a_broker_has_its_password_printed(stack, tmp_path):
    commands = []
    for i, url in enumerate(BROKERS):
        # a collector goes to its broker once it has a database
        env = environment(DATABASE_URL=stack.database.url, COLLECTOR_ID=f"c{i}")
        for argv in (["collector"], ["httpapi"], ["devicesim", "--duration", "1s", "--drain-timeout", "1s"]):
            way = (argv, {**env, "MQTT_URL": url}) if i % 2 else ([*argv, "--mqtt-url", url], env)
            commands.append(way)
    said = said_by_all(tmp_path, commands, OF_BROKER)
    assert leaks(commands, said) == []


KEY = "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49/s3cr3t\n-----END PRIVATE KEY-----"


def test_a_secret_in_the_place_of_its_file_is_not_printed(stack, tmp_path):
    certificate = make_certificate(tmp_path)
    commands = []
    for name in ("collector", "httpapi", "devicesim"):
        flags = ["--duration", "1s", "--drain-timeout", "1s"] if name == "devicesim" else []
        for i, secret in enumerate(("s3cr3t", "/s3cr3t", "s3/cr3t", "/s3/cr3t", "u:s3cr3t", "s3cr3t" * 100, KEY)):
            env = environment(DATABASE_URL=stack.database.url, COLLECTOR_ID=f"c{i}", MQTT_URL=f"mqtts://u@{LOOPBACK}:{NOBODY}")
            way = {"MQTT_PASSWORD_FILE": secret} if i % 2 else {}
            commands.append(([name, *flags, *([] if way else ["--mqtt-password-file", secret])], {**env, **way}))
            commands.append(([name, *flags], {**env, "MQTT_KEY_FILE": secret, "MQTT_CERT_FILE": str(certificate)}))
        for setting in ("MQTT_CERT_FILE", "MQTT_CA_FILE"):  # a key may be in the same file
            commands.append(([name, *flags], {**env, "MQTT_KEY_FILE": KEY, setting: KEY}))
    for secret in ("s3cr3t", "device_1:s3cr3t", "device_1:s3/cr3t"):
        commands.append((["devicesim", "--credentials", secret], environment()))
    said = said_by_all(tmp_path, commands, OF_BROKER)
    assert leaks(commands, said) == []
    for program in ("collector", "httpapi", "devicesim"):
        assert any(program in text and "password file ***" in text for text in said)


def test_nor_in_that_of_a_file_of_libpqs(tmp_path):
    """libpq reads them once a server has agreed to TLS."""
    certificate = make_certificate(tmp_path)
    certificate.chmod(0o600)
    truth = tmp_path / "truth"
    truth.write_text("event\n")
    with socket.create_server((LOOPBACK, 0)) as listener:

        def agree():
            with contextlib.suppress(OSError):
                while True:
                    client, _ = listener.accept()
                    with client:
                        client.recv(8)
                        client.sendall(b"S")
                        client.recv(4096)

        threading.Thread(target=agree, daemon=True).start()
        url = f"host={LOOPBACK} port={listener.getsockname()[1]} sslmode=require sslcert={certificate}"
        commands = []
        for secret in ("s3cr3t", "/s3cr3t", "s3/cr3t"):
            for more in (f"sslkey={secret}", f"passfile={secret}", f"sslkey=x sslcert={secret}"):
                for argv in (["collector"], ["httpapi"], ["collector", "--rejected"]):
                    commands.append((argv, environment(DATABASE_URL=f"{url} {more}")))
                commands.append((["devicesim", "--truth", str(truth), "--verify", f"{url} {more}"], environment()))
            commands.append((["collector"], environment(DATABASE_URL=url, PGSSLKEY=secret, PGPASSFILE=secret)))
        said = said_by_all(tmp_path, commands, OF_DATABASE)
        listener.shutdown(socket.SHUT_RDWR)
    assert any("private key" in text for text in said)
    assert leaks(commands, said) == []


def test_neither_help_nor_a_misspelt_flag_prints_one(tmp_path):
    url = "postgresql://u:s3cr3t@x/db"
    commands = []
    for program in ("collector", "httpapi", "devicesim"):
        env = environment(DATABASE_URL=url, MQTT_URL="mqtt://u:s3cr3t@x", PGPASSWORD="s3cr3t")
        for arg in ("--help", f"--database-ulr={url}", url, "password=s3cr3t", "-ps3cr3t", "u:s3cr3t"):
            commands.append(([program, arg], env))
        commands.append(([program, "--features", url], env))
        commands.append(([program, "--keepalive", "mqtt://u:s3cr3t@x"], env))
    said = said_by_all(tmp_path, commands, OF_DATABASE)
    assert leaks(commands, said) == []


def test_what_is_legal_is_said_in_full(stack):
    program = stack.program("collector", ["--mqtt-url", "x://u:s3cr3t@host"])
    program.start()
    assert program.wait() == 2 and '"x://***@host" is not legal: mqtt://[user:password@]host[:port]' in program.output()


def test_a_wrong_password_is_refused_without_being_printed(stack, tmp_path):
    """The running server's words, and all that a running program tells about itself."""
    url = stack.database.url.replace("highwater@", "nobody:s3cr3t@")
    commands = [(["collector"], environment(DATABASE_URL=url)), (["httpapi"], environment(DATABASE_URL=url))]
    commands += [(["collector", "--rejected"], environment(DATABASE_URL=url))]
    said = said_by_all(tmp_path, commands, OF_DATABASE)
    assert leaks(commands, said) == []
    assert all("nobody" in text for text in said)


def test_what_the_programs_tell_about_themselves_has_none(stack):
    settings = {"database_url": stack.database.url.replace("highwater@", "highwater:s3cr3t@")}
    settings["mqtt_url"] = stack.broker.url().replace("//", "//u:s3cr3t@")
    statuses = stack.listen("collectors/#")
    collector = stack.start_collector(**settings)
    stack.start_httpapi(**settings)
    until(lambda: stack.get("/readyz")[0] == 200)
    told = [stack.get(path)[2] for path in ("/collectors", "/metrics", "/readyz", "/openapi.json", "/")]
    told += [stack.get("/metrics", stack.metrics_port)[2], collector.output().encode()]
    told += [message.payload for message in statuses.received]
    assert not [text for text in told if b"s3cr3t" in text]


def test_flags_are_hidden_from_ps(stack):
    url = stack.database.url.replace("highwater@", "highwater:s3cr3t@")
    collector = stack.start_collector("--database-url", url, core_dumps="0")
    collector.wait_for_line("windows: complete")
    command = Path(f"/proc/{collector.pid}/cmdline").read_bytes()
    assert b"--database-url" in command and b"s3cr3t" not in command
    assert resource.prlimit(collector.pid, resource.RLIMIT_CORE) == (0, 0)
    assert collector.terminate() == 0


def test_other_processes_of_the_same_user_read_nothing(area, logs):
    """What is not dumpable belongs to root, and only root reads it."""
    binary = Path(shutil.copy(BUILD_DIR / "collector", area / "collector-of-nobody"))
    binary.chmod(0o755)
    program = Program("nobody", [binary], logs / "nobody.log", env=environment(CORE_DUMPS="0"), user="nobody")
    program.start()
    try:
        program.wait_for_line("schema: waiting")
        assert Path(f"/proc/{program.pid}/environ").stat().st_uid == 0
    finally:
        program.kill9()


# --- A password in a file ----------------------------------------------------------------------------


def test_the_brokers_password_is_read_from_a_file_at_each_connect(stack, area, logs):
    users = Path(area, f"users-{free_port()}")
    users.write_text("u:s3cr3t\n")
    subprocess.run(["mosquitto_passwd", "-U", users], check=True)
    users.chmod(0o644)
    strict = PrivateBroker(
        Path(area, f"broker-{free_port()}"), extra_lines=["allow_anonymous false", f"password_file {users}"], log=logs / "strict.log"
    )
    strict.start()
    file = Path(area, f"password-{free_port()}")
    settings = {"mqtt_url": strict.url().replace("//", "//u@"), "mqtt_password_file": str(file)}
    try:
        collector = stack.start_collector(**settings)
        collector.wait_for_line(f"password file {file}: No such file")
        file.write_text("wrong\n")
        file.chmod(0o644)
        collector.wait_for_line(f"anybody may read password file {file}")
        collector.wait_for_line("(?i)not auth|user name or password|credentials")
        file.write_text("s3cr3t\r\n")
        file.chmod(0o600)
        until(lambda: stack.get("/readyz", stack.metrics_port)[0] == 200, 30)
        stack.start_httpapi(**settings)
        until(lambda: stack.get("/readyz")[0] == 200, 30)
        stack.devicesim("--num-devices", "1", "--count", "3", "--rate", "max", **settings)
        until(lambda: stack.database.count() == 3)
        assert "s3cr3t" not in collector.output() and "wrong" not in collector.output()
    finally:
        stack.close()
        strict.kill9()


def test_a_password_file_without_a_user_is_refused(stack):
    for name in ("collector", "httpapi", "devicesim"):
        program = stack.program(name, ["--mqtt-password-file", "/dev/null"])
        program.start()
        assert program.wait() == 2 and "mqtt://user@host" in program.output()
