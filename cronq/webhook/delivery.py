"""One delivery of a webhook. Imported when there is one: an HTTP client costs 20 ms and 3 MB."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from http.client import HTTPConnection, HTTPSConnection
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import cronq
from cronq.errors import CronqError, GiveUp
from cronq.messages.ids import enqueued_at
from cronq.namedtuple import NamedTuple
from cronq.webhook.signature import EVENT, ID, SIGNATURE, TIMESTAMP, signature, standard_headers

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cronq.webhook.subscription import Webhook

_READ_AT_MOST = 4096  # bytes of an answer
_SHOWN = 200  # characters of it
_GONE = 410


class DeliveryError(CronqError):
    """The receiver did not take it: it is tried again later."""


class News(NamedTuple):
    """What is told: that a message has ended (`on`: "failed" or "finished"), how (`event`), under an id of its own."""

    id: str
    on: str
    event: Mapping[str, Any]


def post(webhook: Webhook, secrets: Sequence[str], news: News, now: float) -> None:
    """Post one event. Raises DeliveryError, or OSError, for what may be mended; GiveUp for what will not."""
    body = json.dumps(_told(webhook, news), separators=(",", ":")).encode()
    timestamp = str(int(now))
    headers = {
        "Content-Type": "application/json",
        "User-Agent": f"cronq/{cronq.__version__}",
        "Connection": "close",
        EVENT: news.on,
        ID: news.id,
        TIMESTAMP: timestamp,
        SIGNATURE: signature(secrets, timestamp, body),
        **standard_headers(secrets, news.id, timestamp, body),
    }
    status, said = _send(webhook, body, headers)
    if status == _GONE:
        raise GiveUp(f"webhook {webhook.name}: the receiver says 410 Gone: it wants no more of this")
    if not 200 <= status < 300:
        hint = ": redirects are not followed, set url to where it leads" if 300 <= status < 400 else ""
        raise DeliveryError(f"webhook {webhook.name}: the receiver says {status}{hint or said}")


def _told(webhook: Webhook, news: News) -> dict[str, Any]:
    """Return what is posted. A delivery is made when the message has ended, so its own id tells when that was."""
    event = news.event
    message_id = event["message_id"]
    told = {
        "event": news.on,
        "message_id": message_id,
        "task": event["task"],
        "queue": event["queue"],
        "attempt": event["attempt"],
        "error_class": event.get("error_class"),
        "error": event.get("error"),
        "enqueued_at": _written(enqueued_at(message_id)),
        "finished_at": _written(enqueued_at(news.id)),
        "host": event.get("host"),
    }
    return told | ({"arguments": event.get("arguments")} if webhook.arguments else {})


def _written(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")


def _send(webhook: Webhook, body: bytes, headers: Mapping[str, str]) -> tuple[int, str]:
    """Make one request, and return its status with the beginning of the answer. Redirects are not followed."""
    url = urlsplit(webhook.url)
    kind = HTTPSConnection if url.scheme == "https" else HTTPConnection
    connection = kind(url.hostname or "", url.port, timeout=webhook.timeout_s)
    try:
        connection.request("POST", (url.path or "/") + (f"?{url.query}" if url.query else ""), body, dict(headers))
        response = connection.getresponse()
        said = response.read(_READ_AT_MOST).decode("utf-8", "replace")[:_SHOWN].strip()
        return response.status, f": {said}" if said else ""
    finally:
        connection.close()
