"""What is enqueued while the store cannot be written: kept, put into its queues once, in its order."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from cronq import App, Unsent, events
from cronq.config import load
from cronq.errors import TransportError
from cronq.host.spool import BEGIN, Mark
from cronq.messages.ids import new_id
from cronq.messages.message import Ack, State
from cronq.supervisor.replay import LOOK_EVERY_S, SpoolWatch, look_after, lying_in
from cronq.transports.exchange import Want
from cronq.transports.spool_choice import spool_of
from cronq.transports.sqlite import SqliteTransport
from tests.making import message
from tests.presence import there
from tests.small_disk import fill, small_disk
from wsgi_hooks import CronqMiddleware
from wsgi_hooks.body import close

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from cronq.host.spool import Spool
    from cronq.messages.message import Message

TASKS = """
import os
from cronq import App
from cronq.config import load

app = App(load(os.path.join(os.path.dirname(os.path.abspath(__file__)), "cronq.toml")))

@app.task(name="note")
def note(text: str) -> None:
    with open(os.path.join(app.settings.base_dir, "ran"), "a") as file:
        file.write(text + "\\n")

@app.task(name="once", unique="waiting")
def once() -> None: ...
"""
CONFIG = 'app = "tasks:app"\nspool = true\nspool_mb = 1\n'


def made(home: Path, more: str = "") -> App:
    (home / "tasks.py").write_text(TASKS)
    (home / "cronq.toml").write_text(CONFIG + more)
    scope: dict[str, Any] = {"__file__": str(home / "tasks.py"), "__name__": "tasks"}
    exec(TASKS, scope)  # noqa: S102 - what consumers import
    app: App = scope["app"]
    app.transport.counts()
    return app


@pytest.fixture
def app(home: Path) -> Iterator[App]:
    app = made(home)
    yield app
    app.transport.close()


def connection_of(app: App) -> Any:
    transport = app.transport
    inner = getattr(transport, "inner", transport)
    assert isinstance(inner, SqliteTransport)
    return inner._connections.get()


@contextmanager
def read_only(app: App) -> Iterator[None]:
    """Let SQLite refuse every write of this thread."""
    connection_of(app).execute("PRAGMA query_only = ON")
    try:
        yield
    finally:
        connection_of(app).execute("PRAGMA query_only = OFF")


def note(app: App, text: str, **delivery: Any) -> str:
    return app.registry.get("note").using(**delivery).enqueue(text).id


def spool(app: App) -> Spool:
    return there(spool_of(app.settings, app.state))


def kept(app: App) -> int:
    return spool(app).contents().records


def texts(messages: list[Message]) -> list[str]:
    return [one.body.decode().removeprefix('{"text":"').removesuffix('"}') for one in messages]


def take_all(app: App) -> list[Message]:
    """Run everything, so to say: nothing of it stays."""
    want = Want(["high", "normal", "low"], app.clock.now() + 60, 10_000, 1)
    messages = app.transport.exchange("here/x.0", [], want).messages
    app.transport.exchange("here/x.0", [Ack(one) for one in messages], None)
    return messages


# what is kept, and how it comes back


def test_an_enqueue_that_the_store_refuses_is_kept_and_comes_into_its_queue_under_its_id(app: App) -> None:
    with read_only(app):
        ids = [note(app, "one"), note(app, "two")]
        assert kept(app) == 2
    assert app.transport.counts() == []
    assert look_after(app.installation)
    messages = take_all(app)
    assert ([one.id for one in messages], texts(messages)) == (ids, ["one", "two"])
    assert kept(app) == 0


def test_all_that_a_message_says_is_kept(app: App) -> None:
    later = app.clock.now() + 3600
    sent = message(
        "low",
        priority=7,
        available_at=later,
        headers=b'{"user":"ada"}',
        expires_at=later + 60,
        unique_key="k",
        unique_until=float("inf"),
        running_key="r",
        max_running=2,
        follow=b"[]",
        group_id=new_id(),
        part=3,
        cursor=b"9",
        max_attempts=9,
    )
    with read_only(app):
        app.enqueue(sent)
    look_after(app.installation)
    assert there(app.transport.find(sent.id)).message == sent


def test_messages_that_wait_run_in_the_order_in_which_they_were_enqueued(app: App) -> None:
    note(app, "stored before")
    with read_only(app):
        note(app, "kept")
        note(app, "kept and urgent", priority=5)
    note(app, "stored after")
    look_after(app.installation)
    assert texts(take_all(app)) == ["kept and urgent", "stored before", "kept", "stored after"]


def both(app: App, *sent: str) -> None:
    with app.outbox():
        for text in sent:
            note(app, text)


def test_an_outbox_is_kept_whole_or_not_at_all(app: App) -> None:
    with read_only(app):
        both(app, "one", "two")
        assert kept(app) == 1
        with pytest.raises(Unsent, match="the spool is full") as caught:
            both(app, "three", "x" * 1_100_000)
    assert len(caught.value.messages) == 2
    look_after(app.installation)
    assert texts(take_all(app)) == ["one", "two"]


def test_a_group_that_was_kept_has_its_callback_wait_for_its_parts(app: App) -> None:
    call = app.registry.get("note").call
    with read_only(app):
        app.group(call("a"), call("b"), then=call("c")).enqueue()
    look_after(app.installation)
    assert [texts(take_all(app)) for _ in range(3)] == [["a", "b"], ["c"], []]


def test_a_unique_message_is_absorbed_when_it_comes_into_its_queue(app: App) -> None:
    once = app.registry.get("once")
    with read_only(app):
        once.enqueue()
        once.enqueue()
    standing = once.enqueue()
    look_after(app.installation)
    assert [one.message.id for one in app.transport.browse(State.READY)] == [standing.id]


def test_a_process_has_one_object_for_its_spool_so_that_keeping_costs_the_same_however_much_is_kept(app: App) -> None:
    assert spool_of(app.settings, app.state) is spool_of(app.settings, app.state)


def test_a_hook_is_asked_only_when_the_spool_is_full_too(app: App) -> None:
    taken: list[Message] = []

    @app.on_unsent
    def keep(error: Unsent, messages: Sequence[Message]) -> bool:
        taken.extend(messages)
        return True

    with read_only(app):
        note(app, "kept")
        assert taken == []
        note(app, "x" * 1_100_000)
    assert len(taken) == 1


def test_what_no_store_would_take_is_not_kept(app: App) -> None:
    sent = message("normal")
    app.enqueue(sent)
    with pytest.raises(Unsent, match="UNIQUE"):
        app.enqueue(sent)
    assert kept(app) == 0


def test_nothing_is_kept_in_a_state_directory_that_others_can_write(app: App, home: Path) -> None:
    os.chmod(app.state.path, 0o777)  # noqa: S103 - what is refused
    other = App(load(str(home / "cronq.toml")))
    with pytest.raises(Unsent, match="lets others write"):
        other.enqueue(message("normal"))
    assert kept(app) == 0


def test_what_lies_in_the_store_already_is_passed_over(app: App) -> None:
    """As after an fsync of the spool that failed: its caller was told, and has enqueued it again."""
    with read_only(app):
        first = note(app, "one")
        note(app, "two")
    part = there(spool(app).read(Mark(there(spool(app).name())[1], BEGIN), 1))
    from cronq.messages.parcel import unpacked

    app.enqueue(*unpacked(part.records[0]))
    look_after(app.installation)
    messages = take_all(app)
    assert (messages[0].id, texts(messages)) == (first, ["one", "two"])


@pytest.mark.parametrize("transport", ["memory://", "sync://"])
def test_where_nothing_outlives_the_process_there_is_no_spool(home: Path, transport: str) -> None:
    (home / "cronq.toml").write_text(f'spool = true\ntransport = "{transport}"\n')
    app = App(load(str(home / "cronq.toml")))
    app.transport.counts()
    assert look_after(app.installation)
    assert not (home / ".cronq").exists()


def test_without_the_key_there_is_none(home: Path) -> None:
    (home / "cronq.toml").write_text("")
    app = App(load(str(home / "cronq.toml")))
    app.transport.counts()
    assert not os.path.exists(app.state.spool)


def test_installations_with_prefixes_in_one_database_have_each_their_own(home: Path) -> None:
    apps = []
    for name in ("a", "b"):
        (home / name).mkdir()
        apps.append(made(home / name, f'transport = "sqlite:///{home}/shared.db"\nqueue_prefix = "{name}:"\n'))
    for app in apps:
        with read_only(app):
            note(app, app.settings.queue_prefix)
    for app in apps:
        look_after(app.installation)
    assert [texts(take_all(app)) for app in apps] == [["a:"], ["b:"]]
    for app in apps:
        app.transport.close()


@pytest.mark.parametrize("cleared", [True, False])
def test_a_spool_that_was_put_back_from_an_older_copy_loses_nothing_new(app: App, cleared: bool) -> None:
    """It may run again what has run since the copy was made, as every queue that is put back."""
    with read_only(app):
        note(app, "before")
        with open(spool(app).path, "rb") as file:
            copy = file.read()
        note(app, "longer than the new one")
    if cleared:
        look_after(app.installation)
    else:
        killed_at(app.settings.base_dir, "on the disk, not cleared")
    take_all(app)
    with open(spool(app).path, "r+b") as file:
        file.write(copy)
    with read_only(app):
        note(app, "new")
    look_after(app.installation)
    assert texts(take_all(app)) == ["before", "new"]
    assert kept(app) == 0


def test_what_lies_there_when_the_key_is_taken_back_is_replayed_by_the_next_tick(app: App, home: Path) -> None:
    with read_only(app):
        note(app, "kept")
    (home / "cronq.toml").write_text('app = "tasks:app"\nconsumers = []\n')
    run_tick(home)
    assert texts(take_all(app)) == ["kept"]


# full disks


@pytest.fixture
def disk(home: Path) -> Iterator[Path]:
    with small_disk(home / "disk", "4m") as place:
        yield place


def test_on_a_full_disk_a_request_is_answered_and_its_messages_run_when_there_is_room(disk: Path) -> None:
    app = made(disk, '[inline]\nmode = "off"\n')
    note(app, "before")
    filler = fill(disk)
    ids: list[str] = []

    def order() -> None:
        ids.append(note(app, str(len(ids))))

    for _ in range(200):
        page(app, order)
    assert kept(app) > 0
    assert not look_after(app.installation)
    filler.unlink()
    run_drain(disk)
    assert sorted((disk / "ran").read_text().split()) == sorted(["before", *map(str, range(200))])
    assert [app.transport.find(one) for one in ids] == [None] * 200
    assert kept(app) == 0
    app.transport.close()


def test_a_spool_that_is_wanted_when_the_disk_is_full_is_made_as_soon_as_there_is_room(disk: Path) -> None:
    app = made(disk)
    os.unlink(app.state.spool)
    filler = fill(disk)
    assert not look_after(app.installation)
    assert not spool(app).is_reserved()
    with pytest.raises(Unsent, match="no room was reserved"):
        many(app)
    filler.unlink()
    assert look_after(app.installation)
    assert spool(app).is_reserved()
    app.transport.close()


def many(app: App) -> None:
    for _ in range(200):
        note(app, "x" * 1000)


def run_drain(place: Path) -> None:
    command = [sys.executable, "-m", "cronq", "drain", "--config", str(place / "cronq.toml")]
    subprocess.run(command, check=True, capture_output=True, cwd=place)


UNDER_QUOTA = """
import os, resource, sys
sys.path.insert(0, sys.argv[1])
import tasks
from cronq import Unsent
tasks.app.transport.counts()
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
number = 0
try:
    while True:
        tasks.note.enqueue(f"{number} " + "x" * 3000)
        number += 1
