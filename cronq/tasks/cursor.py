"""A cursor: how far work has come that goes on in slices. JSON, small, and the same when it comes back."""

from __future__ import annotations

from typing import Any

from cronq.errors import UsageError
from cronq.namedtuple import NamedTuple

MOST_BYTES = 65_536


class Later(NamedTuple):
    """What a task returns in order to go on in another slice: `return context.continue_later(cursor)`."""

    cursor: bytes
    delay_s: float


def written(cursor: object) -> bytes:
    """Return a cursor as it is stored. Raises UsageError for one that is too big, or would come back as another."""
    import json

    try:
        text = json.dumps(cursor, separators=(",", ":"), allow_nan=False).encode()
        is_the_same = json.loads(text) == _listed(cursor)
    except (TypeError, ValueError, RecursionError) as error:
        raise UsageError(f"the cursor cannot be written as JSON: {error}; keep numbers, text, lists in it") from None
    if not is_the_same:
        raise UsageError(f"the cursor {str(cursor)[:100]} would come back as {text[:100].decode()}: keys must be text")
    if len(text) > MOST_BYTES:
        raise UsageError(
            f"the cursor has {len(text)} bytes of JSON, {MOST_BYTES} are the most: keep a position in it, not the data"
        )
    return text


def read(stored: bytes) -> Any:
    """Return a stored cursor; None when there is none yet."""
    if not stored:
        return None
    import json

    return json.loads(stored)


def _listed(value: object) -> object:
    """Return a value with its tuples as lists: nobody is surprised by that."""
    if isinstance(value, (list, tuple)):
        return [_listed(one) for one in value]
    return {key: _listed(one) for key, one in value.items()} if isinstance(value, dict) else value
