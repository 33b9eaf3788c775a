"""What a person sees at a terminal of 80 columns: short ids that every command takes, nothing wrapped, counts."""

from __future__ import annotations

import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from cronq.app import App
from cronq.cli import message_selection
from cronq.cli.short_ids import LEAST, ShortIds, whole_id
from cronq.cli.terminal import cells
from cronq.config.settings import Settings
from cronq.errors import UsageError
from cronq.messages.message import State
from cronq.transports.selection import Selection
from tests.cli.test_failed import failed, give_up
from tests.making import message

if TYPE_CHECKING:
    from tests.cli.conftest import Shell

LONG = "shop.catalogue.imports.suppliers.germany.refresh_prices_of_every_article"


@pytest.fixture
def screen(shop: Shell) -> Shell:
    """A project whose commands believe in a terminal of 80 columns."""
    shop.environ["COLUMNS"] = "80"
    return shop


def holding(*ids: str) -> App:
    app = App(Settings(path=None, base_dir="/", state_dir="/nonexistent", transport="memory://"))
    app.transport.enqueue([message(id=one) for one in ids])
    return app


def old_id(ending: str) -> str:
    return "0195b4c8d7a37c008a1f0e6b1c2d3e4f"[: 32 - len(ending)] + ending


def test_ids_are_as_short_as_no_other_message_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    one, other = old_id("a" * 22), old_id("b" * 22)
    assert ShortIds(holding(one), [one])(one) == one[:LEAST]
    assert ShortIds(holding(one, other), [one])(one) == one[:11]