except Unsent as error:
    print(number, "the spool is full" in str(error), flush=True)
"""


def test_under_a_quota_all_that_was_accepted_is_there_and_the_first_refusal_names_both(app: App, home: Path) -> None:
    """RLIMIT_FSIZE is what a quota is to a process: a write fails, with some bytes written or none."""
    done = subprocess.run(
        [sys.executable, "-c", UNDER_QUOTA, str(home)], capture_output=True, text=True, check=True, cwd=home
    )
    accepted, names_both = done.stdout.split()
    assert names_both == "True"
    assert kept(app) > 100
    while not look_after(app.installation):
        pass
    assert [text.split()[0] for text in texts(take_all(app))] == [str(number) for number in range(int(accepted))]


# kills

DYING = """
import os, sys
sys.path.insert(0, sys.argv[1])
import tasks
from cronq.host import spool
from cronq.supervisor import replay
from cronq.transports.sqlite import transport

def die(*args):
    os.kill(os.getpid(), 9)

def after(function):
    def called(*args):
        function(*args)
        die()
    return called

def second(function):
    def called(*args):
        replay.AT_ONCE = 1
        called.times += 1
        return die() if called.times == 2 else function(*args)
    called.times = 0
    return called

tasks.app.transport.counts()
point = sys.argv[2]
if point == "inserted, not committed":
    transport.enqueue = after(transport.enqueue)
