"""The signature of a webhook, as sender and receiver see it."""

from __future__ import annotations

import hashlib
import hmac

import pytest

from cronq.webhook.signature import TOLERANCE_S, signature, verify
from cronq.webhook.subscription import Webhook

KEY = "correct horse battery"
BODY = b'{"event":"failed"}'
AT = 1_767_225_600


def headers(*secrets: str, at: int = AT, body: bytes = BODY) -> dict[str, str]:
    return {"Cronq-Timestamp": str(at), "Cronq-Signature": signature(secrets or (KEY,), str(at), body)}


def test_the_signature_is_the_hmac_that_the_documents_promise():
    wanted = hmac.new(KEY.encode(), b"1767225600." + BODY, hashlib.sha256).hexdigest()
    assert signature([KEY], "1767225600", BODY) == f"v1={wanted}"


@pytest.mark.parametrize("name", [str, str.lower, str.upper])
def test_what_was_signed_is_verified_however_its_headers_are_spelt(name):
    assert verify(KEY, {name(key): value for key, value in headers().items()}, BODY, AT)


@pytest.mark.parametrize("late_s", [-TOLERANCE_S, 0, TOLERANCE_S])
def test_clocks_may_differ_by_the_tolerance(late_s):
    assert verify(KEY, headers(), BODY, AT + late_s)


@pytest.mark.parametrize("late_s", [-TOLERANCE_S - 1, TOLERANCE_S + 1])
def test_what_is_older_or_newer_than_the_tolerance_is_refused(late_s):
    assert not verify(KEY, headers(), BODY, AT + late_s)


def test_while_a_secret_is_replaced_both_are_good():
    both = headers("the new one of today", KEY)
    assert verify(KEY, both, BODY, AT)
    assert verify("the new one of today", both, BODY, AT)
    assert not verify("another one of old", both, BODY, AT)


@pytest.mark.parametrize(
    "changed",
    [
        {"Cronq-Timestamp": str(AT + 1)},
        {"Cronq-Timestamp": "1e9"},
        {"Cronq-Timestamp": "\u0661"},
        {"Cronq-Timestamp": "9" * 400},
        {"Cronq-Signature": ""},
        {"Cronq-Signature": "v1="},
        {"Cronq-Signature": "v1=\u00e9"},
        {"Cronq-Signature": headers()["Cronq-Signature"].removeprefix("v1=")},
        {"Cronq-Signature": headers(body=b"{}")["Cronq-Signature"]},
    ],
)
def test_what_is_not_signed_just_so_is_refused(changed):
    assert not verify(KEY, headers() | changed, BODY, AT)


def test_a_request_without_our_headers_is_refused():
    assert not verify(KEY, {}, BODY, AT)


@pytest.mark.parametrize(
    ("webhook", "event", "hears"),
    [
        (Webhook("ops", "u"), "failed", True),
        (Webhook("ops", "u"), "finished", False),
        (Webhook("ops", "u", ("finished",)), "finished", True),
        (Webhook("ops", "u", tasks=("a", "b")), "failed", True),
        (Webhook("ops", "u", tasks=("b",)), "failed", False),
        (Webhook("ops", "u", queues=("high",)), "failed", True),
        (Webhook("ops", "u", queues=("low",)), "failed", False),
        (Webhook("ops", "u", tasks=("a",), queues=("low",)), "failed", False),
    ],
)
def test_a_webhook_hears_of_what_it_asked_for(webhook, event, hears):
    assert webhook.hears_of(event, "a", "high") is hears
