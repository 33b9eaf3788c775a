"""Modules that an app includes, and tasks that are made without an App."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import textwrap
import time
import warnings
from typing import TYPE_CHECKING

import pytest

from cronq import App, ConfigError, UsageError
from cronq.app.shared_tasks import SHARED, SharedTasks
from cronq.config import load
from cronq.errors import UnknownTaskError
from cronq.host import known_tasks
from cronq.messages.message import State
from tests import making

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Package = Callable[..., None]

MAILS = """
    from dataclasses import dataclass

    from cronq import LowPriority, batch, cron, handler, task

    @dataclass
    class Placed(LowPriority):
        order: int

    @cron("30 2 * * *", args={"to": "ada"})
    @task(queue="high", label="to {to}")
    def send(to: str) -> str:
        return f"sent to {to}"

    @handler
    def confirm(placed: Placed) -> None: ...

    @batch(size=10)
    def index(numbers: list[int]) -> None: ...
"""


@pytest.fixture
def package(tmp_path, monkeypatch) -> Iterator[Package]:
    """Return what writes a package `gallery` of some modules, given with their text."""
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)
    known = SharedTasks()
    for name in ("registry", "timetable", "includers"):
        monkeypatch.setattr(SHARED, name, getattr(known, name))
    monkeypatch.setattr(SHARED.registration, "_registry", known.registry)
    monkeypatch.setattr(SHARED.registration, "_timetable", known.timetable)

    def write(**modules: str) -> None:
        for name, text in {"__init__": "", **modules}.items():
            path = tmp_path / "gallery" / f"{name.replace('.', '/')}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(text))
        importlib.invalidate_caches()

    yield write
    for name in set(sys.modules) - before:
        if name.partition(".")[0] == "gallery":
            del sys.modules[name]


def waiting(app: App) -> list[tuple[str, str]]:
    return [(one.message.task, one.message.queue) for one in app.transport.browse(State.READY)]


def test_a_task_without_an_app_is_enqueued_by_the_app_that_includes_its_module(package):
    package(mails=MAILS)
    app = making.app()
    app.include("gallery.mails")
    mails = importlib.import_module("gallery.mails")
    ref = mails.send.enqueue("ada")
    assert waiting(app) == [("gallery.mails.send", "high")]
    assert ref.status == "ready"


def test_it_can_be_called_without_any_app(package):
    package(mails=MAILS)
    assert importlib.import_module("gallery.mails").send("ada") == "sent to ada"


def test_a_task_that_no_app_includes_says_which_line_is_missing(package):
    package(mails=MAILS)
    app = making.app()
    app.include("gallery.pictures")
    mails = importlib.import_module("gallery.mails")
    for enqueue in (lambda: mails.send.enqueue("ada"), lambda: app.enqueue(mails.send.call("ada"))):
        with pytest.raises(UsageError, match=r"app\.include\('gallery\.mails'\).*modules = \['gallery\.mails'\]"):
            enqueue()


def test_a_script_is_named_as_it_would_be_imported(tmp_path):
    path = tmp_path / "resizing.py"
    path.write_text(
        "import cronq\n\n@cronq.task\ndef resize(): ...\n\n"
        "try:\n    resize.enqueue()\nexcept cronq.UsageError as error:\n    print(error)\n"
    )
    said = subprocess.run([sys.executable, path], capture_output=True, text=True, check=True).stdout
    assert "modules = ['resizing']" in said


def test_nothing_is_imported_to_enqueue_a_task(package):
    package(mails=MAILS, pictures="raise AssertionError")
    app = making.app(modules=("gallery.*",))
    importlib.import_module("gallery.mails").send.enqueue("ada")
    app.task(name="own")(own).enqueue()
    assert "gallery.pictures" not in sys.modules


def own() -> None: ...


def test_whoever_must_know_all_tasks_imports_all_that_is_below_a_package(package):
    package(mails=MAILS, **{"deep.__init__": "", "deep.down": MAILS, "__main__": "raise AssertionError"})
    app = making.app(modules=("gallery.*",))
    app.definitions.complete()
    names = {task.name for task in app.registry}
    assert names == {f"gallery.{module}.{name}" for module in ("mails", "deep.down") for name in NAMES}


NAMES = ("send", "confirm", "index")


def test_the_schedules_and_the_routing_of_a_module_come_with_it(package):
    package(mails=MAILS)
    app = making.app(modules=("gallery.mails",), routing={"gallery.mails.index": ("high",)})
    (entry,) = app.declarations.entries()
    assert (entry.name, entry.refused) == ("gallery.mails.send", None)
    mails = sys.modules["gallery.mails"]
    app.enqueue(mails.index.call(7), mails.Placed(1))
    assert sorted(waiting(app)) == [("gallery.mails.confirm", "low")]
    assert [one.message.queue for one in app.transport.browse(State.DELAYED)] == ["high"]


def test_a_message_object_goes_to_handlers_that_nobody_has_imported_yet(package):
    package(orders=ORDER, mails=HANDLER)
    app = making.app(modules=("gallery.mails",))
    events = importlib.import_module("gallery.orders")
    with pytest.raises(UsageError, match="no handler"):
        making.app().dispatch(events.Order())
    app.dispatch(events.Order())
    assert waiting(app) == [("gallery.mails.see", "normal")]


ORDER = """
    from dataclasses import dataclass

    @dataclass
    class Order:
        number: int = 7
