from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

import pytest

from cronq.messages.attempts import Cause
from cronq.messages.message import Fail, Release, State
from cronq.transports.exchange import Want
from cronq.transports.selection import Selection
from tests.making import message
from tests.presence import there

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Unpack

    from tests.cli.conftest import Shell
    from tests.making import MessageFields

HOLDER = "web1/high.0/100/5/boot0001"


def give_up(
    shell: Shell,
    text: str = "boom",
    error_class: str = "ValueError",
    queue: str = "low",
    **fields: Unpack[MessageFields],
) -> str:
    """Put a message into the failure queue as a consumer would, and return its id."""
    known: MessageFields = {"task": "shop.tasks.boom", "body": b'{"text":"hi"}', "max_attempts": 1, **fields}
    sent = message(queue, **known)
    app = shell.app()
    app.state.prepare()
    app.transport.enqueue([sent])
    (got,) = app.transport.exchange(HOLDER, [], Want([sent.queue], 1e12, 1, 1)).messages
    said = f"Traceback (most recent call last):\n{error_class}: {text}\n"
    app.transport.exchange(HOLDER, [Fail(got, said, Cause(error_class, text, 2.5))], None)
    return sent.id


def failed(shell: Shell) -> list[str]:
    return [record.message.id for record in shell.app().transport.browse(State.FAILED)]


def ready(shell: Shell) -> list[str]:
    return [record.message.id for record in shell.app().transport.browse(State.READY)]


def without_ages(text: str) -> list[list[str]]:
    """Return the words of a table without its ages: some seconds may pass between two commands, and move columns."""
    return [[word for word in line.split() if not re.fullmatch(r"(\d+[smh])+", word)] for line in text.splitlines()]


@pytest.fixture
def editor(shop: Shell) -> Callable[[str], None]:
    """Set an editor that runs a line of shell with the file as $1."""

    def set_to(line: str) -> None:
        program = shop.bin / "editor"
        program.write_text(f"#!/bin/sh\n{line}\n")
        program.chmod(0o755)
        shop.environ["EDITOR"] = str(program)

    return set_to


def test_list_is_what_failed_does(shop: Shell) -> None:
    give_up(shop)
    assert without_ages(shop.says("failed")) == without_ages(shop.says("failed", "list"))


def test_list_makes_nothing(shop: Shell) -> None:
    shop.says("failed")
    assert shop.json("failed", "list") == []
    assert not (shop.home / ".cronq").exists()


def test_list_says_in_one_line_what_failed_and_why(shop: Shell) -> None:
    message_id = give_up(shop, "no such\naddress")
    _head, line = shop.says("failed").splitlines()
    assert line.split()[:3] == [message_id, "shop.tasks.boom", "low"]
    assert line.endswith("1/1  ValueError: no such address")


def test_a_real_failure_is_listed_by_its_class(shop: Shell) -> None:
    shop.says("enqueue", "shop.tasks.boom", "hi")
    shop.says("drain", code=1)
    (found,) = shop.json("failed", "list", "--error", "ValueError")
    assert (found["error_class"], found["attempts"][0]["error"], found["arguments"]) == (
        "ValueError",
        "hi",
        {"text": "hi"},
    )


@pytest.mark.parametrize(
    "words", [["--task", "shop.tasks.add"], ["--queue", "high"], ["--error", "KeyError"], ["--limit", "1"]]
)
def test_list_can_be_filtered(shop: Shell, words: list[str]) -> None:
    wanted = give_up(shop, error_class="KeyError", task="shop.tasks.add", queue="high")
    give_up(shop)
    assert [one["id"] for one in shop.json("failed", "list", *words)] == [wanted]


