"""The example of tasks that run as who enqueued them."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from cronq import GiveUp
from cronq.schedules.spec import message_of
from cronq.schedules.stored import StoredSchedule

if TYPE_CHECKING:
    from collections.abc import Iterator

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "permissions"


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.syspath_prepend(str(EXAMPLE))
    modules = {name: importlib.import_module(f"library.{name}") for name in ("people", "stamps", "tasks")}
    with modules["tasks"].app.testing() as box:
        yield SimpleNamespace(**modules, box=box)
    for name in [name for name in sys.modules if name == "library" or name.startswith("library.")]:
        del sys.modules[name]


def logged_in(library: Any, name: str) -> Any:
    return library.people.act_as(library.people.PEOPLE[name])


def test_a_task_runs_as_who_enqueued_it(library: Any) -> None:
    with logged_in(library, "ada"):
        library.tasks.publish.enqueue("a")
    library.box.run_all()
    assert library.tasks.published == ["a"]
    assert library.tasks.notes == ["ada announced a"]


def test_what_somebody_may_not_do_is_refused_in_the_consumer_as_well(library: Any) -> None:
    with logged_in(library, "bob"):
        library.tasks.publish.enqueue("a")
    with pytest.raises(library.people.Forbidden, match="bob may not publish"):
        library.box.run_all()


def test_a_task_enqueued_by_nobody_runs_as_anonymous(library: Any) -> None:
    library.tasks.publish.enqueue("a")
    with pytest.raises(library.people.Forbidden, match="anonymous may not publish"):
        library.box.run_all()


def test_the_user_of_the_process_that_runs_a_message_does_not_matter(library: Any) -> None:
    library.tasks.publish.enqueue("a")
    with logged_in(library, "ada"), pytest.raises(library.people.Forbidden, match="anonymous"):
        library.box.run_all()


def test_a_message_without_the_header_runs_as_anonymous(library: Any) -> None:
    spec = b'{"task":"library.tasks.notify","queue":"normal","args":{"title":"t"},"max_attempts":1}'
    library.tasks.app.transport.enqueue([message_of(StoredSchedule("code", "nightly", "", "", spec, 0.0), 0.0, 0.0)])
    with logged_in(library, "ada"):
        library.box.run_all()
    assert library.tasks.notes == ["anonymous announced t"]


def test_superuser_is_asked_for_with_one_message_and_does_not_spread(library: Any) -> None:
    with logged_in(library, "bob"):
        library.tasks.publish.using(headers=library.stamps.as_superuser()).enqueue("a")
    library.box.run_all()
    assert library.tasks.published == ["a"]
    assert library.tasks.notes == ["bob announced a"]


def test_a_superuser_at_work_does_not_enqueue_as_one(library: Any) -> None:
    with library.people.act_as(library.people.PEOPLE["bob"]._replace(is_superuser=True)):
        library.tasks.publish.enqueue("a")
    with pytest.raises(library.people.Forbidden, match="bob may not publish"):
        library.box.run_all()


def test_a_task_may_be_enqueued_for_somebody_else(library: Any) -> None:
    library.tasks.publish.using(headers=library.stamps.as_person("ada")).enqueue("a")
    library.box.run_all()
    assert library.tasks.published == ["a"]


@pytest.mark.parametrize(
    "forge",
    [
        lambda stamp: stamp.replace("bob", "ada"),
        lambda stamp: stamp.replace("bob.", "bob+superuser."),
        lambda stamp: stamp[:-1],
        lambda stamp: "ada",
        lambda stamp: "",
        lambda stamp: "ünknown.ü",
    ],
)
def test_a_stamp_that_was_tampered_with_is_refused_and_the_task_does_not_run(library: Any, forge: Any) -> None:
    stamp = library.stamps.as_person("bob")["acting"]
    library.tasks.notify.using(headers={"acting": forge(stamp)}).enqueue("a")
    with pytest.raises(GiveUp, match="is not ours: the task was not run"):
        library.box.run_all()
    assert library.tasks.notes == []


def test_somebody_whose_account_is_gone_is_refused(library: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with logged_in(library, "ada"):
        library.tasks.notify.enqueue("a")
    monkeypatch.delitem(library.people.PEOPLE, "ada")
    with pytest.raises(GiveUp, match="there is no 'ada' any more"):
        library.box.run_all()
    assert library.tasks.notes == []


def test_the_demo_runs_and_leaves_nothing_behind() -> None:
    before = sorted(os.listdir(EXAMPLE))
    environ = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "demo.py"], cwd=EXAMPLE, env=environ, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "ada published The analytical engine",
        "bob published A correction",
        "ada announced The analytical engine",
        "bob announced A correction",
        "refused: My draft: bob may not publish",
        "refused: From nobody: anonymous may not publish",
        "refused: From somebody else: the stamp 'ada.forged' is not ours: the task was not run",
    ]
    assert sorted(os.listdir(EXAMPLE)) == before
