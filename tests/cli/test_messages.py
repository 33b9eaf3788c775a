from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cronq.app import App
from cronq.config import load
from cronq.host.process import identity
from cronq.transports.exchange import Want
from tests.cli.test_failed import give_up, without_ages
from tests.waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Shell


def enqueue(shell: Shell, *words: str) -> str:
    return shell.says("enqueue", "shop.tasks.add", "1", *words).strip()


def test_list_is_what_messages_does(shop: Shell) -> None:
    enqueue(shop)
    assert without_ages(shop.says("messages")) == without_ages(shop.says("messages", "list"))


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
    assert "there is no message" in shop.says("messages", "cancel", message_id, "0" * 32, code=2)
    assert [one["id"] for one in shop.json("messages", "list")] == [message_id]


def test_cancel_leaves_a_failed_message_to_failed_remove(shop: Shell) -> None:
    message_id = give_up(shop)
    text = shop.says("messages", "cancel", message_id, code=1)
    assert (
        text == f"cancelled 0 messages\n{message_id} has failed (`cronq failed remove` removes it): it was left alone\n"
    )


def test_stop_ends_what_is_being_run(shop: Shell, busy: Path) -> None:
    (running,) = shop.json("messages", "list", "--state", "reserved")
    text = shop.says("messages", "stop", running["id"])
    assert text == f"{running['id']} is being stopped: its consumer was told\n"
    (failed,) = wait_until(lambda: shop.json("messages", "list", "--state", "failed"))
    assert (failed["id"], failed["error_class"]) == (running["id"], "TaskStopped")


def test_stop_of_what_waits_names_the_other_command(shop: Shell) -> None:
    message_id = enqueue(shop)
    text = shop.says("messages", "stop", message_id, code=1)
    assert text == f"{message_id} is not being run: `cronq messages cancel` removes it\n"


@pytest.mark.parametrize(
    ("holder", "why"),
    [
        (identity("inline.0"), "it runs in a web process, which must not be interrupted"),
        (identity("high.0")._replace(host="elsewhere"), "it runs on another host, which is not told"),
    ],
)
def test_stop_says_where_only_the_task_itself_can_end_it(shop: Shell, holder, why) -> None:
    message_id = enqueue(shop)
    app = App(load(str(shop.config), {}))
    app.transport.exchange(str(holder), [], Want(["normal"], 1e12, 1, 1))
    app.transport.close()
    text = shop.says("messages", "stop", message_id)
    assert text == f"{message_id} is asked to stop: {why}, so it ends when its task looks at context.should_stop\n"
