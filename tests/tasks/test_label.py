"""How messages are called in lists and logs."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from cronq import RESULT, App, ArgumentError, Context, UsageError
from cronq.cli.message_lists import as_data
from cronq.host.event_words import words_for
from cronq.messages.message import State
from cronq.messages.own_headers import label_of
from tests import making
from tests.presence import there

if TYPE_CHECKING:
    from cronq.messages.message import Record


@dataclass
class Paid:
    order: int


def charge(order: int, who: str = "ada") -> None: ...


def thank(paid: Paid) -> None: ...


def index(orders: list[int]) -> None: ...


@pytest.fixture
def app() -> App:
    return making.app()


def records(app: App) -> list[Record]:
    return app.transport.browse(State.READY)


def labels(app: App) -> list[str]:
    return [label_of(one.message) for one in records(app)]


def test_a_label_is_made_of_the_arguments(app):
    app.task(label="order {order} of {who}")(charge).enqueue(7)
    assert labels(app) == ["order 7 of ada"]


def test_a_label_is_for_people_so_nothing_in_it_is_escaped_and_it_is_one_short_line(app):
    task = app.task(label="order {order}, {who}")(charge)
    task.enqueue(7, who="ada, the\nfirst")
    task.enqueue(8, who="x" * 200)
    first, second = labels(app)
    assert first == "order 7, ada, the first"
    assert (len(second), second[-1]) == (100, "…")


def test_a_label_may_name_fields_of_a_message(app):
    app.handler(label="order {paid.order}")(thank)
    app.dispatch(Paid(7))
    assert labels(app) == ["order 7"]


def test_a_function_makes_a_label(app):
    app.task(label=lambda order, who="nobody": f"{order} for {who}")(charge).enqueue(7, "ada")
    assert labels(app) == ["7 for ada"]


def test_what_a_label_says_is_in_the_log_in_data_and_in_the_context_beside_the_projects_own_headers(app):
    app.task(label="order {order}", headers={"user": "ada"})(charge).enqueue(7)
    (record,) = records(app)
    context = Context.for_test(headers=json.loads(record.message.headers))
    assert (context.label, context.headers) == ("order 7", {"user": "ada"})
    assert as_data(record)["label"] == "order 7"
    said = words_for("failed", {"message": record.message, "error": "no money"})
    assert said is not None
    assert f"{record.message.id} (order 7)" in said


def test_a_call_under_a_unique_key_that_replaces_another_brings_its_label(app):
    from cronq import Unique

    task = app.task(label="order {order}", unique=Unique("one", until="waiting", replace=True))(charge)
    task.enqueue(7)
    task.enqueue(8)
    assert labels(app) == ["order 8"]


def test_a_step_that_takes_a_result_has_no_label_before_it_is_known(app):
    task = app.task(label="order {order}")(charge)
    app.chain(task.call(7), task.call(RESULT)).enqueue()
    assert labels(app) == ["order 7"]


def test_runs_of_a_schedule_are_called_as_its_arguments_say(app):
    from cronq.schedules.spec import message_of

    app.cron("0 * * * *", args={"order": 7})(app.task(label="order {order}")(charge))
    (entry,) = app.declarations.entries()
    assert label_of(message_of(entry, 0.0, 0.0)) == "order 7"


@pytest.mark.parametrize("label", ["", 7, "{", "{order!r}", "{nobody}"])
def test_what_can_be_no_label_is_refused_where_it_stands(app, label):
    with pytest.raises(UsageError, match="label"):
        app.task(label=label)(charge)


def test_a_function_that_fails_or_returns_no_text_is_told_to_who_enqueues(app):
    with pytest.raises(ArgumentError, match="ZeroDivisionError"):
        app.task(label=lambda order: str(order / 0), name="one")(charge).enqueue(7)
    with pytest.raises(ArgumentError, match="must be text, not 7"):
        app.task(label=lambda order: order, name="other")(charge).enqueue(7)


def test_a_task_without_a_label_is_called_nothing(app):
    app.task(headers={"user": "ada"})(charge).enqueue(7)
    (record,) = records(app)
    assert label_of(record.message) == ""
    assert as_data(record)["label"] is None


def test_garbled_headers_hide_no_message_from_a_list(app):
    sent = making.message(headers=b'{"cronq-label": ')
    assert label_of(sent) == ""
    assert there(words_for("failed", {"message": sent, "error": "no"}))
