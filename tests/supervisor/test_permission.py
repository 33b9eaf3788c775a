from __future__ import annotations

import os
import subprocess
import sys

import pytest

from cronq.host.state_dir import StateDir
from cronq.supervisor.permission import may_start

ASK = """
import sys
from cronq.host.state_dir import StateDir
from cronq.supervisor.permission import may_start
print(may_start(StateDir({path!r})))
"""


@pytest.fixture
def state(home):
    made = StateDir(str(home / ".cronq"))
    made.prepare()
    return made


def answer(words: list[str], code: str = "", user: int | None = None) -> str:
    done = subprocess.run([sys.executable, *words], input=code, capture_output=True, text=True, check=True, user=user)
    return done.stdout.split()[-1]


def test_a_test_leaves_no_consumer_behind(state):
    assert not may_start(state)


@pytest.mark.parametrize(
    ("program", "words", "may"),
    [
        ("manage.py", ["runserver"], "True"),
        ("manage.py", ["send_mails", "test"], "True"),
        ("manage.py", ["test"], "False"),
        ("manage.py", ["test", "shop"], "False"),
        ("django/__main__.py", ["test"], "False"),
        ("unittest/__main__.py", ["discover"], "False"),
        ("cronq/__main__.py", ["consume", "test"], "True"),
        ("bot.py", ["test"], "True"),
    ],
)
def test_a_program_does_unless_it_runs_tests(state, home, program, words, may):
    path = home / program
    path.parent.mkdir(exist_ok=True)
    path.write_text(ASK.format(path=state.path))
    assert answer([str(path), *words]) == may


def test_a_prompt_does_not(state):
    code = ASK.format(path=state.path)
    assert [answer(["-i", "-q"], code), answer(["-"], code)] == ["False", "True"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_another_account_does_not(state):
    os.chown(state.path, 1, 1)
    assert answer(["-"], ASK.format(path=state.path)) == "False"


def test_where_nothing_is_nobody_does(tmp_path):
    assert answer(["-"], ASK.format(path=str(tmp_path / "none"))) == "False"
