from __future__ import annotations

import marshal
from enum import Enum, IntEnum

import pytest

from cronq.consumer.handback import pack, unpack
from cronq.messages.attempts import Cause
from cronq.messages.message import UNTIL_DONE, Ack, Continue, Fail, Release
from tests.making import message

MINE = message(body=b"x" * 1000)
NEXT = message("low", unique_key="u", unique_until=UNTIL_DONE, follow=b"{}", part=3)
CAUSE = Cause("ValueError", "boom", 1.5, 20.25, "printed")


@pytest.mark.parametrize(
    "outcome",
    [
        Ack(MINE),
        Ack(MINE, b"42", 60.0, (NEXT, NEXT)),
        Release(MINE, 5.0, "Traceback", cause=CAUSE),
        Release(MINE, uncounted=True),
        Fail(MINE, "Traceback", CAUSE, (NEXT,)),
        Continue(MINE, b"7", 0.5, (NEXT,)),
    ],
)
def test_every_outcome_comes_back_as_it_was(outcome):
    assert unpack(pack(outcome), MINE) == outcome
    assert type(unpack(pack(outcome), MINE)) is type(outcome)


def test_the_message_itself_does_not_travel():
    assert len(pack(Ack(MINE))) < 100


class Lanes(str, Enum):  # noqa: UP042 - the older way, whose str() is not its value
    LOW = "low"


class Weight(IntEnum):
    HEAVY = 9


def test_names_and_numbers_of_the_project_s_own_classes_come_back_plain():
    back = unpack(pack(Ack(MINE, then=(NEXT._replace(queue=Lanes.LOW, priority=Weight.HEAVY),))), MINE)
    assert isinstance(back, Ack)
    (got,) = back.then
    assert (got.queue, type(got.queue), got.priority, type(got.priority)) == ("low", str, 9, int)


@pytest.mark.parametrize("value", [b"", b"no marshal", marshal.dumps(5), marshal.dumps(("State", [1]))])
def test_what_is_no_outcome_is_none(value):
    assert unpack(value, MINE) is None
