"""`max_waiting` and `store_max_mb`: refused where it is enqueued."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cronq import App, QueueFull, Unsent
from cronq.config import load
from cronq.messages.message import Message, State

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Configured = Callable[[str], App]


def note(text: str) -> None: ...


@pytest.fixture
def configured(home: Path) -> Iterator[Configured]:
    apps = []

    def make(text: str) -> App:
        (home / "cronq.toml").write_text(text)
        app = App(load(str(home / "cronq.toml")))
        app.task(name="note")(note)
        apps.append(app)
        return app

    yield make
    for app in apps:
        app.transport.close()


def enqueue(app: App, text: str = "a", queue: str | None = None) -> None:
    app.registry.get("note").using(queue=queue).enqueue(text)


def fill(app: App) -> None:
    for _ in range(100):
        enqueue(app, "x" * 20_000)


def waiting(app: App, queue: str = "normal") -> int:
    return app.transport.waiting(queue, 1000)


FULL = "[queues.normal]\nmax_waiting = 2\n"


@pytest.mark.parametrize("prefix", ["", 'queue_prefix = "shop:"\n'])
def test_an_enqueue_beyond_max_waiting_is_refused_and_delayed_messages_count(
    configured: Configured, prefix: str
) -> None:
    app = configured(prefix + FULL)
    enqueue(app)
    app.registry.get("note").using(delay_s=60).enqueue("later")
    with pytest.raises(QueueFull, match="queue 'normal' is full"):
        enqueue(app)
    enqueue(app, queue="high")
    assert (waiting(app), waiting(app, "high")) == (2, 1)


def test_another_process_that_finds_the_queue_full_refuses_at_once(configured: Configured) -> None:
    enqueue(configured(FULL))
    enqueue(configured(FULL))
    with pytest.raises(QueueFull):
        enqueue(configured(FULL))


def test_inside_an_outbox_it_is_the_enqueue_that_is_refused_and_the_rest_is_sent(configured: Configured) -> None:
    app = configured(FULL)
    enqueue(app)
    with app.outbox():
        enqueue(app)
        with pytest.raises(QueueFull):
            enqueue(app)
    assert waiting(app) == 2


def test_a_queue_without_a_limit_beside_one_that_has_one_takes_all(configured: Configured) -> None:
    app = configured(FULL)
    app.registry.get("note").using(queue="low").enqueue_many([((str(number),), {}) for number in range(50)])
    assert waiting(app, "low") == 50


def test_a_hook_takes_what_is_refused_and_the_refused_is_no_part_of_the_outbox(configured: Configured) -> None:
    app = configured(FULL)
    taken: list[Message] = []

    @app.on_unsent
    def keep(error: Unsent, messages: object) -> bool:
        taken.extend(error.messages)
        return isinstance(error, QueueFull)

    with app.outbox():
        for number in range(5):
            enqueue(app, str(number))
    assert len(taken) == 3
    assert [one.message.body for one in app.transport.browse(State.READY)] == [b'{"text":"0"}', b'{"text":"1"}']


async def enqueue_later(app: App) -> None:
    for _ in range(3):
        await app.registry.get("note").aenqueue("a")


def test_a_coroutine_is_refused_as_well(configured: Configured) -> None:
    import asyncio

    app = configured(FULL)
    with pytest.raises(QueueFull):
        asyncio.run(enqueue_later(app))
    assert waiting(app) == 2


def test_a_transaction_of_the_caller_is_refused_as_well(configured: Configured, home: Path) -> None:
    import sqlite3

    app = configured(FULL)
    enqueue(app)
    enqueue(app)
    connection = sqlite3.connect(home / ".cronq" / "queue.db", isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    with pytest.raises(QueueFull):
        app.enqueue_in(connection, app.registry.get("note").call("a"))
    connection.close()


def test_a_store_of_a_megabyte_takes_a_megabyte_and_new_messages_when_some_have_gone(configured: Configured) -> None:
    app = configured("store_max_mb = 1\n")
    with pytest.raises(QueueFull, match="store_max_mb"):
        fill(app)
    assert 40 <= waiting(app) <= 52
    app.transport.flush("normal")
    enqueue(configured("store_max_mb = 1\n"), "x" * 20_000)


def test_what_a_test_box_opens_knows_the_limits_of_nobody_else(configured: Configured) -> None:
    app = configured(FULL)
    enqueue(app)
    enqueue(app)
    with app.testing():
        enqueue(app)
    with pytest.raises(QueueFull):
        enqueue(app)
