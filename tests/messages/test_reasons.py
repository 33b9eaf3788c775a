"""What blocked messages wait for, in words."""

from __future__ import annotations

from cronq.messages import reasons


def test_reasons_can_be_read():
    said = [reasons.running("ada"), reasons.rate("task:shop.send"), reasons.paused_task("t"), reasons.group("g")]
    assert [reasons.in_words(one) for one in (*said, reasons.batch("high", "t"))] == [
        "others with the running key ada to end",
        "the rate of task shop.send to allow it",
        "its task t to be resumed",
        "all parts of group g to be done",
        "others to be run in one call with it",
    ]
