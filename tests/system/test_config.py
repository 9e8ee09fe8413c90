"""All settings in one file: both programs run by it alone, with the password of the database in a file."""

from __future__ import annotations

from pathlib import Path

import pytest
from servers import LOOPBACK, free_port, until
from test_commands import with_passwords


@pytest.fixture
def folder(area):
    path = Path(area, f"config-{free_port()}")
    path.mkdir()
    return path


def by_file(stack, program, file, *args, **more):
    """With nothing in the environment that the stack would set."""
    none = dict.fromkeys(("database_url", "mqtt_url", "http_listen", "metrics_listen"))
    return stack.program(program, ["--config", str(file), *args], **{**none, **more})


def test_programs_run_by_one_file_and_read_the_databases_password_at_each_connect(stack, postgres, folder):
    password = folder / "password"
    http = free_port()
    metrics = free_port()
    file = folder / "highwater.conf"
    file.write_text(f"""
# for both
DATABASE_URL = '{stack.database.url.replace("highwater@", "locked@")}'
HIGHWATER_DATABASE_PASSWORD_FILE={password}
mqtt-url = "{stack.broker.url()}"

[collector]
METRICS_LISTEN = {LOOPBACK}:{metrics}
[httpapi]
export HTTP_LISTEN={LOOPBACK}:{http}
""")
    with with_passwords(postgres):
        postgres.sql("GRANT highwater TO locked")
        collector = by_file(stack, "collector", file)
        collector.start()
        collector.wait_for_line(f"password file {password}: No such file")
        password.write_text("geheim\n")
        password.chmod(0o644)
        collector.wait_for_line(f"anybody may read password file {password}")
        collector.wait_for_line("password authentication failed|Passwort")
        password.write_text("right\n")
        password.chmod(0o600)
        until(lambda: stack.get("/readyz", metrics)[0] == 200, 30)
        httpapi = by_file(stack, "httpapi", file)
        httpapi.start()
        httpapi.wait_for_line(f"listening on http://{LOOPBACK}:{http}")
        until(lambda: stack.get("/readyz", http)[0] == 200, 30)
        truth = folder / "truth"
        stack.devicesim("--num-devices", "1", "--count", "3", "--rate", "max", "--truth", str(truth))
        stack.devicesim("--truth", str(truth), "--verify", stack.database.url.replace("highwater@", "locked@"), "--verify-wait", "10s",
                        database_password_file=str(password))
        for program in (httpapi, collector):
            assert program.terminate() == 0
            assert "geheim" not in program.output()
        # a session that ends still has temporary tables to drop
        until(lambda: stack.database.value("SELECT count(*) FROM pg_stat_activity WHERE usename = 'locked'") == 0)
        with stack.database.connect(superuser=True) as connection, connection.cursor() as cursor:
            cursor.execute("REASSIGN OWNED BY locked TO highwater; DROP OWNED BY locked")
        connection.close()


def test_what_is_wrong_in_a_file_ends_a_program_with_its_line(stack, folder):
    file = folder / "highwater.conf"
    cases = {
        "[collector]\n\nMQTT_ULR = mqtt://u:geheim@h": ":3: MQTT_ULR is no setting of collector; the nearest is MQTT_URL",
        "HTTP_LISTEN = x\n[collector]\nHTTP_LISTEN=x": ":3: collector has no setting HTTP_LISTEN, which httpapi has",
        "[collector]\nPGPASSWORD = geheim": ":2: PGPASSWORD is a variable of libpq, for the environment; here are DATABASE_URL and DATABASE_PASSWORD_FILE",
        "RETENTION = 5m": ":1: retention: \"5m\" is not legal",
        "MQTT_URL = geheim\nx": ":2: ",
        "MQTT_URL = mqtt://u:geheim@h\n[collectors]\nLINGER=1s": ":3: no program is called \"collectors\"",
        "DATABASE_URL = postgresql://u:geheim@h@h/d": ":1: database-url",
    }
    for text, said in cases.items():
        file.write_text(text)
        program = by_file(stack, "collector", file)
        program.start()
        assert program.wait(10) == 2
        assert f"{file}{said}" in program.output() and "geheim" not in program.output(), program.output()


def test_a_password_that_all_may_read_and_a_misspelt_variable_are_warned_of(stack, folder):
    file = folder / "highwater.conf"
    file.write_text("MQTT_URL = mqtt://u:geheim@127.0.0.1:1\n")
    for mode, is_warned in ((0o644, True), (0o640, False)):
        file.chmod(mode)
        program = by_file(stack, "collector", file, "--rejected", "--give-up-after=1s", "--reason", "x", env={"HIGHWATER_MQTT_ULR": "x"},
                          database_url=f"postgresql://{LOOPBACK}:{free_port()}/x")
        program.start()
        assert program.wait(20) == 1
        assert (f"{file}:1: this holds a password" in program.output()) == is_warned
        assert "HIGHWATER_MQTT_ULR is no setting; is HIGHWATER_MQTT_URL meant?" in program.output()
        assert "geheim" not in program.output()
