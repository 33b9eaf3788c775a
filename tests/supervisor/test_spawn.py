from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from cronq.config.settings import Settings
from cronq.errors import ConfigError
from cronq.host.state_dir import StateDir
from cronq.supervisor.spawn import Attached, Command, Detached, TwiceDetached, consume_command, python_of
from tests.processes import open_descriptors, says
from tests.waiting import has_ended, wait_until

LOOK = """
import json, os, sys
HERE = "/proc/self/fd"
fds = {fd: os.readlink(f"{HERE}/{fd}") for fd in os.listdir(HERE) if os.path.lexists(f"{HERE}/{fd}")}
found = {"pid": os.getpid(), "session": os.getsid(0), "fds": fds, "cwd": os.getcwd(), "env": dict(os.environ)}
with open("look.new", "w") as file:
    json.dump(found, file)
os.rename("look.new", "look")
print("said", file=sys.stderr)
"""


@pytest.fixture
def state(home):
    made = StateDir(str(home / ".cronq"))
    made.prepare()
    return made


def settings(home: Path, **fields) -> Settings:
    return Settings(str(home / "cronq.toml"), str(home), str(home / ".cronq"), **fields)


def command(state: StateDir, home: Path, *argv: str, **env: str) -> Command:
    return Command(argv or (sys.executable, "-c", LOOK), str(home), {**os.environ, **env}, state.output)


def look(home: Path) -> dict[str, Any]:
    wait_until((home / "look").exists)
    seen: dict[str, Any] = json.loads((home / "look").read_text())
    return seen


@pytest.fixture(autouse=True)
def _no_child_stays():
    """Who starts detached leaves its children to init, when it ends; the tests' process does not."""
    yield
    wait_until(_has_no_child)


def _has_no_child() -> bool:
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return True
    return False


starters = pytest.mark.parametrize("starter", [Detached, TwiceDetached, Attached])


@starters
def test_a_started_process_keeps_nothing_of_its_starter(starter, state, home):
    readers, writer = os.pipe()
    os.set_inheritable(writer, True)
    start = starter()
    assert start(command(state, home)) is True
    found = look(home)
    if isinstance(start, Attached):
        start.wait()
    os.close(readers)
    os.close(writer)
    assert found["session"] != os.getsid(0)
    assert found["cwd"] == str(home)
    assert [found["fds"][number] for number in "012"] == ["/dev/null", state.output, state.output]
    assert set(found["fds"]) == {"0", "1", "2"}
    wait_until(lambda: has_ended(found["pid"]))
    assert "said" in Path(state.output).read_text()


@starters
def test_starting_leaves_no_descriptor_open(starter, state, home):
    before = open_descriptors()
    start = starter()
    start(command(state, home, "/bin/true"))
    if isinstance(start, Attached):
        start.wait()
    assert open_descriptors() == before


def test_a_starter_that_lives_on_keeps_no_zombie(state, home):
    TwiceDetached()(command(state, home))
    pid = look(home)["pid"]
    wait_until(lambda: not os.path.exists(f"/proc/{pid}"))


def test_an_attached_starter_waits_for_its_processes(state, home):
    start = Attached()
    start(command(state, home, sys.executable, "-c", "import time; time.sleep(0.1); open('done', 'w')"))
    start.wait()
    assert (home / "done").exists()


def test_the_output_is_private_whatever_the_umask(state, home):
    os.umask(0)
    Detached()(command(state, home))
    look(home)
    assert os.stat(state.output).st_mode & 0o777 == 0o600


def test_an_argv_shows_a_group_and_nothing_else(state, home):
    made = consume_command(settings(home, python="/usr/bin/python3"), state, ["high"], {"SECRET": "x"})
    assert made.argv == ("/usr/bin/python3", "-m", "cronq", "consume", "high")
    assert (made.cwd, made.output) == (str(home), state.output)


def test_the_environment_names_the_config_and_is_otherwise_the_starter_s(state, home):
    made = consume_command(settings(home), state, ["high"], {"SHOP": "1"})
    assert (made.env["CRONQ_CONFIG"], made.env["SHOP"]) == (str(home / "cronq.toml"), "1")


def test_libraries_start_one_thread_unless_told_otherwise(state, home):
    made = consume_command(settings(home), state, ["high"], {"OMP_NUM_THREADS": "4"})
    assert made.env["OMP_NUM_THREADS"] == "4"
    assert {made.env[f"{name}_NUM_THREADS"] for name in ("OPENBLAS", "MKL", "NUMEXPR")} == {"1"}


@pytest.mark.parametrize("wrong", ["/nowhere/python", "/etc/passwd"])
@starters
def test_an_interpreter_that_is_not_there_is_told_with_what_to_set(starter, state, home, wrong):
    with pytest.raises(ConfigError, match=f"{wrong}: .*: set `python` .*to the absolute path of the interpreter"):
        starter()(command(state, home, wrong))


FULL = """
import resource, subprocess  # while the interpreter may still be read
from cronq.supervisor.spawn import Command, Detached, TwiceDetached
output = os.open(sys.argv[1], os.O_CREAT | os.O_RDWR, 0o600)
os.fchown(output, 65534, 65534)
os.setgroups([]); os.setgid(65534); os.setuid(65534)
resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
for starter in (Detached(), TwiceDetached()):
    say(str(starter(Command(("/bin/true",), "/", dict(os.environ), sys.argv[1]))))
"""


def test_a_host_that_allows_no_further_process_is_pressure(python):
    import shutil
    import tempfile

    if os.geteuid() != 0:
        pytest.skip("only root can become a user with a limit of its own")
    place = tempfile.mkdtemp(dir="/opt")
    os.chmod(place, 0o755)  # noqa: S103 - for the user that is to look into it
    try:
        process = python(FULL, f"{place}/output.log")
        assert [says(process), says(process)] == ["False", "False"]
    finally:
        shutil.rmtree(place)


@pytest.mark.parametrize("error", [OSError(11, "EAGAIN"), OSError(12, "ENOMEM"), OSError(28, "ENOSPC"), MemoryError()])
def test_what_the_host_has_no_room_for_is_no_error(state, home, monkeypatch, error):
    def popen(*args, **kwargs):
        raise error

    monkeypatch.setattr("subprocess.Popen", popen)
    assert Detached()(command(state, home)) is False


def test_any_other_error_passes(state, home, monkeypatch):
    def popen(*args, **kwargs):
        raise OSError(5, "EIO")

    monkeypatch.setattr("subprocess.Popen", popen)
    with pytest.raises(OSError, match="EIO"):
        Detached()(command(state, home))


@pytest.mark.parametrize(
    ("executable", "python"),
    [
        ("/usr/bin/python3.11", "/usr/bin/python3.11"),
        ("/home/ada/venv/bin/python3.11_bin", "/home/ada/venv/bin/python"),
        ("/usr/bin/uwsgi", f"{sys.exec_prefix}/bin/python"),
        ("", f"{sys.exec_prefix}/bin/python"),
    ],
)
def test_the_interpreter_is_found_where_sys_executable_is_not_it(home, monkeypatch, executable, python):
    monkeypatch.setattr(sys, "executable", executable)
    assert python_of(settings(home)) == python


def test_starting_does_not_wait(state, home):
    code = """
import os, time
stop_at = time.monotonic() + 120
while not os.path.exists("go") and time.monotonic() < stop_at:
    time.sleep(0.005)
open("ended", "w").write(str(os.path.exists("go")))
"""
    Detached()(command(state, home, sys.executable, "-c", code))
    (home / "go").touch()
    wait_until(lambda: (home / "ended").exists() and (home / "ended").read_text() == "True")
