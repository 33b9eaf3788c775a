from __future__ import annotations

import pytest

from cronq.messages.attempts import Cause
from cronq.messages.message import Ack
from tests.consumer.bench import raising


def test_a_very_long_traceback_keeps_its_end(bench):
    outcome = bench.run(raising(ValueError("x" * 50_000 + "the end")))
    assert len(outcome.error) == 8000
    assert outcome.error.endswith("the end\n")


def test_a_result_is_kept_as_json_for_as_long_as_asked(bench):
    outcome = bench.run(lambda: {"pages": [1, 2]}, result_ttl_s=60)
    assert (outcome.result, outcome.keep_s) == (b'{"pages":[1,2]}', 60)


@pytest.mark.parametrize("value", [object(), "\ud800", {1, object()}, {(1, 2): 3}])
def test_a_result_that_is_no_json_is_not_kept_but_the_message_is_done(bench, value):
    outcome = bench.run(lambda: value, result_ttl_s=60)
    assert isinstance(outcome, Ack)
    assert (outcome.result, outcome.keep_s) == (None, 60)


def test_a_result_nested_too_deeply_is_not_kept_but_the_message_is_done(bench):
    def deep():
        value: list[object] = []
        for _ in range(100_000):
            value = [value]
        return value

    assert bench.run(deep, result_ttl_s=60).result is None


def test_without_a_retention_no_result_is_kept(bench):
    assert bench.run(lambda: 42).result is None


def test_a_failed_attempt_tells_its_cause_in_parts(bench):
    def task():
        bench.clock.advance(2.5)
        raise KeyError("ada")

    cause = bench.run(task).cause
    assert cause == Cause("KeyError", "'ada'", 2.5, cause.peak_mb)
    assert 5 < cause.peak_mb < 20_000


def test_an_error_whose_text_fails_is_a_failed_attempt_like_others(bench):
    class Odd(Exception):
        def __str__(self):
            raise ValueError

    cause = bench.run(raising(Odd())).cause
    assert (cause.error_class, cause.text) == ("Odd", "its text cannot be had: ValueError")


def test_half_characters_in_an_error_are_escaped_so_that_it_can_be_stored(bench):
    outcome = bench.run(raising(OSError("no file caf\udce9")))
    assert outcome.cause.text == "no file caf\\udce9"
    outcome.error.encode()
