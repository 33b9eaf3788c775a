from __future__ import annotations

from typing import TYPE_CHECKING

from tests.cli.test_failed import give_up

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Shell


def enqueue(shell: Shell, *words: str) -> str:
    return shell.says("enqueue", "shop.tasks.add", "1", *words).strip()


def test_list_is_what_messages_does(shop: Shell) -> None:
    enqueue(shop)
    assert shop.says("messages") == shop.says("messages", "list")


def test_list_makes_nothing(shop: Shell) -> None:
    assert shop.json("messages", "list") == []
    assert not (shop.home / ".cronq").exists()


def test_list_has_every_state(shop: Shell) -> None:
    found = {"ready": enqueue(shop), "delayed": enqueue(shop, "--delay", "1h"), "failed": give_up(shop)}
    assert {one["state"]: one["id"] for one in shop.json("messages", "list")} == found


def test_list_can_be_held_to_a_state_and_a_queue(shop: Shell) -> None:
    enqueue(shop)
    enqueue(shop, "--queue", "low", "--delay", "1h")
    wanted = enqueue(shop, "--queue", "low")
    assert [one["id"] for one in shop.json("messages", "list", "--state", "ready", "--queue", "low")] == [wanted]


def test_show_has_the_arguments(shop: Shell) -> None:
    message_id = enqueue(shop)
    assert '"a": 1' in shop.says("messages", "show", message_id)
    assert shop.json("messages", "show", message_id)["arguments"] == {"a": 1}


def test_cancel_removes_what_has_not_begun(shop: Shell) -> None:
    one, other = enqueue(shop), enqueue(shop, "--delay", "1h")
    assert shop.says("messages", "cancel", one, other) == "cancelled 2 messages\n"
    assert shop.json("messages", "list") == []


def test_cancel_says_what_is_being_run_and_leaves_it_alone(shop: Shell, busy: Path) -> None:
    (running,) = shop.json("messages", "list", "--state", "reserved")
    text = shop.says("messages", "cancel", running["id"], enqueue(shop), code=1)
    assert "cancelled 1 message\n" in text
    assert f"{running['id']} is being run by" in text


def test_cancel_of_an_unknown_message_cancels_none(shop: Shell) -> None:
    message_id = enqueue(shop)
    assert "there is no message" in shop.says("messages", "cancel", message_id, "00", code=2)
    assert [one["id"] for one in shop.json("messages", "list")] == [message_id]
