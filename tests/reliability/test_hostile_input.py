"""What others put into a queue, a configuration or a file of ours: an error in words or a parked message, no more."""

from __future__ import annotations

import json
import os
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cronq.clock import SystemClock
from cronq.config import load
from cronq.consumer.runnable import Runnable
from cronq.consumer.runner import Runner
from cronq.errors import CronqError
from cronq.host.event_words import words_for
from cronq.messages.message import State
from cronq.supervisor import backoff, interval, slots
from cronq.transports.exchange import Want
from tests import forked
from tests.making import app as make_app
from tests.making import message
from tests.reliability import fuzz
from tests.supervisor.project import Project

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BODIES = {
    "100 MB": b'{"text":"' + b"x" * 100_000_000 + b'"}',
    "deeply nested": b'{"text":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "NaN": b'{"text":NaN}',
    "invalid UTF-8": b'{"text":"\xff\xfe"}',
    "half a surrogate": b'{"text":"\\ud800"}',
    "no object": b"[1, 2]",
    "a dunder name": b'{"__class__":"os.system","text":"x"}',
    "another's argument": b'{"text":"x","self":1}',
    "an unknown class": b'{"text":{"py/object":"os.system","$type":"System.Diagnostics.Process"}}',
    "pickle": b"cos\nsystem\n(S'touch pwned'\ntR.",
    "empty": b"",
    "null bytes": b"\0" * 10,
}
RUNS_ALL_THE_SAME = {"100 MB"}
NAMES = (
    "os.system",
    "__import__",
    "builtins.eval",
    "../../etc/passwd",
    "shop.send\x1b[2J",
    "x" * 100_000,
    "",
    "\ud800",
)


@pytest.fixture
def project(home: Path) -> Iterator[Project]:
    made = Project(home)
    yield made
    made.kill_all()


@pytest.mark.parametrize("kind", BODIES)
def test_a_hostile_body_is_parked_and_the_next_message_runs(kind: str) -> None:
    app = make_app()
    ran: list[str] = []
    app.task(name="shop.send")(_taking_text(ran))
    app.transport.enqueue([message(queue="normal", body=BODIES[kind])])
    app.transport.enqueue([message(queue="normal", body=b'{"text":"after"}')])
    _run_all(app)

    assert ran[-1] == "after"
    assert len(ran) == (2 if kind in RUNS_ALL_THE_SAME else 1)
    failed = app.transport.browse(State.FAILED)
    assert [one.message.body == BODIES[kind] for one in failed] == ([] if kind in RUNS_ALL_THE_SAME else [True])


def test_names_of_classes_and_attributes_in_arguments_are_text_like_any_other() -> None:
    app = make_app()
    given: list[object] = []
    app.task(name="shop.keep")(_taking_anything(given))
    app.task(name="shop.open")(_taking_a_path(given))
    odd = {"__class__": "os.system", "__reduce__": ["os.system", "id"], "py/object": "os.system", "!!python": 1}
    app.transport.enqueue([message(queue="normal", task="shop.keep", body=json.dumps({"anything": odd}).encode())])
    climbing = b'{"path":"../../../etc/passwd"}'
    app.transport.enqueue([message(queue="normal", task="shop.open", body=climbing)])
    _run_all(app)

    assert given == [odd, Path("../../../etc/passwd")]


@pytest.mark.slow
def test_a_real_consumer_lives_through_a_hundred_megabytes_and_deep_nesting(project: Project) -> None:
    bodies = [BODIES["100 MB"], BODIES["deeply nested"], b'{"text":"after"}']
    project.app.transport.enqueue([message(queue="normal", task="tasks.note", body=body) for body in bodies])
    for _ in range(3):  # one that has become too large leaves
        forked.run("consume", "standby", "--stop-when-empty", home=project.home)

    assert [len(line) for line in project.read("ran")] == [100_000_000, len("after")]
    assert len(project.fails_of("tasks.note")) == 1


PATHS = ("../../outside", "..", ".", "/tmp/outside", "a/../../../outside", "\0", "x" * 5000, "")
COMMANDS = (("status",), ("queues", "list"), ("drain",), ("failed", "retry", "--all"), ("tick",))


