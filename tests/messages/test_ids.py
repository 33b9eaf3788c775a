from __future__ import annotations

import time
import uuid

from freezegun import freeze_time

from cronq.messages.ids import enqueued_at, new_id


def test_an_id_is_a_uuid_of_version_7():
    made = uuid.UUID(new_id())
    assert (made.version, made.variant) == (7, uuid.RFC_4122)


def test_ids_of_one_process_rise_strictly():
    made = [new_id() for _ in range(20_000)]
    assert made == sorted(set(made))


def test_ids_rise_when_the_clock_steps_back():
    before = new_id()
    with freeze_time("2001-09-09 01:46:40"):
        assert new_id() > before


def test_ids_rise_past_the_counter_of_one_millisecond(monkeypatch):
    monkeypatch.setattr("cronq.messages.ids._last_ms_and_count", 0)  # and put back: ids of later tests are not of 2090
    with freeze_time("2090-01-01"):
        made = [new_id() for _ in range(5000)]
    assert made == sorted(set(made))


def test_an_id_tells_when_it_was_made(monkeypatch):
    monkeypatch.setattr("cronq.messages.ids._last_ms_and_count", 0)
    before = time.time()
    assert before - 0.002 <= enqueued_at(new_id()) <= time.time() + 0.002


def test_ids_are_not_guessable_from_one_another():
    tails = {new_id()[17:] for _ in range(1000)}
    assert len(tails) == 1000
