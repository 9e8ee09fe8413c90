"""Private servers as deploy/production/ would have them: passwords, rights, TLS. Only places and ports are their own."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from servers import CLONE, LOOPBACK, PrivateBroker, PrivatePostgres, Program, ServerError, _make_home, _run

PRODUCTION = CLONE / "deploy" / "production"


def write_secret(path: Path, text: str) -> None:
    """A file that only we can read; whole, or not there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f"{path.name}.new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    new.rename(path)


def password(path: Path) -> str:
    """The one in the file, which is made with the first call."""
    if not path.exists():
        write_secret(path, secrets.token_urlsafe(24))
    return path.read_text()


def script(name: str, *args: str | Path) -> str:
    """What one of those in deploy/production/ prints."""
    done = _run([PRODUCTION / name, *args])
    if done.returncode != 0:
        raise ServerError(done.stderr.strip())
    return done.stdout


def example(name: str, instead: dict[str, str]) -> str:
    """A file of deploy/production/ with each of some texts, all of which must be there, replaced by another."""
    text = (PRODUCTION / name).read_text()
    for old, new in instead.items():
        if old not in text:
            raise ServerError(f"deploy/production/{name} has no {old!r}")
        text = text.replace(old, new)
    return text


def binary(name: str) -> str:
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if found is None:
        raise ServerError(f"there is no {name} on this machine: make deps")
    return found