@pytest.mark.parametrize("queue", PATHS, ids=range(len(PATHS)))
def test_a_queue_that_somebody_made_up_leads_nowhere(project: Project, queue: str) -> None:
    """It stands in a stored message. What belongs to a queue are files named after it."""
    project.app.transport.enqueue([message(queue=queue, task="tasks.note", body=b'{"text":"x"}') for _ in range(2)])
    project.app.transport.close()
    before = {path for path in project.home.rglob("*") if ".cronq" not in path.parts}
    for words in COMMANDS:
        ended = forked.run(*words, home=project.home)
        assert "Traceback" not in ended.text, ended.text
        assert ended.code in {0, 1}
    after = {path for path in project.home.rglob("*") if ".cronq" not in path.parts and "__pycache__" not in path.parts}

    assert {path.name for path in after - before} <= {"ran"}
    assert not os.path.exists("/tmp/outside")


@pytest.mark.parametrize("queue", [one for one in PATHS if "\0" not in one], ids=range(len(PATHS) - 1))
def test_a_consumer_for_a_queue_that_cannot_be_is_refused(project: Project, queue: str) -> None:
    ended = forked.run("consume", "--queue", queue, "--stop-when-empty", home=project.home)

    assert (ended.code, "must be a queue name" in ended.text) == (2, True), ended.text
    assert not os.path.exists("/tmp/outside")


@pytest.mark.parametrize("plant", [os.mkfifo, lambda path: os.symlink("/dev/zero", path), os.mkdir])
def test_a_configuration_that_is_no_file_is_refused_at_once(project: Project, plant: Callable[[str], None]) -> None:
    os.unlink(project.config)
    plant(project.config)
    for word, code in (("tick", 1), ("status", 2)):
        ended = forked.run(word, home=project.home)
        assert (ended.code, "name the file itself" in ended.text) == (code, True), ended.text


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_only_registered_names_run_and_others_are_parked(name: str) -> None:
    app = make_app()
    app.transport.enqueue([message(queue="normal", task=name)])
    _run_all(app)

    assert [one.message.task for one in app.transport.browse(State.FAILED)] == [name]
    words = words_for("failed", {"message": message(task=name), "error": ValueError("\x1b]0;owned\x07\nline")})
    assert words is not None
    assert words.isprintable()


def test_a_configuration_of_somebody_else_is_refused(home: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    config = home / "cronq.toml"
    config.write_text('app = "tasks:app"')
    os.chown(config, 12345, 12345)

    with pytest.raises(CronqError, match="belongs to"):
        load(str(config))


def test_a_configuration_that_everybody_may_write_is_refused(home: Path) -> None:
    config = home / "cronq.toml"
    config.write_text('app = "tasks:app"')
    config.chmod(0o666)

    with pytest.raises(CronqError, match="everybody may write it"):
        load(str(config))


@pytest.mark.parametrize("name", ["../outside", "a/b", "..", "\x00", "a\nb"])
def test_a_queue_whose_name_would_lead_out_of_the_state_directory_is_refused(home: Path, name: str) -> None:
    app = make_app(home=home)
    with pytest.raises(CronqError):
        app.task(queue=name)(lambda: None)


def test_what_stands_in_small_files_never_breaks_their_reader(home: Path) -> None:
    for content in (b"\xff" * 50, b"nan inf -1\n", b"9" * 400 + b"\n", b"1 1e999 x\n", b"\0" * 5000):
        path = home / "file"
        path.write_bytes(content)
        interval.read(str(path))
        backoff.read(str(path))
        slots._parse(content)


@pytest.mark.slow
@pytest.mark.parametrize("target", fuzz.TARGETS, ids=lambda target: target.__name__)
def test_fuzzing_ends_in_an_error_of_ours_or_a_value(target: Any) -> None:
    fuzz.with_hypothesis(target, seconds=5)


def _taking_anything(given: list[object]) -> Any:
    def keep(anything) -> None:  # no hint: that is the point
        given.append(anything)

    return keep


def _taking_a_path(given: list[object]) -> Any:
    def take(path: Path) -> None:
        given.append(path)

    return take


def _taking_text(ran: list[str]) -> Any:
    def send(text: str) -> None:
        ran.append(text)

    return send


def _run_all(app: Any) -> None:
    runner = Runner(app.runner_tasks(), SystemClock())
    for position in count(1):
        taken = app.transport.exchange("me", [], Want(["normal"], 9e9, 1, position)).messages
        if not taken:
            return
        call = runner.prepare(taken[0])
        outcome = runner.run(taken[0], call) if isinstance(call, Runnable) else call
        app.transport.exchange("me", [outcome], None)
