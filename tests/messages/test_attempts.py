from __future__ import annotations

import json

from cronq.messages.attempts import OUTPUT_LENGTH, Attempt, Cause, appended, failed_attempt, read

OLD = '[{"attempt":1,"at":5.0,"host":"web1","slot":"high.0","took_s":2.5,"error_class":"KeyError","error":"ada"}]'
HOLDER = "web1/high.0/100/5/boot0001/0"


def test_a_history_of_an_older_release_is_read():
    assert read(OLD) == (Attempt(1, 5.0, "web1", "high.0", 2.5, "KeyError", "ada", None, ""),)


def test_a_history_of_a_newer_release_is_read_as_far_as_it_is_known():
    newer = json.loads(OLD)
    newer[0]["colour"] = "blue"
    assert read(json.dumps(newer)) == read(OLD)


def test_what_is_no_history_is_none():
    assert [read(stored) for stored in (None, "", "{", "[5]", "[{}]")] == [()] * 5


def test_memory_and_output_are_remembered():
    cause = Cause("ValueError", "boom", 1.0, 61.54321, "x" * 5000 + "the end")
    (got,) = read(appended(None, failed_attempt(1, "", cause, HOLDER, 7.0)))
    assert got.peak_mb == 61.5
    assert (len(got.output), got.output[-7:]) == (OUTPUT_LENGTH, "the end")