elif point == "committed, not on the disk":
    os.fdatasync = die
elif point == "on the disk, not cleared":
    spool.Spool.clear = die
elif point == "cleared, not on the disk":
    os.fsync = die
elif point == "cleared":
    os.fsync = after(os.fsync)
elif point == "one of two parts":
    replay.AT_ONCE = 1
    transport.SqliteTransport.replay = second(transport.SqliteTransport.replay)
replay.look_after(tasks.app.installation)
"""
POINTS = (
    "inserted, not committed",
    "committed, not on the disk",
    "on the disk, not cleared",
    "cleared, not on the disk",
    "cleared",
    "one of two parts",
)


def killed_at(home: Path | str, point: str) -> None:
    done = subprocess.run([sys.executable, "-c", DYING, str(home), point], check=False, cwd=home)
    assert done.returncode == -9


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("runs_before", [True, False], ids=["run and gone", "still there"])
def test_who_is_killed_while_it_replays_neither_loses_nor_doubles(
    app: App, home: Path, point: str, runs_before: bool
) -> None:
    """Also of what has run and gone before the next one replays: nothing in the queue tells of it any more."""
    with read_only(app):
        for text in ("one", "two", "three"):
            note(app, text)
    killed_at(home, point)
    ran = texts(take_all(app)) if runs_before else []
    assert look_after(app.installation)
    ran += texts(take_all(app))
    assert ran == ["one", "two", "three"]
    assert kept(app) == 0


@pytest.mark.parametrize("point", POINTS)
def test_what_is_kept_after_such_a_kill_is_replayed_as_well(app: App, home: Path, point: str) -> None:
    with read_only(app):
        note(app, "one")
        note(app, "two")
    killed_at(home, point)
    with read_only(app):
        note(app, "three")
    assert look_after(app.installation)
    assert texts(take_all(app)) == ["one", "two", "three"]


DYING_ENQUEUE = """
import os, sys
sys.path.insert(0, sys.argv[1])
import tasks
from cronq.host import spool
tasks.app.transport.counts()
tasks.app.transport._connections.get().execute("PRAGMA query_only = ON")
tasks.note.enqueue("whole")

