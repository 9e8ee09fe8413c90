"""What a contract cannot say, for schemathesis: OpenAPI has no word for parameters that exclude each other."""

from __future__ import annotations

from typing import Any

import schemathesis


@schemathesis.hook
def filter_case(context: Any, case: Any) -> bool:
    """A group is asked for instead of devices; both are refused, as test_http_groups.py has it."""
    return not (case.operation.path == "/readings" and "deviceId" in case.query and case.query.get("group"))
