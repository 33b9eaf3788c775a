"""The signature of a webhook, as sender and receiver see it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time

import pytest
import standardwebhooks

from cronq.webhook.signature import TOLERANCE_S, signature, standard_headers, verify
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


@pytest.mark.parametrize("secret", ["a secret of 24 characters", "whsec_" + base64.b64encode(b"x" * 24).decode()])
def test_a_receiver_with_a_library_of_standard_webhooks_knows_us_and_nobody_else(secret):
    library = standardwebhooks.Webhook(secret if secret.startswith("whsec_") else secret.encode())
    timestamp = str(int(time.time()))
    told = standard_headers(["an older secret, kept", secret], "01a2", timestamp, b'{"event":"failed"}')
    assert library.verify(b'{"event":"failed"}', told) == {"event": "failed"}
    for wrong in ({"webhook-id": "01a3"}, {"webhook-timestamp": str(int(timestamp) - 1000)}):
        with pytest.raises(standardwebhooks.WebhookVerificationError):
            library.verify(b'{"event":"failed"}', told | wrong)
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        library.verify(b'{"event":"finished"}', told)


def test_a_secret_that_only_begins_like_one_of_standard_webhooks_is_taken_as_it_stands():
    told = standard_headers(["whsec_ is how mine begins"], "01a2", "1700000000", b"{}")
    assert told["webhook-signature"].startswith("v1,")
