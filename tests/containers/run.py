"""Builds the images, and runs what compose.yaml says in them: `make test-containers`.

Without a container engine, for buildah needs none: an image is mounted, and its program runs in it as Compose would have it run,
with the root read-only, as its user, without a capability, in a network of its own, where the services' names are known. Before, all
shells are taken out. Mosquitto and PostgreSQL are this machine's, with the settings that compose.yaml gives to theirs.

    BASE=image    what the images stand on. Else docker.io's Debian, or, where no registry can be reached, one that mmdebstrap makes.
    SUITE=trixie  of which release mmdebstrap makes it, in any case; else of this machine's
    KEEP=folder   where the images are kept for the next time; else all of it goes

Needs root, and what `deploy/deps containers` installs.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import compose

sys.path.insert(0, str(compose.CLONE / "deploy" / "local"))

from servers import PrivateBroker, PrivatePostgres, until  # noqa: E402

MOST_BYTES = 25_000_000  # of an image above its base
UID = 10001
SLIM = "docker.io/library/debian:trixie-slim"
SHELLS = ("sh", "dash", "bash", "rbash", "perl")
NETWORK = "HIGHWATER_IN_ITS_NETWORK"


def say(text: str) -> None:
    print(f"containers: {text}", file=sys.stderr, flush=True)


def run(*argv: str | Path, **more: Any) -> str:
    ran = subprocess.run(argv, check=False, text=True, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, **more)
    if ran.returncode != 0:
        raise SystemExit(f"containers: {' '.join(map(str, argv))}: exit status {ran.returncode}\n{ran.stdout}")
    return ran.stdout.strip()


# --- Images -------------------------------------------------------------------------------------------


class Images:
    def __init__(self, store: Path) -> None:
        self.store = store

    def buildah(self, *argv: str, **more: Any) -> str:
        return run("buildah", "--root", self.store / "images", "--runroot", self.store / "run", *argv, **more)

    def base(self) -> str:
        """The name of what they stand on."""
        named = os.environ.get("BASE")
        if named:
            return named
        suite = os.environ.get("SUITE")
        if suite:
            return self.made_base(suite)
        with contextlib.suppress(SystemExit):
            self.buildah("pull", "--quiet", SLIM, stderr=subprocess.DEVNULL)
            return SLIM
        say("no registry can be reached: mmdebstrap makes the base")
        return self.made_base(run("sh", "-c", ". /etc/os-release; echo $VERSION_CODENAME"))

    def made_base(self, suite: str) -> str:
        """As Debian's slim images are: no documentation, no lists of packages."""
        name = f"localhost/debian-slim-{suite}"
        if name in self.buildah("images", "--format", "{{.Name}}").split():
            return name
        root = self.store / "base"
        without = [f"--dpkgopt=path-exclude=/usr/share/{what}/*" for what in ("doc", "man", "locale", "info")]
        run("mmdebstrap", "--quiet", "--variant=minbase", *without, "--dpkgopt=path-include=/usr/share/doc/*/copyright", suite, root)
        for pattern in ("var/lib/apt/lists/*", "var/cache/apt/*.bin", "var/cache/apt/archives/*.deb", "var/log/*.log"):
            for path in root.glob(pattern):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        container = self.buildah("from", "scratch")
        self.buildah("copy", "--quiet", container, str(root), "/")
        self.buildah("config", "--env", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", container)
        self.buildah("commit", "--quiet", container, name)
        self.buildah("rm", container)
        shutil.rmtree(root)
        return name

    def build(self, target: str, base: str) -> None:
        say(f"building {target}")
        log = self.store / f"{target}.log"
        argv = ["build", "--isolation", "chroot", "--layers", "--format", "docker", "--build-arg", f"BASE={base}"]
        argv += ["--file", "deploy/containers/Containerfile", "--target", target, "--tag", f"highwater-{target}", "."]
        with log.open("w") as output:
            ran = subprocess.run(
                ["buildah", "--root", self.store / "images", "--runroot", self.store / "run", *argv],
                check=False, cwd=compose.CLONE, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            )  # fmt: skip
        if ran.returncode != 0:
            raise SystemExit(f"containers: {target} is not built:\n" + "\n".join(log.read_text().splitlines()[-30:]))

    def mount(self, image: str) -> Path:
        return Path(self.buildah("mount", self.buildah("from", "--pull-never", image)))

    def settings(self, image: str) -> dict[str, Any]:
        """What the image says of itself."""
        return json.loads(self.buildah("inspect", "--type", "image", image))["Docker"]["config"]


def bytes_of(root: Path) -> int:
    """On disk, without what other file systems are mounted there."""
    return int(run("du", "-sx", "--block-size=1", root).split()[0])


def without_shells(root: Path) -> None:
    for name in SHELLS:
        for folder in ("bin", "usr/bin"):
            (root / folder / name).unlink(missing_ok=True)


# --- A container ----------------------------------------------------------------------------------------

# In namespaces of its own for mounts and processes: the root read-only, /proc, the bare devices, secrets and names. Then
# no privilege is left. What stands before "--" is for this, what follows for the program.
ENTER = r"""
set -eu
root=$1 secrets=$2 hosts=$3; shift 4
mount --bind "$root" "$root"
mkdir -p "$root/run/secrets" "$root/proc" "$root/dev"
for file in $secrets; do touch "$root/run/secrets/${file##*/}"; mount --bind "$file" "$root/run/secrets/${file##*/}"; done
mount --bind "$hosts" "$root/etc/hosts"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
for device in null zero urandom random; do touch "$root/dev/$device"; mount --bind "/dev/$device" "$root/dev/$device"; done
mount -t proc proc "$root/proc"
mount -o remount,bind,ro "$root"
cd "$root"
exec unshare --root "$root" --wd / -- "$@"
"""


class Container:
    """A service of compose.yaml, in its image."""

    def __init__(self, name: str, service: dict[str, Any], images: Images, root: Path, area: Path) -> None:
        self.name, self.service, self.root, self.area = name, service, root, area
        self.settings = images.settings(service["image"])
        self.log = area / f"{name}.log"
        self.process: subprocess.Popen[bytes] | None = None

    def command(self, *program: str) -> list[str | Path]:
        secrets = " ".join(str(self.area / "secrets" / secret) for secret in self.service.get("secrets", []))
        setpriv = [
            "setpriv", "--reuid", str(UID), "--regid", str(UID), "--clear-groups", "--no-new-privs", "--bounding-set=-all",
            "--inh-caps=-all",
        ]  # fmt: skip
        return [
            "unshare", "--mount", "--pid", "--fork", "--kill-child=SIGKILL", "sh", "-c", ENTER, "enter",
            self.root, secrets, self.area / "hosts", "--", *setpriv, *program,
        ]  # fmt: skip

    def environment(self) -> dict[str, str]:
        ours = dict(pair.split("=", 1) for pair in self.settings["Env"])
        return {**ours, **self.service.get("environment", {})}

    def start(self) -> None:
        argv = [*self.settings["Entrypoint"], *self.service.get("command", [])]
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                self.command(*argv), env=self.environment(), stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )

    def pid(self) -> int:
        """Of the program: the child of unshare, which is the first process in there."""
        assert self.process
        return int(Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()[0])

    def healthcheck(self) -> int:
        """As the engine does: in the same image, with the same environment."""
        test = self.service["healthcheck"]["test"]
        assert test[0] == "CMD" and test == self.settings["Healthcheck"]["Test"], "image and compose.yaml agree"
        return subprocess.run(self.command(*test[1:]), env=self.environment(), check=False, stdin=subprocess.DEVNULL).returncode

    def terminate(self) -> int:
        os.kill(self.pid(), getattr(signal, self.settings["StopSignal"]))
        assert self.process
        return self.process.wait(60)

    def kill(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def is_closed(self) -> None:
        """As whom it runs, and what it may do."""
        status = Path(f"/proc/{self.pid()}/status").read_text()
        lines = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
        assert lines["Uid"].split() == [str(UID)] * 4 and lines["Gid"].split() == [str(UID)] * 4, lines["Uid"]
        assert {int(lines[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {0}
        assert lines["NoNewPrivs"] == "1"
        mounts = [line.split() for line in Path(f"/proc/{self.pid()}/mountinfo").read_text().splitlines()]
        root = [options for _, _, _, _, place, options, *_ in mounts if place == "/"]
        assert root and "ro" in root[-1].split(","), root
        assert not any(Path(f"/proc/{self.pid()}/root/bin/{shell}").exists() for shell in SHELLS)


# --- The servers, and the trial -----------------------------------------------------------------------


class Postgres(PrivatePostgres):
    """As its image makes it: who comes over the network needs a password, who is inside does not."""

    AUTHENTICATION = ("--auth-local", "trust", "--auth-host", "scram-sha-256")

    def __init__(self, area: Path, service: dict[str, Any]) -> None:
        super().__init__(area / "postgres", port=5432)
        self.area, self.service = area, service

    def _make_roles(self) -> None:
        """What is mounted among the scripts of an empty database, with its files where it looks for them."""
        places = dict(reversed(volume.split(":")[:2]) for volume in self.service["volumes"])
        script = next(compose.path_of(source) for place, source in places.items() if place.startswith("/docker-entrypoint-initdb.d/"))
        place, source = next(pair for pair in places.items() if pair[0].startswith("/usr/local/share/"))
        enter = """set -eu; area=$1 source=$2 place=$3 script=$4; shift 4
            mkdir -p /run/secrets "${place%/*}"; mount -t tmpfs tmpfs /run/secrets; mount -t tmpfs tmpfs "${place%/*}"
            cp "$source" "$place"; for name in "$@"; do cp "$area/secrets/$name" /run/secrets/; done; exec "$script" """
        env = {**os.environ, "PGHOST": str(self.home)}
        argv = ["roles", self.area, compose.path_of(source), place, script, *self.service["secrets"]]
        run("unshare", "--mount", "sh", "-c", enter, *argv, env=env)


class Broker(PrivateBroker):
    """With the settings of deploy/containers."""

    def config(self) -> str:
        return (compose.FOLDER / "mosquitto.conf").read_text().replace("/mosquitto/data", str(self.home))


@contextlib.contextmanager
def servers(area: Path, services: dict[str, Any]) -> Iterator[None]:
    """PostgreSQL and Mosquitto of this machine, where the services' own would be: under their names, at their ports."""
    postgres = Postgres(area, services["postgres"])
    broker = Broker(area / "mosquitto", port=1883, log=area / "mosquitto.log")
    try:
        postgres.start()
        broker.start()
        for service in (services["mosquitto"], services["postgres"]):
            test = service["healthcheck"]["test"]
            until(lambda test=test: subprocess.run(test[1:], check=False, capture_output=True).returncode == 0, 20, f"{test} says so")
        yield
    finally:
        broker.kill9()
        postgres.stop("immediate")


def get(path: str) -> Any:
    with urllib.request.urlopen(f"http://127.0.0.1:5000{path}", timeout=10) as answer:
        return answer.read()


def is_there(path: str, words: bytes) -> bool:
    try:
        return words in get(path)
    except OSError:
        return False


def trial(images: Images, area: Path) -> None:
    """In the network of its own: demo, from the start of all to the end of each."""
    services = compose.read()["services"]
    run("ip", "link", "set", "lo", "up")
    run(compose.FOLDER / "make-secrets", area / "secrets")
    (area / "hosts").write_text("".join(f"127.0.0.1 {name}\n" for name in ("localhost", *services)))
    chosen = [name for name in ("collector", "httpapi", "devicesim") if compose.program_of(services[name])]
    containers = {}
    try:
        with servers(area, services):
            for name in chosen:
                root = images.mount(services[name]["image"])
                without_shells(root)
                containers[name] = Container(name, services[name], images, root, area)
                containers[name].start()
            try_all(containers)
    except BaseException:
        for container in containers.values():
            say(f"{container.name} said:\n" + "\n".join(container.log.read_text().splitlines()[-20:]))
        raise
    finally:
        for container in containers.values():
            container.kill()


def try_all(containers: dict[str, Container]) -> None:
    until(lambda: is_there("/readyz", b"ready"), 60, "httpapi is ready")
    until(lambda: is_there("/dashboard", b"deviceId"), 60, "readings are on the boards")
    for container in containers.values():
        folder = container.root / container.environment()["SSL_CERT_DIR"].lstrip("/")
        assert len([path for path in folder.glob("*.0") if path.is_file()]) > 50, "the system's authorities are in the image"
    assert b"<title>" in get("/") and b"</html>" in get("/"), "the page is in the image"
    for container in containers.values():
        container.is_closed()
    for name in ("collector", "httpapi"):
        assert containers[name].healthcheck() == 0, name
        os.kill(containers[name].pid(), signal.SIGSTOP)
        assert containers[name].healthcheck() == 1, f"{name} stands still"
        os.kill(containers[name].pid(), signal.SIGCONT)
    say("they are ready, healthy, and closed; readings are on the boards")
    for name in ("devicesim", "collector", "httpapi"):
        began = time.monotonic()
        assert containers[name].terminate() == 0, f"{name} drains"
        say(f"{name} ended with 0 within {time.monotonic() - began:.1f} s")
    log = containers["collector"].log.read_text()
    assert "SIGTERM: draining" in log and log.rstrip().endswith("ended"), "the collector drained"


def main() -> int:
    if os.geteuid() != 0:
        raise SystemExit("containers: mounts are for root")
    if os.environ.get(NETWORK):
        store, area = map(Path, sys.argv[1:])
        trial(Images(store), area)
        return 0
    area = Path(tempfile.mkdtemp(prefix="highwater-containers-"))
    area.chmod(0o755)
    store = Path(os.environ.get("KEEP") or area / "store")
    store.mkdir(parents=True, exist_ok=True)
    images = Images(store)
    try:
        base = images.base()
        before = bytes_of(images.mount(base))
        for target in compose.IMAGES.values():
            images.build(target, base)
            more = bytes_of(images.mount(f"highwater-{target}")) - before
            say(f"{target}: {more / 1e6:.1f} MB above a base of {before / 1e6:.0f} MB")
            assert more <= MOST_BYTES, target
        return subprocess.run(
            ["unshare", "--net", sys.executable, __file__, store, area], env={**os.environ, NETWORK: "1"}, check=False
        ).returncode
    finally:
        with contextlib.suppress(SystemExit):
            images.buildah("rm", "--all")
            if not os.environ.get("KEEP"):
                images.buildah("rmi", "--all", "--force")
        shutil.rmtree(area, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
