"""Headers that cronq writes for itself: what one call says of its own running, and how it is called in lists.

They stand among the project's headers, so that a message needs no column for what few of them say, and consumers of
an earlier release run it as if nothing were said. A task does not see them in `context.headers`.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from cronq.messages.message import Message

PREFIX = "cronq-"
LABEL, RETRY, TIMEOUT_S, RESULT_TTL_S = (PREFIX + name for name in ("label", "retry", "timeout-s", "result-ttl-s"))

_MARK = f'"{PREFIX}'.encode()


def as_bytes(headers: Mapping[str, str] | None) -> bytes:
    """Return headers as messages have them: JSON, or nothing."""
    if not headers:
        return b""
    import json

    return json.dumps(dict(headers)).encode()


def own_headers(headers: bytes) -> Mapping[str, str]:
    """Return cronq's own among stored headers. Raises ValueError for what is no JSON object."""
    if _MARK not in headers:
        return {}
    import json

    return {name: value for name, value in dict(json.loads(headers)).items() if name.startswith(PREFIX)}


def label_of(message: Message) -> str:
    """Return how a message is called for people, "" when its task says nothing of it or its headers are garbled."""
    try:
        return str(own_headers(message.headers).get(LABEL, ""))
    except ValueError:
        return ""