def test_an_id_of_just_now_is_longer_than_what_a_message_of_the_next_moment_begins_with(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    sent = message()
    short = ShortIds(holding(sent.id), [sent.id])(sent.id)
    assert not f"{int((time.time() + 0.1) * 1000):012x}".startswith(short)


def test_ids_are_whole_where_no_terminal_bounds_the_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    sent = message()
    assert ShortIds(holding(sent.id), [sent.id])(sent.id) == sent.id


def test_digits_that_begin_several_messages_are_refused_with_their_ids() -> None:
    one, other = old_id("a" * 22), old_id("b" * 22)
    with pytest.raises(UsageError, match=f"several messages, {one}, {other}: give more digits"):
        whole_id(holding(one, other).transport, one[:10])
    assert whole_id(holding(one, other).transport, one[:11]) == one


@pytest.mark.parametrize("given", ["0195b4c8  ", "0195 b4c8", "no digits", "0195b4c8" * 5])
def test_what_is_no_beginning_of_an_id_names_none(given: str) -> None:
    assert whole_id(holding(old_id("a")).transport, given) is None


@pytest.mark.parametrize("given", ["", "0195b4c", "id"])
def test_digits_too_few_to_mean_one_message_for_long_are_refused(given: str) -> None:
    with pytest.raises(UsageError, match="give at least 8 of its digits"):
        whole_id(holding(old_id("a")).transport, given)


def test_every_command_takes_the_ids_that_the_list_shows(screen: Shell) -> None:
    whole = give_up(screen)
    short = screen.says("failed").splitlines()[1].split()[0]
    assert len(short) < len(whole)
    assert whole.startswith(short)
    assert whole in screen.says("failed", "show", short)
    assert whole in screen.says("messages", "show", short.upper())
    assert screen.says("failed", "retry", short, whole) == "put 1 message back\n"
    assert "is not being run" in screen.says("messages", "stop", short, code=1)
    assert screen.says("messages", "cancel", short) == "cancelled 1 message\n"


def test_digits_of_no_message_are_said_to_be_none(screen: Shell) -> None:
    give_up(screen)
    assert "there is no message 0000000000" in screen.says("failed", "retry", "0000000000", code=2)
    assert len(failed(screen)) == 1


@pytest.mark.parametrize("width", [40, 80, 200])
def test_no_list_is_wider_than_the_terminal(shop: Shell, width: int) -> None:
    shop.environ["COLUMNS"] = str(width)
    give_up(shop, "注文が見つかりません 🛒 " * 12, task=LONG, queue="a-queue-of-a-long-name")
    with (shop.home / "shop" / "tasks.py").open("a") as file:
        file.write(f"app.task(lambda: None, name={LONG!r}, timeout_s=5, rate='5/m')\n")
        file.write("app.cron('H 3 * * *', tz='America/Argentina/Buenos_Aires', args={'a': 1})(add)\n")
    for words in (["failed", "--args"], ["messages"], ["queues"], ["tasks"], ["schedule"]):
        text = shop.says(*words) if words[-1] != "--args" else shop.says("failed", "list", "--args")
        assert max(map(cells, text.splitlines())) <= width, text


def test_a_list_says_how_many_there_are_of_which_it_shows_some(screen: Shell) -> None:
    for _ in range(3):
        give_up(screen)
    screen.says("enqueue", "shop.tasks.add", "1")
    assert screen.says("failed", "list", "--limit", "2").splitlines()[-1] == "2 of 3 failed: --limit shows more"
    shown = screen.says("messages", "list", "--limit", "2").splitlines()
    assert shown[-1] == "2 of 3 failed: --limit shows more"
    assert "of" not in screen.says("failed", "list", "--limit", "3").splitlines()[-1].split()


def test_of_very_many_it_says_at_least_how_many(screen: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(4):
        give_up(screen)
    monkeypatch.setattr(message_selection, "NOTED", 3)
    (note,) = message_selection.cut_note(screen.app(), Selection(State.FAILED), 2, 2, "failed")
    assert note == "2 of 3+ failed: --limit shows more"


def test_arguments_are_shown_below_each_message_when_asked_for(screen: Shell) -> None:
    give_up(screen, body='{"text":"Grüße 注文","copies":[1,2]}'.encode())
    give_up(screen, body=b"\xff no json")
    lines = screen.says("failed", "list", "--args").splitlines()
    assert (lines[2], lines[4]) == ('  text="Grüße 注文", copies=[1, 2]', "  \\xff no json")


def test_messages_can_be_held_to_a_task(shop: Shell) -> None:
    wanted = give_up(shop, task="shop.tasks.add")
    give_up(shop)
    assert [one["id"] for one in shop.json("messages", "list", "--task", "shop.tasks.add")] == [wanted]


def test_a_real_terminal_bounds_the_lines_too(shop: Shell) -> None:
    give_up(shop, "x" * 200, task=LONG)
    call = f"stty cols 60; {__import__('sys').executable} -m cronq failed"
    done = subprocess.run(
        ["script", "-qec", call, "/dev/null"],
        cwd=shop.home,
        env=shop.environ,
        capture_output=True,
        text=True,
        check=True,
    )
    rows = [line for line in done.stdout.splitlines() if "…" in line]
    assert len(rows) == 1
    assert cells(rows[0]) == 60


def test_an_old_terminal_that_lacks_a_character_shows_its_code(screen: Shell) -> None:
    screen.environ["PYTHONIOENCODING"] = "latin-1"
    give_up(screen, "注文", task=LONG)
    text = screen.says("failed")
    assert "\\u6ce8\\u6587" in text
    assert "\\u2026" in text


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["failed"], "no failed messages\n"),
        (["failed", "list", "--stats"], "no failed messages\n"),
        (["messages"], "no messages\n"),
    ],
    ids=" ".join,
)
def test_an_empty_list_says_so(screen: Shell, words: list[str], said: str) -> None:
    assert screen.says(*words) == said


def test_one_message_is_shown_without_a_line_that_need_be_wrapped(screen: Shell) -> None:
    message_id = give_up(screen, "x" * 60, headers=b'{"user":"ada"}')
    lines = screen.says("failed", "show", message_id).splitlines()
    assert max(map(cells, lines)) <= 80
