"""The plugin as projects meet it: a wheel of this checkout, installed, in a pytest run of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

pytest_plugins = ["pytester"]

ROOT = Path(__file__).resolve().parents[2]
TASKS = """
from cronq import App

app = App.from_config("cronq.toml")
done = []

@app.task
def note(text: str) -> None:
    done.append(text)
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory that holds the distribution as pip installs it, entry points included."""
    base = tmp_path_factory.mktemp("distribution")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q"]
    subprocess.run(
        [*pip, "wheel", "--no-deps", "--no-build-isolation", "-w", str(base), str(ROOT)],
        check=True,
        capture_output=True,
    )
    (wheel,) = base.glob("*.whl")
    subprocess.run([*pip, "install", "--no-deps", "--target", str(base / "site"), str(wheel)], check=True)
    return base / "site"


@pytest.fixture
def run(installed: Path, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Callable[..., pytest.RunResult]:
    """Run pytest in a project of its own, against the installed distribution."""
    monkeypatch.setenv("PYTHONPATH", str(installed))
    pytester.makefile(".toml", cronq='app = "tasks:app"\n')
    pytester.makepyfile(tasks=TASKS)
    return lambda *args: pytester.runpytest_subprocess("-p", "no:cacheprovider", *args)


def test_the_box_holds_what_the_app_of_cronq_toml_enqueues(run, pytester):
    pytester.makepyfile(
        """
        def test_it(cronq_box):
            from tasks import done, note
            note.enqueue("a")
            cronq_box.assert_enqueued(note, text="a")
            assert done == []
            cronq_box.run_all()
            assert done == ["a"]

        def test_every_test_has_a_box_of_its_own(cronq_box):
            assert cronq_box.messages == []
        """
    )
    run().assert_outcomes(passed=2)
    assert not (pytester.path / ".cronq").exists()


def test_a_project_may_say_which_app_it_is(run, pytester):
    pytester.makeconftest(
        """
        import pytest
        from cronq import App
        from cronq.config import load

        @pytest.fixture
        def cronq_app(tmp_path):
            (tmp_path / "cronq.toml").write_text("")
            return App(load(tmp_path / "cronq.toml"))
        """
    )
    pytester.makepyfile(
        """
        def test_it(cronq_app, cronq_box):
            cronq_app.task(name="x")(lambda: None).enqueue()
            assert cronq_box.run_all() == 1
        """
    )
    run().assert_outcomes(passed=1)


def test_a_project_without_cronq_toml_is_told_so(run, pytester):
    (pytester.path / "cronq.toml").unlink()
    pytester.makepyfile("def test_it(cronq_box): pass")
    result = run()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*cronq.toml: no such file*"])


def test_a_real_queue_is_worked_on_by_another_process_and_every_test_has_its_own(run, pytester):
    pytester.makepyfile(
        """
        def test_it(cronq_queue, cronq_app, tmp_path):
            from tasks import done, note
            ref = note.enqueue("a")
            assert ref.status == "ready"
            assert cronq_queue.drain().startswith("ran 1 message, 0 failed")
            assert (done, ref.status) == ([], "gone")  # it ran elsewhere
            assert cronq_app.state.path == str(tmp_path / ".cronq")

        def test_another(cronq_queue, cronq_app):
            assert not any(one.ready for one in cronq_app.transport.counts())
            assert cronq_queue.drain().startswith("ran 0 messages")

        def test_none(cronq_app, pytestconfig):
            assert cronq_app.state.path == str(pytestconfig.rootpath / ".cronq")
        """
    )
    run().assert_outcomes(passed=3)
    assert not (pytester.path / ".cronq").exists()


def test_a_failed_attempt_of_a_real_queue_is_told_with_its_reason(run, pytester):
    pytester.makepyfile(tasks=TASKS + "    raise ValueError('no such note')\n")
    pytester.makepyfile(
        """
        import pytest

        def test_it(cronq_queue):
            from tasks import note
            note.enqueue("a")
            with pytest.raises(AssertionError, match="no such note"):
                cronq_queue.drain()

        def test_quietly(cronq_queue):
            from tasks import note
            note.enqueue("a")
            assert "ran 1 message, 1 failed" in cronq_queue.drain(raises=False)

        def test_one_that_cannot_begin(cronq_queue, monkeypatch):
            monkeypatch.setenv("CRONQ_APP", "nowhere:app")
            with pytest.raises(AssertionError, match="no module 'nowhere'"):
                cronq_queue.drain(raises=False)
        """
    )
    run().assert_outcomes(passed=3)


def test_a_real_queue_that_others_could_replace_is_refused_and_the_app_is_as_before(run, pytester):
    pytester.makepyfile(
        """
        import pytest
        from cronq.errors import StateDirError
        from cronq.testing.real_queue import RealQueue

        def test_it(cronq_app):
            path = cronq_app.state.path
            with pytest.raises(StateDirError, match="whoever comes first"):
                with RealQueue(cronq_app.installation, "/tmp/cronq-of-nobody"):
                    pass
            assert cronq_app.state.path == path
        """
    )
    run().assert_outcomes(passed=1)


def test_a_run_that_uses_no_fixture_of_ours_imports_none_of_our_modules(run, pytester, installed):
    pytester.makepyfile(
        f"""
        import sys

        def test_it():
            ours = sorted(name for name in sys.modules if name.split(".")[0] in ("cronq", "msgspec", "blinker"))
            assert ours == ["cronq", "cronq.pytest_plugin"]
            assert sys.modules["cronq"].__file__.startswith({str(installed)!r})
        """
    )
    run().assert_outcomes(passed=1)


def test_the_fixture_is_listed_with_what_it_does(run):
    listed = run("--fixtures").stdout
    listed.fnmatch_lines(["*cronq_box*", "*A box: what the code under test enqueues stays in it*"])
    listed.fnmatch_lines(["*cronq_queue*", "*A real queue in `tmp_path`*"])