class Authority:
    """Whom all trust: what make-certificates has made in `home`."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.ca_file = home / "ca.crt"
        if not (home / "localhost.crt").exists():
            script("make-certificates", "server", home, "localhost", LOOPBACK, "::1")

    def give(self, folder: Path, name: str) -> None:
        """A server gets its certificate and key, as NAME.crt and NAME.key."""
        folder.mkdir(parents=True, exist_ok=True)
        for ending in ("crt", "key"):
            shutil.copy2(self.home / f"localhost.{ending}", folder / f"{name}.{ending}")


class GuardedPostgres(PrivatePostgres):
    """Asks everybody for a password, over TLS; roles and rights are those of roles.sql."""

    def __init__(self, home: Path, port: int, log: Path, authority: Authority, secrets_in: Path) -> None:
        settings = {
            "hba_file": str(home / "pg_hba.conf"),
            "ssl": "on",
            "ssl_cert_file": str(home / "server.crt"),
            "ssl_key_file": str(home / "server.key"),
        }
        super().__init__(home, port, settings, log)
        self.authority = authority
        self.secrets_in = secrets_in
        self.passwords = {role: password(self.password_file(role)) for role in ("postgres", "highwater", "highwater_reader")}
        self.AUTHENTICATION = ("-A", "scram-sha-256", "--pwfile", home / "superuser")

    def address(self, database: str = "highwater", user: str = "highwater") -> str:
        """For programs that are told of a file with the password: password_file()."""
        return f"postgresql://{user}@localhost:{self.port}/{database}?sslmode=verify-full&sslrootcert={self.authority.ca_file}"

    def url(self, database: str = "highwater", user: str = "highwater") -> str:
        """For psql and the like: libpq finds the password in a file of its own kind."""
        return f"{self.address(database, user)}&passfile={self.secrets_in}/pgpass-{user}"

    def password_file(self, user: str) -> Path:
        return self.secrets_in / f"database-{user}"

    def start(self, timeout: float = 60.0) -> None:
        for role, word in self.passwords.items():
            write_secret(self.secrets_in / f"pgpass-{role}", f"localhost:{self.port}:*:{role}:{word}\n")
        write_secret(self.home / "superuser", self.passwords["postgres"])
        ours = f"hostssl all postgres {LOOPBACK}/32 scram-sha-256\n"
        (self.home / "pg_hba.conf").write_text(ours + example("pg_hba.conf", {}))
        self.authority.give(self.home, "server")
        super().start(timeout)

    def _make_roles(self) -> None:
        argv = [self.bin / "psql", "-X", "-d", self.url("postgres", "postgres"), "-f", PRODUCTION / "roles.sql"]
        words = {"OWNER_PASSWORD": self.passwords["highwater"], "READER_PASSWORD": self.passwords["highwater_reader"]}
        done = _run(argv, variables=words)
        if done.returncode != 0:
            raise ServerError(f"roles.sql: {done.stderr.strip()}")


class GuardedBroker(PrivateBroker):
    """`port` is the listener on loopback for collector and httpapi, `devices_port` that with TLS for devices."""

    SERVICES = ("collector", "httpapi", "operator")

    def __init__(
        self, home: Path, port: int, devices_port: int, log: Path, authority: Authority, secrets_in: Path, devices: Sequence[str] = ()
    ) -> None:
        super().__init__(home, port, log=log)
        self.devices_port = devices_port
        self.authority = authority
        self.secrets_in = secrets_in
        self.credentials = secrets_in / "devices"  # of devicesim
        self._make_users(devices)

    def _make_users(self, devices: Sequence[str]) -> None:
        """All or none: the last that is written is what is looked for."""
        hashed = self.home / "highwater.passwords"
        if self.credentials.exists() and hashed.exists():
            return
        self.home.mkdir(parents=True, exist_ok=True)
        hashed.unlink(missing_ok=True)
        lines = script("make-passwords", hashed, *self.SERVICES, *devices).splitlines()
        for line in lines[: len(self.SERVICES)]:
            user, _, word = line.partition(":")
            write_secret(self.password_file(user), word)
        write_secret(self.credentials, "".join(f"{line}\n" for line in lines[len(self.SERVICES) :]))

    def password_file(self, user: str) -> Path:
        return self.secrets_in / f"broker-{user}"

    def url(self, user: str = "collector") -> str:
        return f"mqtt://{user}@{LOOPBACK}:{self.port}"

    def devices_url(self) -> str:
        return f"mqtts://{LOOPBACK}:{self.devices_port}"

    def config(self) -> str:
        places = {
            "listener 8883\n": f"listener {self.devices_port} {LOOPBACK}\n",
            f"listener 1883 {LOOPBACK}\n": f"listener {self.port} {LOOPBACK}\n",
            "/etc/mosquitto/": f"{self.home}/",
        }
        return "\n".join([example("mosquitto.conf", places), f"persistence_location {self.home}", *self.extra_lines, ""])

    def start(self, timeout: float = 30.0) -> None:
        self.authority.give(self.home / "certs", "highwater")
        write_secret(self.home / "highwater.acl", example("acl", {}))
        super().start(timeout)


class Nginx:
    """nginx.conf of deploy/production/, before an httpapi on loopback that may want a token; the one user is `anna`."""

    USER = "www-data"

    def __init__(
        self, home: Path, port: int, http_port: int, log: Path, authority: Authority, secrets_in: Path, token: str = ""
    ) -> None:
        self.home = home
        self.token = token
        self.port = port
        self.http_port = http_port
        self.authority = authority
        self.password = password(secrets_in / "page-anna")
        self.netrc = secrets_in / "netrc"
        write_secret(self.netrc, f"machine localhost login anna password {self.password}\n")
        self.program = Program("nginx", [binary("nginx"), "-p", home, "-c", home / "nginx.conf"], log, user=self.USER)

    def site(self) -> str:
        return example(
            "nginx.conf",
            {
                "listen 443 ssl": f"listen {LOOPBACK}:{self.port} ssl",
                "server_name highwater.example;": "server_name localhost;",
                "server 127.0.0.1:5000;": f"server {LOOPBACK}:{self.http_port};",
                "/etc/highwater/tls/": f"{self.home}/",
                "/etc/nginx/": f"{self.home}/",
            },
        )

    def start(self) -> None:
        # One process, in the foreground: no other is left behind when it is killed.
        temporary = "".join(f"  {kind}_temp_path {self.home}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        write_secret(
            self.home / "nginx.conf",
            f"daemon off;\nmaster_process off;\npid {self.home}/nginx.pid;\nerror_log stderr;\nevents {{}}\n"
            f"http {{\n  access_log {self.home}/access.log;\n{temporary}{self.site()}}}\n",
        )
        hashed = subprocess.run(["openssl", "passwd", "-6", "-stdin"], input=self.password, capture_output=True, text=True, check=True)
        write_secret(self.home / "highwater.users", f"anna:{hashed.stdout.strip()}\n")
        if self.token:
            write_secret(self.home / "highwater.token", f'set $highwater_token "Bearer {self.token}";\n')
        self.authority.give(self.home, "proxy")
        _make_home(self.home, self.USER)
        self.program.start()
