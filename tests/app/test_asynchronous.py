"""Enqueueing from coroutines: the event loop goes on whatever the queue waits for."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import threading
import time

import pytest

from cronq.app import App
from cronq.config import load


@pytest.fixture
def app(home):
    (home / "cronq.toml").write_text("")
    app = App(load(str(home / "cronq.toml")))
    yield app
    asyncio.run(app.enqueuer.thread.run(app.transport.close))  # each thread closes its own connection
    app.transport.close()


@pytest.fixture
def task(app):
    def send(to: str) -> None: ...

    return app.task(name="shop.send")(send)


def test_a_held_write_lock_does_not_stop_the_loop(app, task):
    app.transport.counts()
    holder = sqlite3.connect(f"{app.state.path}/queue.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    turns = []

    async def others() -> None:
        while holder.in_transaction:
            turns.append(time.monotonic())
            if len(turns) == 20:
                holder.rollback()
            await asyncio.sleep(0.005)

    async def main() -> str:
        ref, _ = await asyncio.gather(task.aenqueue("ada"), others())
        return ref.status

    assert asyncio.run(main()) == "ready"
    assert len(turns) == 20
    holder.close()


def test_all_ways_to_enqueue_are_there_for_coroutines(app, task):
    async def main() -> list[str]:
        return [
            (await task.aenqueue("a")).id,
            (await task.using(priority=5).aenqueue("b")).id,
            (await task.call("c").aenqueue()).id,
        ]

    ids = asyncio.run(main())
    assert [app.transport.find(one).message.priority for one in ids] == [0, 5, 0]


def test_an_outbox_of_a_coroutine_is_sent_at_its_end_or_dropped(app, task):
    async def main(fails: bool) -> str:
        try:
            async with app.outbox():
                ref = await task.aenqueue("ada")
                task.enqueue("bob")
                assert ref.status == "held"
                if fails:
                    raise ZeroDivisionError
        except ZeroDivisionError:
            pass
        return ref.status

    assert [asyncio.run(main(False)), asyncio.run(main(True))] == ["ready", "dropped"]
    assert [counts.ready for counts in app.transport.counts()] == [2]


def test_two_coroutines_have_an_outbox_each(app, task):
    async def hold(name: str, both_are_open: asyncio.Barrier) -> int:
        async with app.outbox() as outbox:
            task.enqueue(name)
            await both_are_open.wait()
            return len(outbox.messages)

    async def main() -> tuple[int, int]:
        barrier = asyncio.Barrier(2)
        return await asyncio.gather(hold("a", barrier), hold("b", barrier))

    assert tuple(asyncio.run(main())) == (1, 1)


def test_where_the_host_refuses_threads_a_message_is_enqueued_all_the_same(app, task, monkeypatch):
    def refused(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refused)

    async def main() -> str:
        return (await task.aenqueue("ada")).status

    assert asyncio.run(main()) == "ready"


def test_a_forked_process_has_a_thread_of_its_own(app, task):
    async def main() -> str:
        return (await task.aenqueue("ada")).status

    assert asyncio.run(main()) == "ready"
    child = os.fork()
    if child == 0:
        try:
            os._exit(0 if asyncio.run(main()) == "ready" else 1)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
