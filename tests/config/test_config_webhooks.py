from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cronq.webhook.subscription import Webhook

if TYPE_CHECKING:
    from pathlib import Path

    from tests.config.conftest import Loading, Refusing

OPS = "[webhooks.ops]\nurl = 'https://example.org/cronq'\n"


def test_a_webhook_has_its_defaults(loaded: Loading) -> None:
    assert loaded(OPS).webhooks == (Webhook("ops", "https://example.org/cronq"),)


def test_every_key_of_a_webhook_is_kept(loaded: Loading, file: Path) -> None:
    text = (
        OPS + "on = ['finished', 'failed']\ntasks = ['shop.a']\nqueues = ['high']\narguments = true\nqueue = 'low'\n"
        "secret_file = 'keys/ops'\ntimeout = '3s'"
    )
    (webhook,) = loaded(text).webhooks
    secret = str(file.parent / "keys/ops")
    assert webhook[2:] == (("finished", "failed"), ("shop.a",), ("high",), True, "low", secret, 3.0)


def test_a_webhook_can_differ_by_environment_and_variable(loaded: Loading) -> None:
    text = OPS + "[env.staging.webhooks.ops]\nqueue = 'low'\n"
    (webhook,) = loaded(text, CRONQ_ENV="staging", CRONQ_WEBHOOKS_OPS_URL="http://localhost:8000/").webhooks
    assert (webhook.url, webhook.queue) == ("http://localhost:8000/", "low")


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8000", "https://example.org/a?b=c", "http://[::1]:80/", "HTTPS://EXAMPLE.ORG"]
)
def test_urls_of_the_web_are_taken(loaded: Loading, url: str) -> None:
    assert loaded(f"[webhooks.ops]\nurl = '{url}'").webhooks[0].url == url


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("ftp://example.org/", "must be a URL that begins with https:// or http://"),
        ("file:///etc/passwd", "must be a URL"),
        ("example.org/cronq", "must be a URL"),
        ("https://", "must be a URL"),
        ("https:///path", "must be a URL"),
        ("https://exa mple.org", "must be a URL"),
        ("https://example.org/\u00e9", "must be a URL"),
        ("https://example.org/\\nX: y", "must be a URL"),
        ("https://example.org:99999/", "ort"),
        ("https://[::1/", "IPv6"),
        ("https://ada:hunter2@example.org/", "signed with the secret instead"),
        ("https://example.org/#top", "behind #"),
    ],
)
def test_other_urls_are_refused_with_the_reason(refused: Refusing, url: str, reason: str) -> None:
    (problem,) = refused(f'[webhooks.ops]\nurl = "{url}"')
    assert "webhooks.ops.url = " in problem
    assert reason in problem
    assert "hunter2" not in problem


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("on = []", "webhooks.ops.on = []: must be a list of one or more of"),
        ("on = ['retried']", 'webhooks.ops.on = ["retried"]: must be a list of one or more of'),
        ("on = ['failed', 'failed']", "each once"),
        ("on = [['failed']]", "each once"),
        ("tasks = ['a b']", "webhooks.ops.tasks"),
        ("queues = ['hihg']", 'webhooks.ops.queues = "hihg": must be a queue that a group serves'),
        ("queue = 'lwo'", 'webhooks.ops.queue = "lwo": must be a queue that a group serves'),
        ("secret = 'x'", "is no key of cronq; did you mean secret_file?"),
        ("timeout = '1h'", "webhooks.ops.timeout"),
    ],
)
def test_what_makes_no_sense_is_refused(refused: Refusing, line: str, problem: str) -> None:
    (found,) = refused(OPS + line)
    assert problem in found


def test_a_webhook_needs_a_url(refused: Refusing) -> None:
    (problem,) = refused("[webhooks.ops]\non = ['failed']")
    assert "webhooks.ops.url is missing: must be a URL" in problem


@pytest.mark.parametrize("text", ["webhooks = 5", "webhooks.ops = 5"])
def test_a_webhook_is_a_table(refused: Refusing, text: str) -> None:
    (problem,) = refused(text)
    assert "must be a table" in problem
