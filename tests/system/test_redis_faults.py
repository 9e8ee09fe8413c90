"""Redis as it should not be: the collector stores all the same and stays ready, says what is wrong, and goes on by itself."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import subprocess
import tempfile
import threading
from pathlib import Path

import pytest
from conftest import BUILD_DIR
from faults import assert_all_well, assert_bounded, start_fleet
from oracle import now_us, reading
from private_redis import PrivateRedis
from redis_tools import board_key, remarks, status_of
from servers import LOOPBACK, free_port, until
from test_tls_faults import Authority

BEST = board_key("collector", "temperature", "all_time", "", "board")


@pytest.fixture
def servers(area, logs):
    """Makes Redis servers with these settings, and starts them."""
    made = []

    def start(settings=None, name="redis"):
        made.append(PrivateRedis(Path(tempfile.mkdtemp(dir=area, prefix="redis-")), settings, logs / f"{name}-{len(made)}.log"))
        made[-1].start()
        return made[-1]

    yield start
    for server in made:
        server.kill9()


def says(stack, *words):
    """Waits until /readyz, which is good, says so of Redis; returns what it says."""

    def said():
        lines = "\n".join(remarks(stack))
        return lines if all(word in lines for word in words) else ""

    text = until(said, 30, f"it says {words}")
    assert stack.get("/readyz", stack.metrics_port)[0] == 200
    return text


class Best:
    """A device whose temperature is higher each time."""

    def __init__(self, stack):
        self.stack = stack
        self.value = 1e6
        self.publisher = stack.publisher()

    def rise(self):
        self.value += 1
        self.publisher.send(reading("best", now_us(), temperature=self.value))
        self.publisher.wait()
        return self.value

    def is_in(self, redis):
        with contextlib.suppress(Exception):
            return json.loads(redis.get(BEST))["readings"][0]["temperature"] == self.value
        return False

    def arrives(self, redis):
        self.rise()
        until(lambda: self.is_in(redis), 30, "the board has it")

    def is_stored(self):
        return self.stack.database.value(
            "SELECT count(*) FROM device_readings WHERE device_id = 'best' AND temperature = %s", (self.value,)
        )


def started(stack, redis_url, **settings):
    """(collector, the best device), once the collector is ready, Redis or not."""
    collector = stack.start_collector(redis_url=redis_url, **settings)

    def is_ready():
        assert collector.is_running(), collector.tail()
        with contextlib.suppress(OSError):
            return stack.get("/readyz", stack.metrics_port)[0] == 200
        return False

    until(is_ready, 30, "it is ready")
    return collector, Best(stack)


def test_redis_comes_late_dies_and_comes_back_empty(stack, rng, servers):
    server = servers()
    server.kill9()
    collector, best = started(stack, server.url())
    says(stack, "Redis is away", "connection refused")
    assert stack.metrics()["highwater_redis_up"] == 0
    best.rise()
    until(best.is_stored, 20)
    server.start()
    redis = server.client()
    until(lambda: best.is_in(redis), 30, "it has the boards")
    until(lambda: not list(remarks(stack)), 20, "there is nothing to say")
    for _ in range(3):
        server.kill9()
        says(stack, "Redis is away")
        best.rise()
        server.start()
        until(lambda: best.is_in(redis) and redis.dbsize() == 20, 30, "all boards are there again")
    assert collector.output().count("redis: connected") >= 2
    assert_bounded(collector)
    assert_all_well(stack, best.publisher, collector)


def test_a_hung_redis_holds_nothing_up(stack, rng, servers):
    server = servers()
    collector, fleet = start_fleet(stack, rng, redis_url=server.url())
    best = Best(stack)
    best.arrives(server.client())
    with server.paused(), fleet.load(300):
        for _ in range(40):
            best.rise()
            until(best.is_stored, 10)
        until(lambda: stack.metrics()["highwater_redis_replaced_total"] > 0, 30, "what waits is replaced")
        says(stack, "Redis is away", "no answer in time")
        for _ in range(40):
            best.rise()
            until(best.is_stored, 10)
    until(lambda: best.is_in(server.client()), 30, "the newest is there")
    assert_bounded(collector)
    assert_all_well(stack, [fleet.publisher, best.publisher], collector)


def test_a_replica_is_left_for_a_primary(stack, servers):
    server = servers()
    redis = server.client()
    collector, best = started(stack, server.url())
    best.arrives(redis)
    redis.replicaof(LOOPBACK, free_port())
    best.rise()
    says(stack, "it is a replica, which takes no writes")
    until(best.is_stored, 20)
    until(lambda: stack.metrics()["highwater_redis_connects_total"] > 3, 30, "it looks again")
    assert collector.output().count("it is a replica") <= 3, "said once, by the connection and of the boards"
    redis.replicaof("NO", "ONE")
    until(lambda: best.is_in(redis), 30, "it takes boards")
    until(lambda: not list(remarks(stack)), 20)


def test_a_full_redis_keeps_what_it_has(stack, servers):
    server = servers()
    redis = server.client()
    collector, best = started(stack, server.url(), redis_expiry="5s")
    best.arrives(redis)
    untouched = board_key("collector", "pressure", "all_time", "", "board")
    redis.config_set("maxmemory", "1")
    best.rise()
    says(stack, "it has no memory left for new boards")
    renewed = stack.metrics()["highwater_redis_renewals_total"]
    until(lambda: stack.metrics()["highwater_redis_renewals_total"] > renewed + 12, 30, "what is the same is renewed")
    assert redis.exists(untouched)
    until(lambda: not redis.exists(BEST), 30, "what is not renewed goes")
    redis.config_set("maxmemory", "0")
    until(lambda: best.is_in(redis), 30)
    until(lambda: not list(remarks(stack)), 20)
    assert "it takes all boards again" in collector.output()


def test_a_redis_that_cannot_save(stack, servers):
    server = servers()
    redis = server.client()
    _, best = started(stack, server.url())
    best.arrives(redis)
    redis.config_set("save", "3600 1")
    (server.home / "dump.rdb").mkdir()
    redis.bgsave()
    until(lambda: redis.info("persistence")["rdb_last_bgsave_status"] == "err", 20)
    best.rise()
    says(stack, "it cannot save to its disk")
    redis.config_set("save", "")
    until(lambda: best.is_in(redis), 30)


def test_scripts_that_are_flushed(stack, servers):
    server = servers()
    redis = server.client()
    collector, best = started(stack, server.url())
    best.arrives(redis)
    for _ in range(3):
        redis.script_flush()
        best.arrives(redis)
    assert "NOSCRIPT" not in collector.output() and collector.output().count("redis: connected") == 1


def test_passwords(stack, servers, logs):
    server = servers({"requirepass": "first-secret"})
    redis = server.client()
    file = logs / "redis-password"
    file.write_text("wrong-secret\n")
    file.chmod(0o600)
    collector, best = started(stack, server.url(), redis_password_file=file)
    says(stack, "it does not know this user with this password")
    file.write_text("first-secret\n")
    best.arrives(redis)
    redis.config_set("requirepass", "second-secret")
    file.write_text("second-secret\n")
    collector.signal(signal.SIGHUP)
    until(lambda: collector.output().count("redis: connected") >= 2 or stack.metrics()["highwater_redis_connects_total"] >= 2, 20)
    best.arrives(redis)
    file.unlink()
    collector.signal(signal.SIGHUP)
    says(stack, "password file", "No such file")
    until(lambda: best.rise() and best.is_stored(), 20)
    collector.kill9()
    for user, said in (("", "it wants a password"), (":other@", "does not know this user"), ("nobody:x%40y@", "does not know this user")):
        collector, _ = started(stack, server.url(user))
        says(stack, said)
        collector.kill9()
    server.client().config_set("requirepass", "")
    collector, _ = started(stack, server.url(":one-too-many@"))
    says(stack, "it is given a password and has none itself")
    for log in logs.glob("collector*.log"):
        assert not any(secret in log.read_text() for secret in ("-secret", "one-too-many", "x@y", "x%40y"))


def test_rights(stack, servers):
    """With the rights of docs/REDIS.md all goes; without one of them it says so."""
    server = servers()
    redis = server.client()
    document = (Path(__file__).parents[2] / "docs/REDIS.md").read_text()
    rights = document.split("ACL SETUSER collector on >secret ")[1].split("\n\n")[0].split()
    redis.execute_command("ACL", "SETUSER", "collector", "on", ">secret", *rights)
    collector, best = started(stack, server.url("collector:secret@", 3))
    in_three = server.client(db=3)
    best.arrives(in_three)
    until(lambda: status_of(in_three).get("state") == "live", 20)
    assert redis.dbsize() == 0
    assert not list(remarks(stack))
    assert "highwater-collector" in {client["name"] for client in redis.client_list()}
    redis.execute_command("ACL", "SETUSER", "collector", "-publish")
    best.rise()
    says(stack, "its access control list does not allow")
    refused = stack.metrics()["highwater_redis_refused_total"]
    until(lambda: stack.metrics()["highwater_redis_refused_total"] >= refused + 8, 20, "that is not forgotten")
    assert stack.metrics()["highwater_redis_lacking"] >= 4, "three boards and the status"
    redis.execute_command("ACL", "SETUSER", "collector", "+publish")
    until(lambda: not list(remarks(stack)), 20)
    redis.execute_command("ACL", "SETUSER", "collector", "-script|load", "-client|setname")
    redis.client_kill_filter(_type="normal", skipme=True)
    says(stack, "its access control list does not allow", "script")
    collector.kill9()


def test_a_database_that_there_is_not(stack, servers):
    started(stack, servers().url(database=99))
    says(stack, "it has no database of that number")


def test_a_socket_of_the_machine(stack, servers):
    server = servers()
    server.socket.chmod(0o777)
    server.home.chmod(0o755)
    _, best = started(stack, f"unix://{server.socket}?db=2")
    best.arrives(server.client(db=2))


@pytest.mark.parametrize("host", ["[::1]", "localhost"])
def test_names_and_addresses(stack, servers, host):
    """localhost is two addresses, of which Redis listens on one."""
    with contextlib.closing(socket.socket(socket.AF_INET6)) as probe:
        try:
            probe.bind(("::1", 0))
        except OSError:
            pytest.skip("there is no IPv6 here")
    server = servers({"bind": "::1" if host == "[::1]" else LOOPBACK})
    _, best = started(stack, f"redis://{host}:{server.port}")
    best.arrives(server.client())


def test_a_name_that_nobody_has(stack):
    _, best = started(stack, "redis://no-such-host.invalid")
    says(stack, "Redis is away: no-such-host.invalid")
    best.rise()
    until(best.is_stored, 20)


def test_tls(stack, servers, area):
    ours, other = Authority(Path(tempfile.mkdtemp(dir=area)), "ours"), Authority(Path(tempfile.mkdtemp(dir=area)), "other")
    certificate, key = ours.issue("server")
    client, client_key = ours.issue("client")
    port = free_port()
    settings = {"tls-port": str(port), "tls-cert-file": str(certificate), "tls-key-file": str(key), "tls-ca-cert-file": str(ours.ca)}
    server = servers({**settings, "tls-auth-clients": "yes"})
    url = f"rediss://{LOOPBACK}:{port}"
    files = {"redis_ca_file": ours.ca, "redis_cert_file": client, "redis_key_file": client_key}
    collector, best = started(stack, url, **files)
    best.arrives(server.client())
    before = stack.metrics()["highwater_redis_connects_total"]
    collector.signal(signal.SIGHUP)
    until(lambda: stack.metrics()["highwater_redis_connects_total"] > before, 20, "it connects again")
    best.arrives(server.client())
    collector.kill9()
    for url, files, said in (
        (url, {"redis_ca_file": other.ca}, f"is of an authority that {other.ca} does not know; REDIS_CA_FILE"),
        (url, {"redis_ca_file": ours.ca}, "Redis wants a certificate of ours"),
        (f"rediss://{LOOPBACK}:{server.port}", {"redis_ca_file": ours.ca}, "the URL begins with redis://"),
        (f"redis://{LOOPBACK}:{port}", {}, "must begin with rediss://"),
    ):
        collector, best = started(stack, url, **files)
        says(stack, said)
        best.rise()
        until(best.is_stored, 20)
        collector.kill9()


def cluster_of(servers, count):
    """Nodes that share the slots, and know of each other."""
    settings = {"cluster-enabled": "yes", "cluster-config-file": "nodes.conf", "cluster-announce-ip": LOOPBACK}
    buses = [free_port() for _ in range(count)]  # by default 10,000 above the other, which may be somebody's
    nodes = [servers({**settings, "cluster-port": str(bus)}) for bus in buses]
    for number, node in enumerate(nodes):
        first, last = 16384 * number // count, 16384 * (number + 1) // count - 1
        node.client().execute_command("CLUSTER", "ADDSLOTSRANGE", first, last)
        if number:
            node.client().execute_command("CLUSTER", "MEET", LOOPBACK, nodes[0].port, buses[0])
    until(lambda: all("cluster_state:ok" in node.client().execute_command("CLUSTER", "INFO") for node in nodes), 60, "the cluster is up")
    return nodes


def in_cluster(nodes):
    """All boards, wherever they are: {key: value}."""
    found = {}
    for node in nodes:
        redis = node.client()
        found.update({key: redis.get(key) for key in redis.keys("highwater:*:board")})
    return found


def test_a_cluster_of_one(stack, servers):
    nodes = cluster_of(servers, 1)
    collector, best = started(stack, nodes[0].url())
    best.arrives(nodes[0].client())
    assert len(in_cluster(nodes)) == 6 and not list(remarks(stack))
    collector.kill9()
    started(stack, nodes[0].url(database=1))
    says(stack, "a cluster has database 0 only")


def test_a_cluster_of_three_is_followed(stack, servers):
    nodes = cluster_of(servers, 3)
    collector, best = started(stack, nodes[1].url())

    def is_there():
        boards = in_cluster(nodes)
        entries = json.loads(boards.get(BEST) or '{"readings": []}')["readings"]
        return len(boards) == 6 and entries and entries[0]["temperature"] == best.value

    best.rise()
    until(is_there, 30, "all boards are in the cluster")
    assert sum(node.client().dbsize() > 0 for node in nodes) > 1
    until(lambda: not list(remarks(stack)), 20)
    redis = next(node for node in nodes if BEST in node.client().keys("highwater:*:board"))
    slot = redis.client().execute_command("CLUSTER", "KEYSLOT", BEST)
    other = nodes[0] if redis is not nodes[0] else nodes[2]
    ids = {node: node.client().execute_command("CLUSTER", "MYID") for node in nodes}
    other.client().execute_command("CLUSTER", "SETSLOT", slot, "IMPORTING", ids[redis])
    redis.client().execute_command("CLUSTER", "SETSLOT", slot, "MIGRATING", ids[other])
    for key in redis.client().execute_command("CLUSTER", "GETKEYSINSLOT", slot, 100):
        redis.client().execute_command("MIGRATE", LOOPBACK, other.port, key, 0, 5000, "AUTH2", "tester", "any")
    for node in nodes:
        node.client().execute_command("CLUSTER", "SETSLOT", slot, "NODE", ids[other])
    best.rise()
    until(lambda: best.is_in(other.client()), 30, "the board is where its slot is now")
    other.kill9()
    best.rise()
    until(best.is_stored, 20)
    says(stack, "Redis")
    other.start()
    until(is_there, 60, "all boards are in the cluster")
    until(lambda: not list(remarks(stack)), 30)


ODD = {
    "http": b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "silence": b"",
    "endless": b"$1000000000\r\n" + b"x" * 200_000,
    "many": b"*2147483647\r\n" * 3,
    "negative": b"$-7\r\n",
    "deep": b"*1\r\n" * 20,
    "nil": b"$-1\r\n" * 20,
    "numbers": b":1\r\n" * 20,
    "words": b"+OK\r\n" * 20,
    "short sha": b"+OK\r\n$3\r\nabc\r\n",
    "too many": b"+OK\r\n$40\r\n" + b"a" * 40 + b"\r\n" + b":1\r\n" * 500,
    "an odd error": b"-\r\n-\r\n-\xff\x00\x1b[31m\r\n",
    "moved nowhere": b"+OK\r\n$40\r\n" + b"a" * 40 + b"\r\n" + b"-MOVED\r\n-MOVED 1\r\n-MOVED 1 x\r\n-MOVED 1 x:0\r\n-MOVED 1 ?:1\r\n-MOVED 1 :1\r\n",
}


@pytest.mark.parametrize("answer", ODD.values(), ids=ODD)
def test_what_is_no_redis(stack, answer):
    """It answers oddly, again and again; readings are stored and the collector lives."""
    connections = []

    def serve(listener):
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                connections.append(client)
                threading.Thread(target=talk, args=(client,), daemon=True).start()

    def talk(client):
        with contextlib.suppress(OSError):
            while client.recv(65536):
                client.sendall(answer)

    with socket.create_server((LOOPBACK, 0)) as listener:
        threading.Thread(target=serve, args=(listener,), daemon=True).start()
        collector, best = started(stack, f"redis://{LOOPBACK}:{listener.getsockname()[1]}")
        until(lambda: len(connections) > (1 if answer else 0) or "too many" in str(answer) or list(remarks(stack)), 30)
        for _ in range(5):
            best.rise()
            until(best.is_stored, 20)
        assert collector.is_running() and "\x1b" not in collector.output()
        assert_bounded(collector)
        assert collector.terminate() == 0
    for client in connections:
        client.close()


WRONG = [
    ("redis://", "redis://"), ("http://cache", "http://"), ("cache:6379", ""), ("redis://:6379", ""), ("redis://h:0", ""),
    ("redis://h:70000", ""), ("redis://h/one", ""), ("redis://h/1/2", ""), ("redis://h/-1", ""), ("redis://h?db=1", ""),
    ("redis://user@h", "REDIS_PASSWORD_FILE"), ("redis://u:geheim@h:x", ""), ("redis://u:geheim@", ""), ("unix://path", ""),
    ("unix:///" + "x" * 200, ""), ("redis://[::1", ""), ("unix:///s?db=x", ""), ("redis://u:gehe/im@h/x", ""),
]  # fmt: skip


@pytest.mark.parametrize("url, said", WRONG)
def test_urls_that_are_not_legal(stack, url, said):
    collector = stack.start_collector(redis_url=url)
    assert collector.wait(30) == 2
    line = collector.output()
    assert "redis-url" in line and ("redis://[[user]:password@]host" in line or "REDIS_PASSWORD_FILE" in line), line
    assert said in line and "geheim" not in line and "gehe/im" not in line


def test_files_that_are_not_legal(stack, logs):
    for settings, said in (
        ({"redis_url": "redis://h", "redis_ca_file": "/x"}, "begins with rediss://"),
        ({"redis_url": "rediss://h", "redis_ca_file": "/no/such"}, "REDIS_CA_FILE: /no/such: No such file"),
        ({"redis_url": "rediss://h", "redis_cert_file": "/no/such"}, "REDIS_KEY_FILE is missing"),
        ({"redis_url": "redis://h", "redis_expiry": "1s"}, "REDIS_EXPIRY"),
    ):
        collector = stack.start_collector(**settings)
        assert collector.wait(30) == 2
        assert said in collector.output()


def test_help_tells_of_redis():
    text = subprocess.run([BUILD_DIR / "collector", "--help"], capture_output=True, text=True, check=True).stdout
    assert "--redis-url" in text and "docs/REDIS.md" in text