"""

HANDLER = """
    from cronq import handler
    from gallery.orders import Order

    @handler
    def see(order: Order) -> None: ...
"""


def test_the_task_of_a_message_is_found_in_a_module_that_nobody_has_imported(package):
    package(mails=MAILS, pictures="raise AssertionError")
    app = making.app()
    app.include("gallery.*")
    assert app.definitions.find("gallery.mails.send").name == "gallery.mails.send"
    assert "gallery.pictures" not in sys.modules


def test_what_a_message_names_is_imported_only_below_what_the_project_names(package):
    package(mails=MAILS, pictures="raise AssertionError")
    app = making.app()
    app.include("gallery.mails")
    for name in ("gallery.pictures.resize", "gallery.resize", "antigravity.fly", "send"):
        with pytest.raises(UnknownTaskError):
            app.definitions.find(name)
    assert not {"gallery.pictures", "antigravity"} & set(sys.modules)


def test_an_unknown_task_says_that_its_module_is_not_imported(package):
    package(mails=MAILS)
    with pytest.raises(UnknownTaskError, match=r"gallery\.mails is not imported: modules = \['gallery\.mails'\]"):
        making.app().definitions.find("gallery.mails.send")


def test_a_module_that_is_not_there_is_said_to_be_so_and_one_that_fails_fails_as_it_does(package):
    package(broken="1 / 0", needy="import nowhere_to_be_found")
    with pytest.raises(ConfigError, match=r"'gallery\.mial'.*no module 'gallery\.mial'"):
        making.app(modules=("gallery.mial",)).definitions.complete()
    with pytest.raises(ZeroDivisionError):
        making.app(modules=("gallery.broken",)).definitions.complete()
    with pytest.raises(ModuleNotFoundError, match="nowhere_to_be_found"):
        making.app(modules=("gallery.needy",)).definitions.complete()


def test_a_program_below_a_package_does_not_end_the_process_that_imports_it(package):
    package(script="import sys\nsys.exit(3)")
    for modules in (("gallery.*",), ("gallery.script",)):
        with pytest.raises(ConfigError, match=r"'gallery\.script' is a program, which ended with 3"):
            making.app(modules=modules).definitions.complete()


def test_a_package_on_the_way_that_fails_is_not_passed_over_in_silence(package):
    package(**{"deep.__init__": "1 / 0", "deep.down": MAILS})
    with pytest.raises(ZeroDivisionError):
        making.app(modules=("gallery.*",)).definitions.complete()


@pytest.mark.parametrize("name", ["", "gallery.", "*", "gallery.*.mails", "gallery mails", 7])
def test_what_names_no_module_is_refused_where_it_stands(name):
    with pytest.raises(UsageError, match="include"):
        making.app().include(name)


def test_two_apps_that_include_a_task_are_told_apart_by_who_enqueues(package, tmp_path):
    package(mails=MAILS)
    one, other = (making.app(home=tmp_path / name) for name in ("one", "other"))
    one.include("gallery.*")
    other.include("gallery.*")
    send = importlib.import_module("gallery.mails").send
    with pytest.raises(UsageError, match=r"several Apps.*app\.enqueue"):
        send.enqueue("ada")
    other.enqueue(send.call("ada"))
    assert (waiting(one), waiting(other)) == ([], [("gallery.mails.send", "high")])


def test_an_app_that_nobody_uses_any_more_is_in_nobodys_way(package):
    package(mails=MAILS)
    making.app().include("gallery.*")
    app = making.app()
    app.include("gallery.*")
    importlib.import_module("gallery.mails").send.enqueue("ada")
    assert waiting(app) == [("gallery.mails.send", "high")]


def test_a_task_of_another_app_is_refused(package):
    one, other = making.app(), making.app()
    task = one.task(name="shop.own")(own)
    with pytest.raises(UsageError, match=r"shop\.own is no task of this App"):
        other.enqueue(task.call())


def test_a_box_takes_the_tasks_of_packages(package):
    package(mails=MAILS)
    app = making.app()
    app.include("gallery.*")
    with app.testing() as box:
        ref = importlib.import_module("gallery.mails").send.using(result_ttl_s=60).enqueue("ada")
        box.run_all()
        assert ref.result == "sent to ada"


def test_an_installed_package_names_its_modules_by_an_entry_point(package, tmp_path):
    package(mails=MAILS)
    metadata = tmp_path / "gallery-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: gallery\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[cronq.tasks]\ngallery = gallery.mails\nother = gallery.other\n")
    app = making.app(entry_points=("gallery",))
    importlib.import_module("gallery.mails").send.enqueue("ada")  # reads no metadata
    assert waiting(app) == [("gallery.mails.send", "high")]
    app.definitions.complete()
    assert {task.name for task in app.registry} == {f"gallery.mails.{name}" for name in NAMES}
    with pytest.raises(ConfigError, match=r"'galery'.*cronq\.tasks; there are gallery, other"):
        making.app(entry_points=("galery",)).definitions.complete()


def test_an_enqueue_reads_no_metadata_of_distributions(tmp_path):
    (tmp_path / "cronq.toml").write_text('transport = "memory://"\nmodules = ["gallery.*"]\nentry_points = ["x"]\n')
    code = "import cronq, sys; app = cronq.App()\n"
    code += "def own() -> None: ...\napp.task(name='own')(own).enqueue(); print('importlib.metadata' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True, env=os.environ
    )
    assert done.stdout == "False\n"


class TestBeingToldAtEnqueue:
    @pytest.fixture
    def app(self, home):
        (home / "cronq.toml").write_text('app = "shop.tasks:app"\n')
        app = App(load(str(home / "cronq.toml")))
        app.state.prepare()
        yield app
        app.transport.close()

    def enqueue(self, app: App) -> list[str]:
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            task = app.task(name="shop.mails.send")(own)
            task.enqueue()
            task.enqueue()
        return [str(one.message) for one in told]

    def test_consumers_that_do_not_know_a_task_are_told_of_once(self, app):
        known_tasks.note(app.state.known_tasks, ["shop.tasks.other"])
        (told,) = self.enqueue(app)
        assert f"modules = [{__name__!r}]" in told
        assert "shop.tasks:app" in told
        assert len(app.transport.browse(State.READY)) == 2  # it waits, and is not lost

    def test_nothing_is_said_of_tasks_that_they_know(self, app):
        known_tasks.note(app.state.known_tasks, ["shop.mails.send"])
        assert self.enqueue(app) == []

    def test_nothing_is_said_before_any_consumer_was_there(self, app):
        assert self.enqueue(app) == []

    def test_nothing_is_said_of_code_that_is_newer_than_the_consumers(self, app, tmp_path):
        known_tasks.note(app.state.known_tasks, [])
        long_ago = time.time() - 10 * 365 * 86400
        os.utime(app.state.known_tasks, (long_ago, long_ago))
        assert self.enqueue(app) == []

    def test_the_note_of_the_same_tasks_is_renewed(self, app):
        known_tasks.note(app.state.known_tasks, ["a"])
        os.utime(app.state.known_tasks, (1, 1))
        known_tasks.note(app.state.known_tasks, ["a"])
        assert os.stat(app.state.known_tasks).st_mtime > 1
