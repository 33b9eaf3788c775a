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
    run("--fixtures").stdout.fnmatch_lines(["*cronq_box*", "*A box: what the code under test enqueues stays in it*"])
