"""`make run-production`: what deploy/production/ has, all of it on this machine, with 15 simulated devices, until Ctrl-C.

PostgreSQL asks for passwords and knows who may do what, the broker too; devices come over TLS, each with a user of its own,
browsers through nginx, which has a token for httpapi. Passwords are made with the first run, each in a file of its own.
"""

from __future__ import annotations

import base64
import ssl
import sys
import urllib.request
from http.client import HTTPResponse

from guarded import Authority, GuardedBroker, GuardedPostgres, Nginx, password, write_secret
from run import DEVICES, Run, free_port_setting, main, say
from servers import LOOPBACK


class Production(Run):
    STOP_ORDER = ("devicesim", "nginx", "collector", "httpapi")

    def _choose_servers(self) -> None:
        logs, self.secrets = self.home / "log", self.home / "secrets"
        postgres_port = free_port_setting("PGPORT_PRIVATE", 15432)
        mqtt_port, mqtts_port = free_port_setting("MQTT_PORT", 18830), free_port_setting("MQTTS_PORT", 18883)
        https_port = free_port_setting("HTTPS_PORT", 8443)
        self.secrets.mkdir(parents=True, exist_ok=True)
        self.secrets.chmod(0o700)
        self.authority = Authority(self.home / "tls")
        common = (self.authority, self.secrets)
        devices = [f"device_{number}" for number in range(1, DEVICES + 1)]
        self.guarded_postgres = GuardedPostgres(self.home / "postgres", postgres_port, logs / "postgres.log", *common)
        self.guarded_broker = GuardedBroker(self.home / "broker", mqtt_port, mqtts_port, logs / "broker.log", *common, devices)
        self.tokens = {groups: password(self.secrets / f"token-{groups[0]}") for groups in (("page", "read", "events", "metrics"), ("metrics",))}
        lines = (f"{','.join(groups)} {token}\n" for groups, token in self.tokens.items())
        write_secret(self.secrets / "tokens", "".join(lines))
        for_nginx, for_metrics = self.tokens.values()
        write_secret(self.secrets / "metrics-header", f"Authorization: Bearer {for_metrics}\n")
        self.nginx = Nginx(self.home / "nginx", https_port, self.http_port, logs / "nginx.log", *common, for_nginx)
        self.postgres, self.broker = self.guarded_postgres, self.guarded_broker

    def _settings(self, program: str) -> dict[str, str]:
        broker = self.guarded_broker
        settings = {
            "HTTP_LISTEN": f"{LOOPBACK}:{self.http_port}",
            "METRICS_LISTEN": f"{LOOPBACK}:{self.metrics_port}",
            "MAX_CONNECTIONS_PER_ADDRESS": "0",
            "TOKEN_FILE": str(self.secrets / "tokens"),
        }
        if program == "devicesim":
            return {**settings, "MQTT_URL": broker.devices_url(), "MQTT_CA_FILE": str(self.authority.ca_file)}
        role = "highwater" if program == "collector" else "highwater_reader"
        settings["DATABASE_URL"] = self.guarded_postgres.address(user=role)
        settings["DATABASE_PASSWORD_FILE"] = str(self.guarded_postgres.password_file(role))
        return {**settings, "MQTT_URL": broker.url(program), "MQTT_PASSWORD_FILE": str(broker.password_file(program))}

    def _start_programs(self) -> None:
        self._start_program("collector")
        self._start_program("httpapi")
        say(f"nginx: log in {self.home / 'log' / 'nginx.log'}")
        self.nginx.start()
        self.programs.append(self.nginx.program)
        credentials = str(self.guarded_broker.credentials)
        self._start_program("devicesim", "--num-devices", str(DEVICES), "--credentials", credentials)

    def _ask(self, path: str) -> HTTPResponse:
        """As a browser does: through nginx, with a password."""
        login = base64.b64encode(f"anna:{self.nginx.password}".encode()).decode()
        request = urllib.request.Request(f"https://localhost:{self.nginx.port}{path}", headers={"Authorization": f"Basic {login}"})
        trust = ssl.create_default_context(cafile=self.authority.ca_file)
        return urllib.request.urlopen(request, timeout=2, context=trust)

    def where_to_look(self) -> str:
        broker, ca_file = self.guarded_broker, self.authority.ca_file
        page = f"https://localhost:{self.nginx.port}/"
        # mosquitto_sub reads arguments from a file of its name: in the list of processes a password is for everybody.
        word = broker.password_file("operator").read_text()
        write_secret(self.secrets / "mosquitto_sub", f"-h {LOOPBACK}\n-p {broker.port}\n-u operator\n-P {word}\n")
        return (
            "\n"
            "Highwater is running, as in production.\n"
            "\n"
            f"  page, API     {page}   (user anna, her password is in {self.secrets}/page-anna)\n"
            f"                curl --cacert {ca_file} --netrc-file {self.nginx.netrc} {page}dashboard\n"
            f"  boards, live  XDG_CONFIG_HOME={self.secrets} mosquitto_sub -v -t 'collectors/+/boards/#'\n"
            f"  devices       {broker.devices_url()}, CA {ca_file}, users in {broker.credentials}\n"
            f'  readings      psql "{self.guarded_postgres.url(user="highwater_reader")}"\n'
            f"  inside        curl http://{LOOPBACK}:{self.metrics_port}/metrics; curl -H @{self.secrets}/metrics-header http://{LOOPBACK}:{self.http_port}/metrics\n"
            "\n"
            "Ctrl-C stops everything; data and passwords are kept for the next run. `make run-clean` forgets them.\n"
        )


if __name__ == "__main__":
    sys.exit(main(Production, "production"))
