"""The receivers of the page on notifications take what cronq posts, and nothing else."""

from __future__ import annotations

import json
import re
import threading
import time
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest

from cronq import App, Retry
from cronq.messages.message import State
from cronq.webhook.signature import signature
from cronq.webhook.subscription import Webhook
from tests.docs.test_docs_snippets import DOCS, blocks
from tests.making import settings
from tests.webhook.test_deliveries import run_all

KEY = "0123456789abcdef0123456789abcdef"
CALLBACK, RECEIVER, RECEIVER_WITHOUT_CRONQ = blocks("notifications.md")


class Quiet(WSGIRequestHandler):
    def log_message(self, *args):
        pass


@pytest.fixture
def page(home, monkeypatch):
    """Run a block of the page where its secret is, and return what it defines."""
    (home / "ops.secret").write_text(KEY + "\n")
    (home / "ops.secret").chmod(0o600)
    monkeypatch.chdir(home)

    def run(block):
        found = {"__name__": "page"}
        exec(block, found)  # noqa: S102 - our own document
        return found

    return run


def test_the_receiver_takes_what_cronq_posts_and_nothing_else(page, home):
    application = page(RECEIVER)["application"]
    server = make_server("127.0.0.1", 0, application, handler_class=Quiet)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        url = f"http://127.0.0.1:{server.server_port}/"
        assert deliver(home, url, "ops.secret") == []
        (home / "other.secret").write_text("f" * 32)
        (home / "other.secret").chmod(0o600)
        (error,) = deliver(home, url, "other.secret")
        assert "the receiver says 400" in error
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def deliver(home, url, secret_file):
    """Let a task fail, and return what is wrong with its delivery."""
    webhook = Webhook("ops", url, secret_file=str(home / secret_file), timeout_s=300.0)
    app = App(settings(home, webhooks=(webhook,)))

    def fail() -> None:
        raise LookupError("no")

    app.task(name="shop.fail", retry=Retry(max_attempts=1))(fail).enqueue()
    run_all(app)
    return [record.error for record in app.transport.browse(State.DELAYED)]


def test_the_receiver_without_cronq_takes_the_same(page):
    is_ours = page(RECEIVER_WITHOUT_CRONQ)["is_ours"]
    now = str(int(time.time()))
    assert is_ours(now, signature(["f" * 32, KEY], now, b"{}"), b"{}")
    assert not is_ours(now, signature([KEY], now, b"{}"), b"{ }")
    assert not is_ours(now, signature(["f" * 32], now, b"{}"), b"{}")
    old = str(int(time.time()) - 1000)
    assert not is_ours(old, signature([KEY], old, b"{}"), b"{}")


def test_the_callback_of_the_page_is_called(page, capsys):
    app = page(CALLBACK)["app"]

    def charge(order: int) -> None:
        raise LookupError("no such order")

    with app.testing() as box:
        app.task(name="shop.charge", retry=Retry(max_attempts=1))(charge).enqueue(7)
        box.run_all(raises=False)
    assert capsys.readouterr().out == "shop.charge {'order': 7}: LookupError: no such order\n"


def test_what_is_posted_has_the_keys_that_the_page_shows(home, receiver):
    (home / "ops.secret").write_text(KEY)
    (home / "ops.secret").chmod(0o600)
    deliver(home, receiver.url, "ops.secret")
    (shown,) = re.findall(r"^```json\n(.*?)^```", (DOCS / "notifications.md").read_text(), re.MULTILINE | re.DOTALL)
    assert list(json.loads(shown)) == list(receiver.requests[0].told)
