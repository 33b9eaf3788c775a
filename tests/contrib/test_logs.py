from __future__ import annotations

import logging

import pytest

from cronq import Retry
from cronq.contrib.logs import to_logging
from cronq.events import emit
from cronq.host.event_words import words_for
from tests.making import app as make_app
from tests.making import message


@pytest.fixture
def lines(caplog):
    caplog.set_level(logging.INFO, "cronq")
    to_logging()
    return caplog


def test_a_failure_is_an_error_with_its_exception(lines):
    error, sent = OSError("down"), message()
    emit("failed", message=sent, error=error)
    (record,) = lines.records
    assert (record.name, record.levelname, record.exc_info[1]) == ("cronq", "ERROR", error)
    assert (record.event, record.task, record.message_id) == ("failed", sent.task, sent.id)


def test_the_lines_are_those_of_the_event_log(lines):
    facts = {"message": message(attempt=2), "error": OSError("down"), "delay_s": 5.0}
    emit("released", **facts)
    assert [(record.levelname, record.getMessage()) for record in lines.records] == [
        ("WARNING", words_for("released", facts))
    ]


def test_what_has_no_words_is_not_logged(lines):
    emit("submitted", messages=[message()])
    assert lines.records == []


def test_a_percent_sign_in_an_error_is_only_a_percent_sign(lines):
    emit("trouble", error="disk 100%s full")
    assert "100%s full" in lines.text


def test_connecting_twice_logs_once(lines):
    to_logging()
    emit("spawned", target="high")
    assert len(lines.records) == 1


def test_another_logger_may_be_named(caplog):
    caplog.set_level(logging.INFO, "shop.queue")
    to_logging("shop.queue")
    emit("spawned", target="high")
    assert [record.name for record in caplog.records] == ["shop.queue"]


def test_every_level_is_of_an_event_that_has_words():
    from cronq.contrib import logs
    from cronq.host import event_words

    assert set(logs._LEVELS) <= set(event_words._WORDS)


def test_a_failing_task_in_a_box_is_logged(lines):
    def fail() -> None:
        raise OSError("down")

    app = make_app()
    with app.testing() as box:
        app.task(name="shop.fail", retry=Retry(max_attempts=2))(fail).enqueue()
        box.run_all(raises=False)
    assert [record.event for record in lines.records] == ["released", "failed"]
