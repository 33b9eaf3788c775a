from __future__ import annotations

import pytest

from cronq.host.state_dir import StateDir
from tests.processes import says

CONSUME = """
from cronq.host.state_dir import StateDir
from cronq.supervisor import slots
slot = slots.take(StateDir(sys.argv[1]), sys.argv[2], 1)
slot.begin(["high", "low"], 0.0, sys.argv[3])
if sys.argv[4:]:
    slot.note(1)
say("there")
sys.stdin.readline()
"""

ASK = """
from cronq.host.state_dir import StateDir
from cronq.supervisor.glance import are_served
say(are_served(StateDir(sys.argv[1]), sys.argv[2:]))
"""


@pytest.fixture
def state(home):
    made = StateDir(str(home / ".cronq"))
    made.prepare()
    return made


@pytest.mark.parametrize(
    ("words", "queues", "is_served"),
    [
        (["standby", "consuming"], ["high"], "True"),
        (["standby", "consuming"], ["high", "low"], "True"),
        (["standby", "consuming"], ["high", "mail"], "False"),
        (["standby", "consuming", "busy"], ["high"], "False"),
        (["standby", "starting"], ["high"], "False"),
        (["inline", "consuming"], ["high"], "False"),
    ],
)
def test_a_consumer_that_waits_is_seen_by_its_note(state, python, words, queues, is_served):
    assert says(python(CONSUME, state.path, *words)) == "there"
    assert says(python(ASK, state.path, *queues)) == is_served


def test_the_note_of_one_that_was_killed_proves_nothing(state, python):
    consumer = python(CONSUME, state.path, "standby", "consuming")
    assert says(consumer) == "there"
    consumer.kill()
    consumer.wait()
    assert says(python(ASK, state.path, "high")) == "False"


def test_who_may_hold_a_slot_opens_none(state, python):
    assert says(python(CONSUME, state.path, "standby", "consuming")) == "there"
    assert says(python("import cronq.host.locks\n" + ASK.lstrip(), state.path, "high")) == "False"


def test_without_a_state_directory_nobody_is_seen(home, python):
    assert says(python(ASK, str(home / "none"), "high")) == "False"
