"""What an answer of Cassandra's means for a write, and when it is tried again.

By the names of the driver's classes, so that this can be tested without it, and so that what a newer driver adds
is tried again rather than given up.
"""

from __future__ import annotations

import enum
import random


class Kind(enum.Enum):
    AWAY = "away"  # nobody, too few or too busy: tried again for as long as it takes
    REFUSED = "refused"  # the statement can never be done: a row or the table is at fault
    SETUP = "setup"  # rights, password, configuration: tried again, for it is no row's fault


_KINDS = {
    "InvalidRequest": Kind.REFUSED,  # a guardrail, a value that does not fit, a table that is gone
    "FunctionFailure": Kind.REFUSED,
    "Unauthorized": Kind.SETUP,
    "AuthenticationFailed": Kind.SETUP,
    "BadCredentials": Kind.SETUP,
    "SyntaxException": Kind.SETUP,
    "ConfigurationException": Kind.SETUP,
    "UnsupportedOperation": Kind.SETUP,
    "Timeout": Kind.AWAY,
    "OperationTimedOut": Kind.AWAY,
    "Unavailable": Kind.AWAY,
    "WriteFailure": Kind.AWAY,
    "OverloadedErrorMessage": Kind.AWAY,
    "IsBootstrappingErrorMessage": Kind.AWAY,
    "TruncateError": Kind.AWAY,
    "ServerError": Kind.AWAY,
    "NoHostAvailable": Kind.AWAY,
    "NoConnectionsAvailable": Kind.AWAY,
    "ConnectionException": Kind.AWAY,
    "OSError": Kind.AWAY,
}


def kind_of(error: BaseException) -> Kind:
    """The kind of the nearest class that is known; what is not known is tried again."""
    for ancestor in type(error).__mro__:
        kind = _KINDS.get(ancestor.__name__)
        if kind:
            return kind
    return Kind.AWAY


def name_of(error: BaseException) -> str:
    """For a metric's label and for the log, without ...ErrorMessage and ...Exception."""
    return type(error).__name__.removesuffix("ErrorMessage").removesuffix("Exception")


FIRST_S = 0.1
MOST_S = 5.0


def backoff_s(attempts: int, chance: float | None = None) -> float:
    """How long to wait after so many attempts (from 1): twice as long each time, up to a bound, half of it chance."""
    whole = min(MOST_S, FIRST_S * 2 ** min(attempts - 1, 10))
    return whole * (0.5 + 0.5 * (random.random() if chance is None else chance))
