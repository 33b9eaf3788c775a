from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from cronq.cli.task_call import read_arguments
from cronq.errors import UsageError
from cronq.messages.message import State

if TYPE_CHECKING:
    from tests.cli.conftest import Shell


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("3", 3),
        ("-1.5", -1.5),
        ("true", True),
        ("null", None),
        ('["a", 1]', ["a", 1]),
        ('"3"', "3"),
        ("ada@example.org", "ada@example.org"),
        ("0171", "0171"),
        ("NaN", "NaN"),
        ("", ""),
        ("[" * 100_000, "[" * 100_000),
        ("not a=b", "not a=b"),
    ],
)
def test_an_argument_is_json_where_it_parses_else_text(word: str, value: object) -> None:
    assert read_arguments([word]) == ([value], {})


def test_a_name_makes_a_keyword_argument() -> None:
    assert read_arguments(["1", "b=2", "c=x=y"]) == ([1], {"b": 2, "c": "x=y"})


def test_a_keyword_argument_twice_is_refused() -> None:
    with pytest.raises(UsageError, match="'b' is given twice"):
        read_arguments(["b=1", "b=2"])


def test_the_id_of_the_message_is_printed_and_nothing_else(shop: Shell) -> None:
    message_id = shop.says("enqueue", "shop.tasks.add", "1", "b=2").strip()
    record = shop.app().transport.find(message_id)
    assert record is not None
    assert (record.message.task, json.loads(record.message.body)) == ("shop.tasks.add", {"a": 1, "b": 2})


def test_queue_delay_and_priority_are_as_asked(shop: Shell) -> None:
    options = ("--queue", "low", "--delay", "10m", "--priority", "-3")
    message_id = shop.says("enqueue", "shop.tasks.add", "1", *options).strip()
    record = shop.app().transport.find(message_id)
    assert record is not None
    assert (record.message.queue, record.state, record.message.priority) == ("low", State.DELAYED, -3)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("add", "1"), "did you mean shop.tasks.add?"),
        (("shop.task.add", "1"), "did you mean shop.tasks.add"),
        (("qqqqqq",), "this app has shop.tasks.add, shop.tasks.boom"),
        (("shop.tasks.add", "1", "--priority", "9999999"), "priority = 9999999"),
        (("shop.tasks.add", "1", "--delay", "soon"), "is not a duration"),
        (("shop.tasks.add", "1", "--queue", "mail"), "no [[consumers]] entry serves it"),
    ],
)
def test_wrong_use_is_refused_with_what_would_be_right(shop: Shell, words: tuple[str, ...], said: str) -> None:
    assert said in shop.says("enqueue", *words, code=2)


def test_arguments_that_do_not_fit_are_refused(shop: Shell) -> None:
    assert "argument 'a'" in shop.says("enqueue", "shop.tasks.add", "one", code=1)


def test_sync_runs_the_task_and_tells_of_its_failure(shop: Shell) -> None:
    shop.environ["CRONQ_TRANSPORT"] = "sync://"
    assert "the task failed: ValueError: x" in shop.says("enqueue", "shop.tasks.boom", "x", code=1)


def test_a_transport_that_would_lose_the_message_is_refused(shop: Shell) -> None:
    shop.environ["CRONQ_TRANSPORT"] = "memory://"
    assert "would be lost" in shop.says("enqueue", "shop.tasks.add", "1", code=2)
