"""deploy/containers/compose.yaml as Compose reads it: with its variables put in.

    compose.py SCHEMA.json     holds it to the specification's schema, and to what that cannot say; `make lint-containers`
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

CLONE = Path(__file__).resolve().parents[2]
FOLDER = CLONE / "deploy" / "containers"
FILE = FOLDER / "compose.yaml"
IMAGES = {"highwater-collector": "collector", "highwater-httpapi": "httpapi", "highwater-devicesim": "devicesim"}


def put_in(value: Any, variables: Mapping[str, str]) -> Any:
    """${NAME:-default}, as all that is used of Compose's interpolation; $$ is a dollar."""
    if isinstance(value, dict):
        return {name: put_in(inner, variables) for name, inner in value.items()}
    if isinstance(value, list):
        return [put_in(inner, variables) for inner in value]
    if not isinstance(value, str):
        return value

    def one(match: re.Match[str]) -> str:
        return "$" if match[0] == "$$" else variables.get(match[1]) or match[2]

    return re.sub(r"\$\$|\$\{(\w+):-([^}]*)\}", one, value)


def read(variables: Mapping[str, str] | None = None) -> dict[str, Any]:
    return put_in(yaml.safe_load(FILE.read_text()), variables or {})


def program_of(service: Mapping[str, Any]) -> str | None:
    """Ours, that it runs; None: an image of others."""
    return IMAGES.get(service["image"])


def path_of(name: str) -> Path:
    """What a file in it names, as seen from where it stands."""
    return (FOLDER / name).resolve()


def problems(compose: Mapping[str, Any]) -> list[str]:
    """What no schema says."""
    found = []
    targets = set(re.findall(r"^FROM \S+ AS (\S+)", (FOLDER / "Containerfile").read_text(), re.MULTILINE))
    services = compose["services"]
    for name, service in services.items():
        if "restart" not in service:
            found.append(f"{name}: no restart policy")
        if ":" not in service["image"] and program_of(service) is None:
            found.append(f"{name}: {service['image']} has no version")
        if "build" in service and service["build"]["target"] not in targets:
            found.append(f"{name}: the Containerfile has no {service['build']['target']}")
        if program_of(service) and not (service.get("read_only") and service.get("cap_drop") == ["ALL"]):
            found.append(f"{name}: it could be closed further")
        for port in service.get("ports", []):
            if not port.startswith("127.0.0.1:"):
                found.append(f"{name}: port {port} is open to the world")
        for other, how in service.get("depends_on", {}).items():
            if how["condition"] == "service_healthy" and "healthcheck" not in services[other]:
                found.append(f"{name}: waits for {other}, which has no healthcheck")
            if not set(services[other].get("profiles", [])) <= set(service.get("profiles", [])):
                found.append(f"{name}: waits for {other}, which may not be there")
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            if source.startswith(".") and not path_of(source).exists():
                found.append(f"{name}: there is no {source}")
            if not source.startswith(".") and source not in compose["volumes"]:
                found.append(f"{name}: no volume {source}")
        for variable, value in service.get("environment", {}).items():
            if re.search(r"PASSWORD$", variable) or re.search(r"//[^/]*:[^/@]*@", value):
                found.append(f"{name}: {variable} holds a secret; there are files for that")
            secret = value.removeprefix("/run/secrets/")
            if secret != value and secret not in service.get("secrets", []):
                found.append(f"{name}: {variable} names a secret that it is not given")
        found += [f"{name}: no secret {secret}" for secret in service.get("secrets", []) if secret not in compose["secrets"]]
    return found


def main() -> int:
    import jsonschema

    compose = read()
    schema = json.loads(Path(sys.argv[1]).read_text())
    schema["properties"].setdefault("name", {"type": "string"})  # the schema that is packaged is older than that
    found = [
        f"{'/'.join(map(str, error.absolute_path))}: {error.message}"
        for error in jsonschema.Draft7Validator(schema).iter_errors(compose)
    ]
    for problem in found + problems(compose):
        print(f"{FILE.relative_to(CLONE)}: {problem}", file=sys.stderr)
    return 1 if found + problems(compose) else 0


if __name__ == "__main__":
    sys.exit(main())