def test_a_list_that_is_cut_says_so(shop: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    from click.testing import CliRunner

    from cronq.cli import cmd_failed, commands

    ids = [give_up(shop) for _ in range(3)]
    monkeypatch.setattr(cmd_failed, "SHOWN", 2)
    words = ["--config", str(shop.config), "failed", "list"]
    _head, *rows, last = CliRunner().invoke(commands.cli, words).output.splitlines()
    assert ([row.split()[0] for row in rows], last) == (ids[:2], "2 of 3 failed: --limit shows more")
    assert len(CliRunner().invoke(commands.cli, [*words, "--limit", "1"]).output.splitlines()) == 3
    assert len(CliRunner().invoke(commands.cli, [*words, "--limit", "3"]).output.splitlines()) == 4


def test_what_failed_just_now_is_not_older_than_an_hour(shop: Shell) -> None:
    give_up(shop)
    assert shop.json("failed", "list", "--older-than", "1h") == []
    assert len(shop.json("failed", "list", "--older-than", "0s")) == 1


def test_show_has_arguments_attempts_and_traceback(shop: Shell) -> None:
    text = shop.says("failed", "show", give_up(shop, headers=b'{"user":"ada"}'))
    for part in ('"text": "hi"', '"user": "ada"', "high.0", "2.5s", "Traceback (most recent call last):"):
        assert part in text


def test_show_has_every_attempt_that_is_remembered(shop: Shell) -> None:
    message_id = give_up(shop, "first")
    transport = shop.app().transport
    transport.revive([message_id])
    (got,) = transport.exchange(HOLDER, [], Want(["low"], 1e12, 1, 1)).messages
    transport.exchange(HOLDER, [Fail(got, "second", Cause("KeyError", "second"))], None)
    shown = shop.says("failed", "show", message_id)
    assert shown.index("ValueError: first") < shown.index("KeyError: second")


def test_a_body_that_is_not_json_is_shown_as_escaped_bytes(shop: Shell) -> None:
    message_id = give_up(shop, body=b"\xff\x00 not json")
    assert r"\xff\x00 not json" in shop.says("failed", "show", message_id)
    shown = shop.json("failed", "show", message_id)
    assert (shown["arguments"], shown["body"]) == (None, r"\xff\x00 not json")


HOSTILE = "\x1b]0;owned\x07\x9b31m\x7f\u202e\r"


@pytest.mark.parametrize("words", [["failed"], ["messages"], ["failed", "show"], ["messages", "show"]], ids=" ".join)
@pytest.mark.parametrize("as_json", [[], ["--json"]], ids=["text", "json"])
def test_control_characters_never_reach_the_terminal_raw(shop: Shell, words: list[str], as_json: list[str]) -> None:
    message_id = give_up(
        shop, HOSTILE, f"Err{HOSTILE}", task=f"t{HOSTILE}", body=f'{{"a": "{HOSTILE}"}}'.encode(), headers=b"\x1b[2J"
    )
    listing = [*words, "list"] if len(words) == 1 else [*words, message_id]
    text = shop.says(*listing, *as_json)
    assert [one for one in text if not one.isprintable() and one != "\n"] == []
    assert "owned" in text


def test_show_of_a_message_that_has_not_failed_says_how_it_stands(shop: Shell) -> None:
    message_id = shop.says("enqueue", "shop.tasks.add", "1").strip()
    assert "has not failed, it is ready" in shop.says("failed", "show", message_id, code=2)


@pytest.mark.parametrize(
    "words", [["failed", "show"], ["failed", "retry"], ["failed", "remove", "--yes"]], ids=" ".join
)
def test_an_unknown_id_is_told(shop: Shell, words: list[str]) -> None:
    assert "there is no message no-id" in shop.says(*words, "no-id", code=2)


def test_retry_puts_one_message_back_with_all_attempts_before_it(shop: Shell) -> None:
    message_id, other = give_up(shop), give_up(shop)
    assert shop.says("failed", "retry", message_id) == "put 1 message back\n"
    (record,) = shop.app().transport.browse(State.READY)
    assert (record.message.id, record.message.attempt, failed(shop)) == (message_id, 0, [other])


def test_retry_takes_filters(shop: Shell) -> None:
    wanted = give_up(shop, error_class="KeyError")
    give_up(shop)
    shop.says("failed", "retry", "--error", "KeyError")
    assert ready(shop) == [wanted]


@pytest.mark.parametrize("word", ["retry", "remove"])
def test_without_a_word_on_which_nothing_is_done(shop: Shell, word: str) -> None:
    message_id = give_up(shop)
    assert "say which" in shop.says("failed", word, code=2)
    assert "not both" in shop.says("failed", word, message_id, "--queue", "low", code=2)
    assert failed(shop) == [message_id]


def test_a_bulk_retry_is_paced(shop: Shell) -> None:
    began = time.time()
    ids = [give_up(shop) for _ in range(3)]
    assert shop.says("failed", "retry", "--all", "--every", "1m") == "put 3 messages back, one every 1m\n"
    times = [there(shop.app().transport.find(one)).message.available_at for one in ids]
    assert [round(at - times[0]) for at in times] == [0, 60, 120]
    assert times[0] >= began


def test_pacing_goes_on_from_one_transaction_to_the_next(shop: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    from click.testing import CliRunner

    from cronq.cli import cmd_failed, commands, message_selection

    ids = [give_up(shop) for _ in range(5)]
    monkeypatch.setattr(cmd_failed, "PAGE", 2)
    monkeypatch.setattr(message_selection, "PAGE", 2)
    words = ["--config", str(shop.config), "failed", "retry", "--all", "--every", "10"]
    assert CliRunner().invoke(commands.cli, words).output == "put 5 messages back, one every 10s\n"
    times = [there(shop.app().transport.find(one)).message.available_at for one in ids]
    assert [round(at - times[0]) for at in times] == [0, 10, 20, 30, 40]


def test_edited_arguments_are_what_is_retried(shop: Shell, editor: Callable[[str], None]) -> None:
    editor("sed -i 's/hi/ho/' \"$1\"; touch -d '+5 seconds' \"$1\"")
    message_id = give_up(shop)
    shop.says("failed", "retry", message_id, "--edit")
    (record,) = shop.app().transport.browse(State.READY)
    assert record.message.body == b'{"text":"ho"}'


def test_edited_arguments_make_another_label(shop: Shell, editor: Callable[[str], None]) -> None:
    tasks = shop.home / "shop" / "tasks.py"
    tasks.write_text(tasks.read_text().replace('(queue="low", retry', '(queue="low", label="say {text}", retry'))
    editor("sed -i 's/hi/ho/' \"$1\"; touch -d '+5 seconds' \"$1\"")
    message_id = give_up(shop, headers=b'{"user":"ada","cronq-label":"say hi"}')
    shop.says("failed", "retry", message_id, "--edit")
    (data,) = shop.json("messages", "list")
    assert data["headers"] == {"user": "ada", "cronq-label": "say ho"}


def test_the_list_has_labels_where_there_are_some(shop: Shell) -> None:
    give_up(shop)
    assert "label" not in shop.says("failed").splitlines()[0].split()
    give_up(shop, headers=b'{"cronq-label":"say hi"}')
    for command in ("failed", "messages"):
        head, *lines = shop.says(command).splitlines()
        assert head.split()[:4] == ["id", "task", "label", "queue"]
        assert sorted("  say hi  " in line for line in lines) == [False, True]


def test_edited_arguments_that_do_not_fit_the_task_are_refused(shop: Shell, editor: Callable[[str], None]) -> None:
    editor('echo \'{"text": 3}\' > "$1"; touch -d \'+5 seconds\' "$1"')
    message_id = give_up(shop)
    assert "argument 'text': Expected `str`" in shop.says("failed", "retry", message_id, "--edit", code=1)
    assert (failed(shop), there(shop.app().transport.find(message_id)).message.body) == ([message_id], b'{"text":"hi"}')


def test_an_editor_that_saves_nothing_retries_nothing(shop: Shell, editor: Callable[[str], None]) -> None:
    editor("exit 0")
    message_id = give_up(shop)
    assert "nothing was saved" in shop.says("failed", "retry", message_id, "--edit", code=1)
    assert failed(shop) == [message_id]


def test_only_one_message_can_be_edited(shop: Shell) -> None:
    give_up(shop)
    assert "the id of one message" in shop.says("failed", "retry", "--all", "--edit", code=2)


def test_remove_asks_first(shop: Shell) -> None:
    message_id = give_up(shop)
    assert "delete 1 failed message for good?" in shop.says("failed", "remove", message_id, code=1)
    assert failed(shop) == [message_id]


def test_remove_with_yes_deletes_what_was_selected(shop: Shell) -> None:
    give_up(shop, error_class="KeyError")
    kept = give_up(shop)
    assert shop.says("failed", "remove", "--error", "KeyError", "--yes") == "removed 1 message\n"
    assert failed(shop) == [kept]


def test_remove_leaves_messages_that_have_not_failed(shop: Shell) -> None:
    shop.says("enqueue", "shop.tasks.add", "1")
    assert shop.says("failed", "remove", "--all", "--yes") == "removed 0 messages\n"
    assert len(ready(shop)) == 1


def test_a_released_message_is_not_in_the_list(shop: Shell) -> None:
    message_id = give_up(shop)
    transport = shop.app().transport
    transport.revive([message_id])
    (got,) = transport.exchange(HOLDER, [], Want(["low"], 1e12, 1, 1)).messages
    transport.exchange(HOLDER, [Release(got, 60, "boom", cause=Cause("ValueError", "boom"))], None)
    assert shop.json("failed", "list") == []
    assert transport.select(Selection(State.DELAYED, error_class="ValueError"))
