"""A store that cannot be written: who hears of it, and what becomes of the messages."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING

import pytest

from cronq import App, TransportError, Unsent, UsageError, events
from cronq.config import load
from cronq.errors import StateDirError, SyncError
from cronq.messages.message import Message, State
from tests.full_disk import no_room
from wsgi_hooks import CronqMiddleware
from wsgi_hooks.body import close

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path
    from typing import Any

    Told = list[tuple[str, Mapping[str, Any]]]


def send_mail(to: str) -> None: ...


@pytest.fixture
def app(home: Path) -> Iterator[App]:
    (home / "cronq.toml").write_text('[inline]\nmode = "off"\n')
    app = App(load(str(home / "cronq.toml")))
    app.task(name="send_mail")(send_mail)
    enqueue(app, "before")
    yield app
    app.transport.close()


@pytest.fixture
def told() -> Told:
    told: Told = []
    events.listeners.append(lambda name, facts: told.append((name, facts)))
    return told


def enqueue(app: App, to: str) -> None:
    app.registry.get("send_mail").enqueue(to)


def bodies(app: App) -> list[bytes]:
    return [one.message.body for one in app.transport.browse(State.READY)]


def taking(app: App) -> list[Message]:
    taken: list[Message] = []

    @app.on_unsent
    def keep(error: Unsent, messages: Sequence[Message]) -> bool:
        assert error.messages == tuple(messages)
        assert isinstance(error.__cause__, TransportError)
        taken.extend(messages)
        return True

    return taken


def test_the_caller_of_an_enqueue_catches_what_was_not_stored_and_can_enqueue_it_again(app: App) -> None:
    with (
        no_room(),
        pytest.raises(Unsent, match=r"free some space.*not enqueued: 1 of send_mail") as caught,
    ):
        enqueue(app, "ada")
    assert caught.value.pressure
    (message,) = caught.value.messages
    assert (message.task, message.body) == ("send_mail", b'{"to":"ada"}')

    (ref,) = app.enqueue(*caught.value.messages)

    assert ref.id == message.id
    assert bodies(app) == [b'{"to":"before"}', b'{"to":"ada"}']


def test_one_hook_takes_what_any_enqueue_could_not_store(app: App, told: Told) -> None:
    taken = taking(app)
    with no_room():
        enqueue(app, "ada")
        with app.outbox():
            enqueue(app, "bob")
            enqueue(app, "eve")
    assert [message.body for message in taken] == [b'{"to":"ada"}', b'{"to":"bob"}', b'{"to":"eve"}']
    assert [facts["is_taken"] for name, facts in told if name == "unsent"] == [True, True]
    assert "submitted" not in [name for name, _ in told]
    assert bodies(app) == [b'{"to":"before"}']


def test_a_hook_that_takes_nothing_or_fails_leaves_the_error_to_the_caller(app: App, told: Told) -> None:
    called = []
    app.on_unsent(lambda error, messages: called.append(len(messages)))

    @app.on_unsent
    def broken(error: Unsent, messages: Sequence[Message]) -> bool:
        raise RuntimeError("no mail server either")

    with no_room(), pytest.raises(Unsent):
        enqueue(app, "ada")

    assert called == [1]
    assert [facts["kind"] for name, facts in told if name == "hook_failed"] == ["on_unsent"]


def test_the_first_hook_that_takes_them_is_the_last_that_is_asked(app: App) -> None:
    taken, asked = taking(app), []
    app.on_unsent(lambda error, messages: asked.append(messages))
    with no_room():
        enqueue(app, "ada")
    assert (len(taken), asked) == (1, [])


def site(app: App, answered: list[str]) -> CronqMiddleware:
    def application(environ: Any, start_response: Callable[..., Any]) -> Iterable[bytes]:
        enqueue(app, "ada")
        answered.append("order stored")
        start_response("200 OK", [("Content-Type", "text/html")])
        return [b"thank you"]

    return CronqMiddleware(application, app)


def request(application: CronqMiddleware) -> bytes:
    body = application({"REQUEST_METHOD": "POST"}, lambda status, headers, exc_info=None: None)
    try:
        return b"".join(body)
    finally:
        close(body)


def test_a_request_whose_messages_a_hook_has_taken_is_answered(app: App) -> None:
    taken = taking(app)
    with no_room():
        assert request(site(app, [])) == b"thank you"
    assert len(taken) == 1


def test_a_request_whose_messages_nobody_takes_is_an_error_after_its_order_was_stored(app: App) -> None:
    answered: list[str] = []
    with no_room(), pytest.raises(Unsent):
        request(site(app, answered))
    assert answered == ["order stored"]


async def store(app: App) -> None:
    async with app.outbox():
        await app.registry.get("send_mail").aenqueue("ada")
    await app.registry.get("send_mail").using(immediately=True).aenqueue("bob")


def test_what_a_coroutine_enqueues_reaches_the_hook_as_well(app: App) -> None:
    import asyncio

    taken = taking(app)
    with no_room():
        asyncio.run(store(app))
    assert len(taken) == 2


def test_a_state_directory_that_cannot_be_used_is_the_same_to_the_caller(home: Path) -> None:
    (home / "cronq.toml").write_text("")
    app = App(load(str(home / "cronq.toml")))
    app.task(name="send_mail")(send_mail)
    (home / ".cronq").mkdir()
    (home / ".cronq").chmod(0o777)
    with pytest.raises(Unsent, match="lets others write") as caught:
        enqueue(app, "ada")
    assert isinstance(caught.value.__cause__, StateDirError)
    assert caught.value.exit_code == StateDirError.exit_code


def test_messages_that_are_there_but_not_yet_on_the_disk_are_not_unsent(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = taking(app)

    def unsure(messages: Sequence[Message], shown: object) -> None:
        raise SyncError("a power cut may take it")

    monkeypatch.setattr(app.transport, "enqueue", unsure)
    with pytest.raises(SyncError):
        enqueue(app, "ada")
    assert taken == []


def test_an_asynchronous_hook_is_refused(app: App) -> None:
    async def keep(error: Unsent, messages: Sequence[Message]) -> bool:
        return True

    with pytest.raises(UsageError, match=r"@app\.on_unsent"):
        app.on_unsent(keep)


def test_an_unsent_survives_pickling(app: App) -> None:
    with no_room(), pytest.raises(Unsent) as caught:
        enqueue(app, "ada")
    copy = pickle.loads(pickle.dumps(caught.value))  # noqa: S301 - our own
    assert (str(copy), copy.messages, copy.pressure) == (str(caught.value), caught.value.messages, True)
