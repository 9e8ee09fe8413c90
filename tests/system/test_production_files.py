"""The scripts, roles and proxies of deploy/production/."""

from __future__ import annotations

import base64
import contextlib
import os
import shutil
import ssl
import subprocess
import tempfile
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from guarded import PRODUCTION, Authority, Nginx, example
from servers import LOOPBACK, PrivatePostgres, Program, free_port, until

def run(name, *args, **variables):
    return subprocess.run([PRODUCTION / name, *map(str, args)], capture_output=True, text=True, env={**os.environ, **variables})


def inside(certificate):
    return subprocess.run(["openssl", "x509", "-in", certificate, "-noout", "-text"], capture_output=True, text=True, check=True).stdout


# --- make-certificates -------------------------------------------------------------------------------


def test_certificates_are_made_kept_and_renewed(tmp_path):
    ca = tmp_path / "ca"
    assert run("make-certificates", "server", ca, "broker.example", "192.0.2.1", "::1").returncode == 0
    assert run("make-certificates", "client", ca, "device_1").returncode == 0
    text = inside(ca / "broker.example.crt")
    assert "DNS:broker.example, IP Address:192.0.2.1, IP Address:0:0:0:0:0:0:0:1" in text and "TLS Web Server Authentication" in text
    assert "TLS Web Client Authentication" in inside(ca / "device_1.crt")
    modes = {path.relative_to(ca).as_posix(): path.stat().st_mode & 0o777 for path in ca.rglob("*")}
    assert modes == {"ca.crt": 0o644, "private": 0o700, "private/ca.key": 0o600, **{
        f"{name}.{ending}": 0o644 if ending == "crt" else 0o600 for name in ("broker.example", "device_1") for ending in ("crt", "key", "ext")}}  # fmt: skip

    before = {path: path.read_bytes() for path in ca.rglob("*.*")}
    again = run("make-certificates", "server", ca, "broker.example")
    assert again.returncode == 1 and "is there already" in again.stderr
    assert {path: path.read_bytes() for path in ca.rglob("*.*")} == before
    assert run("make-certificates", "renew", ca, "broker.example", DAYS="10").returncode == 0
    assert [path.name for path, old in before.items() if path.read_bytes() != old] == ["broker.example.crt"]
    assert "DNS:broker.example" in inside(ca / "broker.example.crt")
    verified = ["openssl", "verify", "-CAfile", ca / "ca.crt", "-purpose", "sslserver", "-verify_hostname", "broker.example", ca / "broker.example.crt"]
    assert subprocess.run(verified, capture_output=True).returncode == 0
    listed = run("make-certificates", "list", ca).stdout
    assert "broker.example: ends within 30 days" in listed and "device_1: valid, until" in listed


@pytest.mark.parametrize("args, said", [
    ((), "Usage"), (("server",), "Usage"), (("server", "DIR"), "Usage"), (("client", "DIR", "a", "b"), "Usage"), (("other", "DIR", "a"), "Usage"),
    (("server", "DIR", "../a"), "'../a' cannot be a name"), (("client", "DIR", "a/CN=root"), "cannot be a name"), (("client", "DIR", "ca"), "cannot be a name"),
    (("server", "DIR", "a\nb"), "cannot be a name"), (("client", "DIR", "x" * 65), "65 characters"), (("server", "DIR", ""), "cannot be a name"),
    (("renew", "DIR", "a"), "is not there"), (("list", "DIR"), "no certificates"),
])  # fmt: skip
def test_what_no_certificate_can_be_made_of_is_refused(tmp_path, args, said):
    done = run("make-certificates", *(tmp_path if arg == "DIR" else arg for arg in args))
    assert done.returncode in (1, 2) and said in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_half_authority_signs_nothing(tmp_path):
    assert run("make-certificates", "server", tmp_path, "a").returncode == 0
    (tmp_path / "private/ca.key").unlink()
    done = run("make-certificates", "server", tmp_path, "b")
    assert done.returncode == 1 and "private/ca.key is not there" in done.stderr and not (tmp_path / "b.crt").exists()
    assert run("make-certificates", "server", tmp_path, "b", DAYS="0").stderr.strip().endswith("DAYS=0 is not a number of days")


