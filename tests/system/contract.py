"""The contract, /openapi.json, that every good answer of httpapi is held against."""

from __future__ import annotations

import json
import re
from typing import Any


class Contract:
    """/openapi.json, and whether an answer keeps to it. Knows the keywords that the document uses and
    fails on any other, so that nothing in there goes unchecked."""

    _ANNOTATIONS = {"description", "default", "format", "examples"}

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document

    def resolve(self, schema: dict[str, Any]) -> dict[str, Any]:
        while "$ref" in schema:
            assert set(schema) == {"$ref"}
            target: Any = self.document
            for part in schema["$ref"].removeprefix("#/").split("/"):
                target = target[part]
            schema = target
        return schema

    def errors(self, schema: dict[str, Any], value: Any, at: str = "$") -> list[str]:
        found: list[str] = []
        schema = self.resolve(schema)
        for keyword, rule in schema.items():
            check = getattr(self, f"_{keyword}", None)
            if check is not None:
                found += [f"{at}: {text}" if not text.startswith("$") else text for text in check(rule, value, at)]
            else:
                assert keyword in self._ANNOTATIONS | {"additionalProperties"}, f"{at}: keyword {keyword}?"
        if isinstance(value, dict) and "additionalProperties" in schema:
            rest = {k: v for k, v in value.items() if k not in schema.get("properties", {})}
            rule = schema["additionalProperties"]
            if rule is False and rest:
                found.append(f"{at}: has {sorted(rest)}")
            elif isinstance(rule, dict):
                for k, v in rest.items():
                    found += self.errors(rule, v, f"{at}.{k}")
        return found

    def _type(self, rule: Any, value: Any, at: str) -> list[str]:
        kinds = {
            "object": lambda v: isinstance(v, dict),
            "array": lambda v: isinstance(v, list),
            "string": lambda v: isinstance(v, str),
            "boolean": lambda v: isinstance(v, bool),
            "null": lambda v: v is None,
            "integer": lambda v: isinstance(v, int) and not isinstance(v, bool),
            "number": lambda v: isinstance(v, (int, float)) and not isinstance(v, bool),
        }
        allowed = [rule] if isinstance(rule, str) else rule
        return [] if any(kinds[k](value) for k in allowed) else [f"is no {rule}: {value!r}"]

    def _enum(self, rule: Any, value: Any, at: str) -> list[str]:
        return [] if value in rule else [f"{value!r} is none of {rule}"]

    def _required(self, rule: Any, value: Any, at: str) -> list[str]:
        return [f"lacks {name}" for name in rule if isinstance(value, dict) and name not in value]

    def _properties(self, rule: Any, value: Any, at: str) -> list[str]:
        if not isinstance(value, dict):
            return []
        return [e for name, s in rule.items() if name in value for e in self.errors(s, value[name], f"{at}.{name}")]

    def _items(self, rule: Any, value: Any, at: str) -> list[str]:
        if not isinstance(value, list):
            return []
        return [e for i, v in enumerate(value) for e in self.errors(rule, v, f"{at}[{i}]")]

    def _oneOf(self, rule: Any, value: Any, at: str) -> list[str]:
        results = [self.errors(s, value, at) for s in rule]
        return [] if sum(not r for r in results) == 1 else [f"fits not exactly one of several: {results}"]

    def _anyOf(self, rule: Any, value: Any, at: str) -> list[str]:
        return [] if any(not self.errors(s, value, at) for s in rule) else [f"fits none of several: {value!r}"]

    def _pattern(self, rule: str, value: Any, at: str) -> list[str]:
        return [] if not isinstance(value, str) or re.search(rule, value) else [f"{value!r} is not like {rule}"]

    def _minimum(self, rule: Any, value: Any, at: str) -> list[str]:
        return [] if not isinstance(value, (int, float)) or value >= rule else [f"{value} < {rule}"]

    def _maximum(self, rule: Any, value: Any, at: str) -> list[str]:
        return [] if not isinstance(value, (int, float)) or value <= rule else [f"{value} > {rule}"]

    def _minLength(self, rule: int, value: Any, at: str) -> list[str]:
        return [] if not isinstance(value, str) or len(value) >= rule else ["is too short"]

    def _maxLength(self, rule: int, value: Any, at: str) -> list[str]:
        return [] if not isinstance(value, str) or len(value) <= rule else ["is too long"]

    def _minItems(self, rule: int, value: Any, at: str) -> list[str]:
        return [] if not isinstance(value, list) or len(value) >= rule else ["has too few items"]

    def _maxItems(self, rule: int, value: Any, at: str) -> list[str]:
        return [] if not isinstance(value, list) or len(value) <= rule else ["has too many items"]

    def _uniqueItems(self, rule: bool, value: Any, at: str) -> list[str]:
        return [] if not isinstance(value, list) or len({json.dumps(v) for v in value}) == len(value) else ["has one twice"]

    def _minProperties(self, rule: int, value: Any, at: str) -> list[str]:
        return [] if not isinstance(value, dict) or len(value) >= rule else ["has too few members"]

    def _maxProperties(self, rule: int, value: Any, at: str) -> list[str]:
        return [] if not isinstance(value, dict) or len(value) <= rule else ["has too many members"]

    def knows(self, path: str) -> bool:
        path = path.partition("?")[0]
        return any(re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path) for template in self.document["paths"])

    def _operation(self, path: str) -> dict[str, Any]:
        path = path.partition("?")[0]
        for template, operations in self.document["paths"].items():
            if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path):
                return operations["get"]
        raise AssertionError(f"{path} is not in the contract")

    def check(self, path: str, status: int, headers: Any, body: bytes) -> None:
        """AssertionError when the answer is not what the contract says."""
        kind = headers.get("Content-Type") or headers.get("content-type")
        bare = kind.partition(";")[0]
        if status != 200:
            assert bare == "application/problem+json", f"{path}: {status} as {kind}"
            problem = json.loads(body)
            found = self.errors({"$ref": "#/components/schemas/Problem"}, problem)
            assert not found and problem["status"] == status, f"{path}: {found} {problem}"
            if self.knows(path):
                assert str(status) in self._operation(path)["responses"], f"{path}: {status} is not in the contract"
            return
        content = self._operation(path)["responses"]["200"]["content"]
        assert bare in content, f"{path}: {bare} is none of {list(content)}"
        value = json.loads(body) if bare == "application/json" else body.decode()
        found = self.errors(content[bare]["schema"], value)
        assert not found, f"{path}: {found}"
