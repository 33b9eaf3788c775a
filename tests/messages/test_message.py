from __future__ import annotations

from cronq.messages.message import Message

EVERY_FIELD = Message._make(f"value of {name}" for name in Message._fields)


def test_another_call_changes_the_id_and_the_body_alone() -> None:
    assert EVERY_FIELD.with_call("x", b"y") == EVERY_FIELD._replace(id="x", body=b"y")


def test_a_reservation_changes_the_attempt_and_the_position_alone() -> None:
    before = EVERY_FIELD._replace(attempt=1)
    assert before.reserved(7) == before._replace(attempt=2, position=7)