# --- make-passwords, make-dynamic-security -----------------------------------------------------------


def test_passwords_are_random_hashed_and_never_for_a_name_twice(tmp_path):
    file = tmp_path / "passwords"
    names = [f"device {number}" for number in range(300)] + ["gerät", "a-b_c.d"]
    made = run("make-passwords", file, *names)
    assert made.returncode == 0, made.stderr
    lines = dict(line.split(":") for line in made.stdout.splitlines())
    assert list(lines) == names and len(set(lines.values())) == len(names) and {len(word) for word in lines.values()} == {32}
    hashed = file.read_text()
    assert hashed.count("\n") == len(names) and not [word for word in lines.values() if word in hashed] and file.stat().st_mode & 0o777 == 0o600
    for args, said in ((["x", "gerät"], "has a user 'gerät' already"), (["x", "x"], "'x' is named twice"), (["a:b"], "cannot be a user"),
                       (["a/b"], "cannot be a user"), ([""], "cannot be a user"), (["x" * 65], "64 characters"), ([], "Usage")):  # fmt: skip
        refused = run("make-passwords", file, *args)
        assert refused.returncode in (1, 2) and said in refused.stderr and not refused.stdout, args
    assert file.read_text() == hashed


@pytest.mark.parametrize("lines, said", [("a:b\nc\n", "line 2"), (":b\n", "line 1"), ("a:\n", "line 1"), ("a/#:b\n", "line 1")])
def test_what_is_no_credential_makes_no_roles(lines, said):
    done = subprocess.run([PRODUCTION / "make-dynamic-security"], input=lines, capture_output=True, text=True)
    assert done.returncode == 2 and said in done.stderr and not done.stdout


# --- roles.sql ---------------------------------------------------------------------------------------


def test_roles_are_made_as_often_as_one_likes_and_on_a_database_in_use(area, logs):
    """Its names are fixed, so the server is one of its own: what make run-production has, without its users."""
    server = PrivatePostgres(Path(tempfile.mkdtemp(dir=area, prefix="roles-")), log=logs / "postgres.log", settings={"log_statement": "all"})
    server.start()
    try:
        server.sql("CREATE TABLE there (n serial); INSERT INTO there DEFAULT VALUES", "highwater", "highwater")
        for words in ({}, {"OWNER_PASSWORD": "it's a 'secret' \\ $$", "READER_PASSWORD": "another-secret"}, {}):
            argv = [server.bin / "psql", "-X", "-d", server.url("postgres", "postgres"), "-f", PRODUCTION / "roles.sql"]
            done = subprocess.run(argv, env={**os.environ, **words}, capture_output=True, text=True)
            assert done.returncode == 0 and done.stdout + done.stderr == "", done.stderr
        server.sql("CREATE TABLE later (n serial)", "highwater", "highwater")
        for reader in ("highwater_reader", "highwater-httpapi"):
            assert server.sql("SELECT (SELECT count(*) FROM there), (SELECT count(*) FROM later)", "highwater", reader) == "1|0"
            assert server.sql("SHOW default_transaction_read_only", "highwater", reader) == "on"
        hashed = server.sql("SELECT rolname, left(rolpassword, 13) FROM pg_authid WHERE rolname LIKE 'highwater%' ORDER BY 1")
        assert hashed.split() == ["highwater|SCRAM-SHA-256", "highwater-httpapi|", "highwater_reader|SCRAM-SHA-256"]
        assert "secret" not in server.log.read_text()
    finally:
        server.stop("immediate")


# --- nginx and Caddy ---------------------------------------------------------------------------------


