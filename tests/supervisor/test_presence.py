"""Who looks after which queue, as the slots tell it."""

from __future__ import annotations

import os

import pytest

from cronq.config.settings import DEFAULT_GROUPS
from cronq.host.process import host_name
from cronq.host.state_dir import StateDir
from cronq.messages.holder import Holder
from cronq.supervisor import slots
from cronq.supervisor.presence import Presence, presence_of, unattended
from cronq.supervisor.slots import BROKEN, CONSUMING, LEFT, STARTING, Seen, SlotNote
from tests.living import living
from tests.presence import there

QUEUES = ("high", "normal", "low")
HERE = "here"


def note(state: str = CONSUMING, queues: tuple[str, ...] = ("high",), since: float = 0.0, host: str = HERE) -> SlotNote:
    return SlotNote(Holder(host, "high.0", 7, 1, "boot"), state, queues, 0.0, 0.0, since=since)


def found(*seen: Seen) -> Presence:
    return presence_of(seen, DEFAULT_GROUPS, HERE)


@pytest.mark.parametrize("state", [STARTING, CONSUMING])
def test_a_living_consumer_looks_after_the_queues_of_its_note(state):
    assert found(Seen("high.0", 7, note(state))).ready == {"high"}


def test_one_that_is_at_a_message_is_busy_with_all_its_queues():
    standby, low = note(queues=("high", "low"), since=5.0), note(queues=("low",))
    presence = found(Seen("standby.0", 7, standby), Seen("low.0", 7, low))
    assert presence.busy == {"high", "low"}
    assert presence.ready == {"low"}
    assert presence.only_busy == {"high"}


def test_one_that_has_just_taken_its_slot_looks_after_the_queues_of_its_group():
    assert found(Seen("standby.0", 7, None)).ready == set(QUEUES)
    assert found(Seen("low.0", 8, note())).ready == {"low"}  # the note is of the holder before


def test_work_in_a_web_process_is_no_consumer():
    assert found(Seen("inline.0", 7, note())) == Presence()


@pytest.mark.parametrize("state", [LEFT, BROKEN])
def test_one_that_has_left_looks_after_nothing_although_its_process_has_not_ended(state):
    assert found(Seen("high.0", 7, note(state))) == Presence()
    assert found(Seen("high.0", None, note(state))) == Presence()


def test_one_that_ended_without_a_word_is_dead():
    gone = note()
    assert found(Seen("high.0", None, gone)) == Presence(dead=(str(gone.holder),))


def test_one_of_another_host_cannot_be_proven_dead():
    assert found(Seen("high.0", None, note(host="elsewhere"))) == Presence(elsewhere=frozenset({"high"}))


READY = Presence(ready=frozenset({"high"}))
BUSY = Presence(busy=frozenset({"high"}))
ELSEWHERE = Presence(elsewhere=frozenset({"high"}))


@pytest.mark.parametrize(
    ("presence", "is_fresh", "steps_in", "is_attended"),
    [
        (Presence(), True, False, False),  # a mark alone proves nothing
        (READY, False, True, True),  # and a living consumer needs none
        (BUSY, False, False, True),
        (BUSY, False, True, False),
        (BUSY, True, True, True),
        (ELSEWHERE, True, False, True),
        (ELSEWHERE, False, False, False),
    ],
)
def test_who_counts_as_looking_after_a_queue(presence, is_fresh, steps_in, is_attended):
    fresh = {"high": is_fresh, "low": True}
    assert unattended(["high", "low"], presence, fresh, steps_in) == (("low",) if is_attended else ("high", "low"))


class TestRealProcesses:
    @pytest.fixture
    def state(self, home):
        return StateDir(str(home / ".cronq"))

    def found(self, state: StateDir) -> Presence:
        return presence_of(slots.survey(state), DEFAULT_GROUPS, host_name())

    def test_a_consumer_is_there_as_long_as_its_process_lives(self, state):
        with living(state) as one:
            assert self.found(state).ready == set(QUEUES)
            one.end()
            presence = self.found(state)
        assert not presence.ready
        assert len(presence.dead) == 1
        assert f"/{os.getpid()}/" not in there(presence.dead[0])

    def test_one_that_leaves_leaves_nothing_behind(self, state):
        import signal

        with living(state) as one:
            one.end(signal.SIGTERM)
            assert self.found(state) == Presence()

    def test_one_at_a_message_is_busy(self, state):
        with living(state, is_busy=True):
            assert self.found(state).only_busy == set(QUEUES)
