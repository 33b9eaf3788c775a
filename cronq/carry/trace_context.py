"""A place in a distributed trace, as the W3C Trace Context recommendation writes it in `traceparent`. Pure."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from cronq.namedtuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

_FORMAT = re.compile(r"(?P<version>[0-9a-f]{2})-(?P<trace>[0-9a-f]{32})-(?P<span>[0-9a-f]{16})-(?P<flags>[0-9a-f]{2})")
_KNOWN_FLAGS = 0b11  # sampled, random-trace-id: what others may mean one day is not ours to pass on
_STATE_LENGTH = 512


class Trace(NamedTuple):
    """One span of a trace. `sampled` and such are in `flags`; `state` is what vendors add, passed on as it came."""

    trace_id: str
    span_id: str
    flags: int = 0
    state: str = ""

    def __str__(self) -> str:
        return f"00-{self.trace_id}-{self.span_id}-{self.flags:02x}"

    @classmethod
    def begin(cls) -> Trace:
        """Return a new trace. Nobody has recorded its beginning, so it does not claim to be sampled."""
        return cls(_digits(16), _digits(8))

    @classmethod
    def read(cls, headers: Mapping[str, str]) -> Trace | None:
        """Return what `traceparent` and `tracestate` say; None when the former is missing or not valid."""
        given = headers.get("traceparent", "")
        found = _FORMAT.match(given)
        if found is None or found["version"] == "ff":
            return None
        rest = given[found.end() :]
        if rest and (found["version"] == "00" or not rest.startswith("-")):
            return None
        if not found["trace"].strip("0") or not found["span"].strip("0"):
            return None
        state = headers.get("tracestate", "")
        is_sound = len(state) <= _STATE_LENGTH and state.isascii() and state.isprintable()
        return cls(found["trace"], found["span"], int(found["flags"], 16) & _KNOWN_FLAGS, state if is_sound else "")

    def child(self) -> Trace:
        """Return a new span of the same trace."""
        return self._replace(span_id=_digits(8))

    def headers(self) -> dict[str, str]:
        """Return it as headers, for a message or an HTTP request."""
        return {"traceparent": str(self), **({"tracestate": self.state} if self.state else {})}


def _digits(count: int) -> str:
    while not any(drawn := os.urandom(count)):
        pass  # all zeros are no id
    return drawn.hex()