class Caddy:
    def __init__(self, home, port, http_port, log, authority, password):
        self.port, self.home = port, home
        home.mkdir(parents=True)
        authority.give(home, "proxy")
        hashed = subprocess.run(["caddy", "hash-password"], input=f"{password}\n", capture_output=True, text=True, check=True).stdout.strip()
        (home / "highwater.users").write_text(f"anna {hashed}\n")
        site = example("Caddyfile", {"highwater.example {": f"https://localhost:{port} {{\n\tbind {LOOPBACK}", "127.0.0.1:5000": f"{LOOPBACK}:{http_port}",
                                     "/etc/caddy/": f"{home}/", "#tls /etc/highwater/tls/": f"tls {home}/", "/etc/highwater/tls/": f"{home}/"})  # fmt: skip
        (home / "Caddyfile").write_text(f"{{\n\tadmin off\n\tauto_https disable_redirects\n}}\n{site}")
        env = {**os.environ, "HOME": str(home), "XDG_DATA_HOME": str(home), "XDG_CONFIG_HOME": str(home)}
        self.check = ["caddy", "validate", "--adapter", "caddyfile", "--config", str(home / "Caddyfile")]
        self.program = Program("caddy", [shutil.which("caddy"), "run", *self.check[2:]], log, env=env)

    def start(self):
        self.program.start()


def proxied(kind, home, stack, authority):
    port, log = free_port(), stack.logs / f"{kind}.log"
    if kind == "nginx":
        proxy = Nginx(home / "nginx", port, stack.http_port, log, authority, home / "secrets")
        password = proxy.password
    else:
        password = "correct horse"
        proxy = Caddy(home / "caddy", port, stack.http_port, log, authority, password)
    return proxy, password


@pytest.mark.faults
@pytest.mark.parametrize("kind", ["nginx", "caddy"])
def test_a_proxy_asks_for_a_password_and_passes_on_what_it_should(stack, area, kind):
    if not shutil.which(kind, path=f"{os.environ['PATH']}:/usr/sbin"):
        pytest.skip(f"there is no {kind} on this machine")
    home = Path(tempfile.mkdtemp(dir=area, prefix=f"{kind}-"))
    home.chmod(0o755)
    authority = Authority(home / "tls")
    collector = stack.start_collector()
    collector.wait_for_line("windows: complete")
    stack.start_httpapi("--access-log", max_connections_per_address="0")
    until(lambda: stack.get("/readyz")[0] == 200)
    proxy, password = proxied(kind, home, stack, authority)
    proxy.start()
    context = ssl.create_default_context(cafile=authority.ca_file)
    base = f"https://localhost:{proxy.port}"
    login = {"Authorization": "Basic " + base64.b64encode(f"anna:{password}".encode()).decode()}

    def ask(path, headers=login, **more):
        try:
            with urllib.request.urlopen(urllib.request.Request(base + path, headers=headers, **more), context=context, timeout=30) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.headers, error.read()

    def is_up():
        with contextlib.suppress(OSError):
            return ask("/dashboard")[0] == 200

    until(is_up, what=f"{kind} answers")
    if kind == "caddy":
        assert subprocess.run(proxy.check, capture_output=True).returncode == 0
    else:
        assert subprocess.run([*proxy.program.argv, "-t"], capture_output=True, text=True).returncode == 0
    try:
        assert ask("/dashboard", {})[0] == ask("/", {"Authorization": "Basic eDp5"})[0] == 401
        assert [ask(path)[0] for path in ("/readyz", "/healthz", "/metrics")] == [404, 404, 200]
        assert {ask(path, {})[0] for path in ("/readyz", "/healthz", "/metrics")} <= {401, 404}
        status, headers, page = ask("/")
        assert status == 200 and b"<script" in page and "max-age" in headers["Strict-Transport-Security"]
        status, headers, _ = ask("/devices/none/distribution?feature=temperature")
        assert status == 404 and headers["Content-Type"] == "application/problem+json"
        assert ask("/dashboard", data=b"x" * 100)[0] == 405
        assert ask("/collectors")[0] == ask("/distribution?feature=temperature&bins=5")[0] == 200
        # An event each second comes one by one, not when a buffer is full.
        with urllib.request.urlopen(urllib.request.Request(f"{base}/events", headers=login), context=context, timeout=60) as stream:
            names: set[bytes] = set()
            while len(names) < 2:
                line = stream.readline()
                assert line
                names |= {line} if line.startswith(b"event:") else set()
        if kind == "nginx":
            with ThreadPoolExecutor(150) as crowd:
                assert 429 in set(crowd.map(lambda _: ask("/dashboard", {})[0], range(300)))
        said = stack.program_named("httpapi").output()
        assert "Basic" not in said and password not in said and password not in proxy.program.output()
    finally:
        proxy.program.terminate()
