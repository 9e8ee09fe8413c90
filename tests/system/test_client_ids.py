"""The README's table of client ids and topics, held to what a broker's log sees of all programs and commands."""

from __future__ import annotations

import re

import pytest
from conftest import CLONE
from servers import until
from test_collector import live_collector

MAPPINGS = str(CLONE / "deploy/mappings/devicesim.json")


class Row:
    def __init__(self, program: str, ids: str, subscribes: str, publishes: str) -> None:
        self.program = program.replace("`", "")
        self.ids = [re.compile(pattern(id_, "[^/-]+")) for id_ in re.findall(r"`(\S*<\S*)`", ids)]
        self.subscribes = re.findall(r"`([^`]*[/#][^`]*)`", subscribes)
        self.publishes = re.findall(r"`([^`]*/[^`]*)`", publishes)


def pattern(text: str, word: str = "[^/]+") -> str:
    """`<word>` is any, `<n>` what a program makes at its start; + and # are as in MQTT."""
    text = text.replace("$", r"\$").replace("+", "[^/]+").replace("<n>", "[0-9a-f-]+")
    return "^" + re.sub(r"/?#$", "(/.*)?", re.sub(r"<\w+>", lambda _: word, text)) + "$"


def covers(filters: list[str], topic: str) -> list[str]:
    """Those that are the topic or filter itself, or say it in general."""
    return [one for one in filters if one == topic or re.search(pattern(one), topic)]


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    text = (CLONE / "README.md").read_text().partition("| program | client id |")[2].partition("\n\n")[0]
    found = [Row(*(cell.strip() for cell in line.strip("|").split(" |", 3))) for line in text.splitlines()[2:]]
    assert len(found) >= 9
    return found


def seen(log: str) -> dict[str, tuple[set[str], set[str]]]:
    """(subscribes to, publishes, the last will as well) of each client, from a log of everything."""
    found: dict[str, tuple[set[str], set[str]]] = {}
    lines = [line.partition(": ")[2] for line in log.splitlines()]
    client, kind = "", 0
    for line in lines:
        if match := re.match(r"New client connected from \S+ as (\S+) ", line):
            client, kind = match[1], -1
            found.setdefault(client, (set(), set()))
        elif line.startswith("Will message specified"):
            kind = 1
        elif match := re.match(r"Received SUBSCRIBE from (\S+)", line):
            client, kind = match[1], 0
        elif match := re.match(r"Received PUBLISH from (\S+) \(.*?, '(.*?)', ", line):
            found[match[1]][1].add(match[2])
            kind = -1
        elif line.startswith("\t") and kind >= 0:
            found[client][kind].add(re.sub(r" \(QoS \d\)$", "", line.strip()))
        else:
            kind = -1
    return found


def program_of(client: str, publishes: set[str], rows: list[Row]) -> str:
    if client.startswith("auto-"):
        return "collector --rejected --resubmit"
    name = next((row.program for row in rows if any(id_.match(client) for id_ in row.ids)), None)
    assert name, f"the README knows no client id like {client}"
    return "devicesim --sparkplug" if name == "devicesim" and any(topic.startswith("spBv1.0/") for topic in publishes) else name


def run(stack, *args, name="collector", **settings):
    program = stack.program(name, args, log_name="command", **settings)
    program.start()
    assert program.wait() == 0, program.output()


def test_the_table_of_client_ids_is_what_a_broker_sees(stack, broker, rows):
    broker.stop()
    broker.extra_lines = ["log_type all"]
    broker.start()
    live_collector(stack, mappings=MAPPINGS, subscribe="devices/+/readings", thresholds="temperature>-1000")
    stack.start_httpapi()
    until(lambda: stack.get("/readyz")[0] == 200)
    stack.devicesim("--num-devices", "2", "--count", "20", "--rate", "max", "--about")
    stack.devicesim("--num-devices", "2", "--count", "20", "--rate", "max", "--malformed", "1", "--connections", "1")
    stack.devicesim("--num-devices", "2", "--count", "20", "--rate", "max", "--sparkplug")
    until(lambda: stack.database.count("rejected_messages") > 0)
    for program in ("collector", "httpapi", "devicesim"):
        run(stack, "--check", name=program, subscribe="devices/+/readings" if program == "collector" else None)
    run(stack, "--suggest-mapping", "--for", "1s")
    run(stack, "--rejected", "--resubmit")
    stack.program_named("collector").terminate()
    run(stack, "--forget", "collector", "--mappings", MAPPINGS)

    clients = seen(broker.program.output())
    assert len(clients) >= 12
    unseen = {(row.program, topic) for row in rows for topic in (*row.subscribes, *row.publishes)}
    for client, (subscribes, publishes) in clients.items():
        if client.startswith("auto-") and not publishes:
            continue  # the test's own, which listens
        name = program_of(client, publishes, rows)
        row = next(row for row in rows if row.program == name)
        mapped = ("tasmota/", "text/", "packs/", "spBv1.0/") if name == "collector, its session" else ()
        subscribed = [topic for one in rows for topic in one.subscribes] if name == "--check of each" else row.subscribes
        for kind, topics, said in (("subscribes to", subscribes, subscribed), ("publishes", publishes, row.publishes)):
            for topic in topics:
                found = covers(said, topic)
                assert found or topic.startswith(mapped), f"{client} ({name}) {kind} {topic}, which the README does not say"
                unseen -= {(name, one) for one in found}
    # What did not happen here: a birth was not asked for, no device of an edge node went, and a node has no values of its own.
    rare = {("its host of Sparkplug", "spBv1.0/<group>/NCMD/<node>"), ("devicesim --sparkplug", "spBv1.0/<group>/NDATA/<node>"),
            ("devicesim --sparkplug", "spBv1.0/<group>/DDEATH/<node>/<device>")}  # fmt: skip
    assert unseen <= rare
