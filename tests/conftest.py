from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

import cronq
from cronq import events
from tests.processes import python  # noqa: F401 - a fixture
from tests.receiver import receiver  # noqa: F401 - a fixture

if TYPE_CHECKING:
    from collections.abc import Iterator


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--part", metavar="I/N", help="Run the I-th of N parts, which are whole files: tests/run does.")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is not of this part. Files go by turns: those of one directory take about as long."""
    part = config.getoption("--part")
    if part is None:
        return
    number, _, parts = part.partition("/")
    files = list(dict.fromkeys(item.path for item in items))
    mine = set(files[int(number) - 1 :: int(parts)])
    config.hook.pytest_deselected(items=[item for item in items if item.path not in mine])
    items[:] = [item for item in items if item.path in mine]


def pytest_sessionstart() -> None:
    """Refuse to begin when the processes that tests start would run another cronq than the tests themselves.

    A shell has what it starts in the background ignore SIGINT, which tests of Ctrl-C would wait for.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    here = os.path.dirname(os.path.abspath(cronq.__file__))
    look = [sys.executable, "-P", "-c", "import cronq, os; print(os.path.dirname(os.path.abspath(cronq.__file__)))"]
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    found = subprocess.run(look, cwd="/", env=environ, capture_output=True, text=True, check=False)
    if found.stdout.strip() != here:
        there = found.stdout.strip() or "missing"
        pytest.exit(f"the cronq of {sys.executable} is {there}, not {here}: pip install -e {os.path.dirname(here)}", 2)


settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")  # a machine that stalls makes no example wrong


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No setting of the developer's shell reaches a test, and no test leaves its umask or its listeners behind."""
    for name in [name for name in os.environ if name.startswith("CRONQ_")]:
        monkeypatch.delenv(name)
    before = os.umask(0o022)
    listeners = list(events.listeners)
    yield
    events.listeners[:] = listeners
    os.umask(before)


@pytest.fixture
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A directory as a user's home has it: ticks refuse to work below /tmp, where pytest keeps its own."""
    import shutil
    import tempfile

    base = Path(os.environ.get("CRONQ_TEST_HOME") or Path.home()) / ".cache" / "cronq-tests"
    base.mkdir(parents=True, exist_ok=True)
    path = Path(tempfile.mkdtemp(dir=base))
    yield path
    shutil.rmtree(path, ignore_errors=True)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Where everything is installed (CI), a test that was skipped has not been run, and that is a failure."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CI") and reporter is not None and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
