"""The signature by which a receiver knows that a request comes from us. `verify` is for receivers.

Signed is `<timestamp>.<body>`, by HMAC (RFC 2104) with SHA-256.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

TOLERANCE_S = 300.0  # between the clocks of both sides, the way between them included
EVENT, ID, TIMESTAMP, SIGNATURE = "Cronq-Event", "Cronq-Id", "Cronq-Timestamp", "Cronq-Signature"


def signature(secrets: Iterable[str], timestamp: str, body: bytes) -> str:
    """Return what stands in `Cronq-Signature`: one signature for each secret, so that an old one may be replaced."""
    return ",".join(f"v1={_signed(secret, timestamp, body)}" for secret in secrets)


def verify(
    secret: str,
    headers: Mapping[str, str],
    body: bytes,
    now: float,
    tolerance_s: float = TOLERANCE_S,
) -> bool:
    """Tell whether a request is a webhook of whoever knows `secret`, signed less than `tolerance_s` from `now`.

    `body` are the bytes as they came, `now` is `time.time()`. Upper and lower case in the names of `headers` is the
    same. What was recorded can be sent again within the tolerance: `Cronq-Id` tells what you have had already.
    """
    import hmac

    given = {name.lower(): value for name, value in headers.items()}
    timestamp = given.get(TIMESTAMP.lower(), "")
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) < 16):
        return False
    wanted = f"v1={_signed(secret, timestamp, body)}".encode()
    signatures = given.get(SIGNATURE.lower(), "").encode("utf-8", "replace").split(b",")
    is_signed = any(hmac.compare_digest(wanted, one.strip()) for one in signatures)
    return is_signed and abs(now - int(timestamp)) <= tolerance_s


def _signed(secret: str, timestamp: str, body: bytes) -> str:
    import hmac

    return hmac.digest(secret.encode(), f"{timestamp}.".encode() + body, "sha256").hex()