def torn(descriptor, data, at):
    os.pwrite(descriptor, data[:len(data) * int(sys.argv[2]) // 10], at)
    os.kill(os.getpid(), 9)

spool._write = torn
tasks.note.enqueue("torn")
"""


@pytest.mark.parametrize("tenths", range(10))
def test_who_is_killed_while_it_writes_leaves_what_others_kept(app: App, home: Path, tenths: int) -> None:
    command = [sys.executable, "-c", DYING_ENQUEUE, str(home), str(tenths)]
    assert subprocess.run(command, check=False, cwd=home).returncode == -9
    with read_only(app):
        note(app, "next")
    assert look_after(app.installation)
    assert texts(take_all(app)) == ["whole", "next"]


REPLAY_ALL = """
import sys
sys.path.insert(0, sys.argv[1])
import tasks
from cronq.supervisor import replay
replay.AT_ONCE = 200
while not replay.look_after(tasks.app.installation):
    pass
"""


def test_several_that_replay_at_once_put_in_each_message_once(app: App, home: Path) -> None:
    with read_only(app):
        for number in range(300):
            note(app, str(number))
    command = [sys.executable, "-c", REPLAY_ALL, str(home)]
    others = [subprocess.Popen(command, cwd=home) for _ in range(3)]
    try:
        assert [one.wait(120) for one in others] == [0, 0, 0]
    finally:
        for one in others:
            one.kill()
    assert texts(take_all(app)) == [str(number) for number in range(300)]
    assert kept(app) == 0


# who sees it, who replays it


def test_a_ref_of_a_message_that_is_kept_says_so(app: App) -> None:
    with read_only(app):
        ref = app.registry.get("note").enqueue("one")
        assert (ref.status, app.ref(ref.id).status, app.ref(new_id()).status) == ("spooled", "spooled", "unknown")
    look_after(app.installation)
    assert ref.status == "ready"
    take_all(app)
    assert ref.status == "gone"


def test_what_was_replayed_by_somebody_killed_before_it_was_cleared_lies_there_no_more(app: App, home: Path) -> None:
    with read_only(app):
        ref = app.registry.get("note").enqueue("one")
    killed_at(home, "on the disk, not cleared")
    take_all(app)
    assert (kept(app), lying_in(app.installation), ref.status) == (1, [], "gone")


def test_many_requests_in_threads_keep_all(app: App) -> None:
    from concurrent.futures import ThreadPoolExecutor

    def order(number: int) -> None:
        with read_only(app):
            note(app, str(number))

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(order, range(200)))
    assert look_after(app.installation)
    assert sorted(map(int, texts(take_all(app)))) == list(range(200))


def page(app: App, work: Callable[[], object] = lambda: None) -> None:
    def application(environ: Any, start_response: Any) -> list[bytes]:
        work()
        start_response("200 OK", [("Content-Type", "text/html")])
        return [b"ok"]

    body = CronqMiddleware(application, app)({"REQUEST_METHOD": "GET"}, lambda status, headers, exc_info=None: None)
    assert b"".join(body) == b"ok"
    close(body)


def test_without_cron_a_later_page_view_replays_it_and_runs_it(home: Path) -> None:
    app = made(home, '[inline]\nmode = "inline"\nmemory_limit_mb = 16000\n')
    with read_only(app):
        page(app, lambda: note(app, "ordered"))
    assert not (home / "ran").exists()
    page(app)
    assert (home / "ran").read_text() == "ordered\n"
    app.transport.close()


def run_tick(home: Path) -> None:
    command = [sys.executable, "-m", "cronq", "tick", "--config", str(home / "cronq.toml")]
    subprocess.run(command, check=True, capture_output=True, cwd=home)


@pytest.mark.parametrize("act", [run_tick, run_drain], ids=["a tick", "a drain"])
def test_it_is_replayed_by(app: App, home: Path, act: Callable[[Path], None]) -> None:
    (home / "cronq.toml").write_text(CONFIG + "consumers = []\n")
    with read_only(app):
        note(app, "kept")
    act(home)
    assert kept(app) == 0


def test_a_consumer_looks_once_a_second_and_less_often_while_the_store_is_in_trouble(app: App) -> None:
    from tests.clocks import FakeClock

    clock = FakeClock()
    app.installation.clock = clock
    watch = SpoolWatch(app.installation)
    with read_only(app):
        note(app, "one")
        watch.looked(busy=True)
        clock.advance(LOOK_EVERY_S)
    watch.looked(busy=True)
    assert kept(app) == 1
    clock.advance(10)
    watch.looked(busy=True)
    assert kept(app) == 0


def test_trouble_with_the_spool_is_told_and_ends_nothing(app: App) -> None:
    told: list[object] = []
    events.listeners.append(lambda name, facts: told.append(facts["error"]) if name == "trouble" else None)
    with read_only(app):
        note(app, "one")
        assert not look_after(app.installation)
    assert isinstance(told[0], TransportError)
