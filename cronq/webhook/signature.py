"""The signatures by which a receiver knows that a request comes from us. `verify` is for receivers.

`Cronq-Signature` signs `<timestamp>.<body>`, by HMAC (RFC 2104) with SHA-256. Beside it stand the headers of Standard
Webhooks (standardwebhooks.com), which sign `<id>.<timestamp>.<body>`: receivers verify them with a library of theirs.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

TOLERANCE_S = 300.0  # between the clocks of both sides, the way between them included
STANDARD_ID, STANDARD_TIMESTAMP, STANDARD_SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"
STANDARD_PREFIX = "whsec_"  # of a secret as Standard Webhooks writes it: base64 follows
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


def standard_headers(secrets: Iterable[str], delivery_id: str, timestamp: str, body: bytes) -> dict[str, str]:
    """Return the headers of Standard Webhooks. Each secret signs once, as in `signature`."""
    import hmac
    from binascii import b2a_base64

    content = f"{delivery_id}.{timestamp}.".encode() + body
    signed = (b2a_base64(hmac.digest(_standard_key(one), content, "sha256"), newline=False) for one in secrets)
    signatures = " ".join(f"v1,{one.decode()}" for one in signed)
    return {STANDARD_ID: delivery_id, STANDARD_TIMESTAMP: timestamp, STANDARD_SIGNATURE: signatures}


def _standard_key(secret: str) -> bytes:
    """Return the key that a secret stands for: what its prefix is followed by, or else its characters.

    What follows the prefix and is no base64 is a secret of the project's own that happens to begin so.
    """
    from binascii import Error, a2b_base64

    encoded = secret.removeprefix(STANDARD_PREFIX)
    if encoded == secret:
        return secret.encode()
    try:
        return a2b_base64(encoded, strict_mode=True)
    except Error:
        return secret.encode()
