from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.cli.conftest import Shell

SEND = """
@app.task(name="send", queue="low", unique="mail:{to}", max_running=1, rate="10/m")
def send(to: str) -> None: ...
"""


def with_send(shop: Shell) -> None:
    path = shop.home / "shop" / "tasks.py"
    path.write_text(path.read_text() + SEND)


def test_list_has_every_task_with_its_queue_and_rules(shop: Shell) -> None:
    with_send(shop)
    found = {one["task"]: one for one in shop.json("tasks", "list")}
    assert found["send"] == {
        "task": "send",
        "queue": "low",
        "max_attempts": 3,
        "rules": {"unique": "mail:{to}", "max_running": 1, "rate": "10/m"},
        "paused": False,
    }
    assert found["shop.tasks.boom"]["max_attempts"] == 1
    assert "unique = mail:{to}, max_running = 1, rate = 10/m" in shop.says("tasks")


def test_a_paused_task_is_left_alone_until_it_is_resumed(shop: Shell) -> None:
    shop.says("enqueue", "shop.tasks.add", "1")
    shop.says("tasks", "pause", "shop.tasks.add")
    assert "paused" in shop.says("tasks", "list")
    assert shop.says("drain").startswith("ran 0 messages")
    (blocked,) = shop.json("messages", "list", "--state", "blocked")
    assert blocked["blocked_by"] == "task:shop.tasks.add"
    assert "its task shop.tasks.add to be resumed" in shop.says("messages", "show", blocked["id"])
    assert {one["queue"]: one["blocked"] for one in shop.json("queues", "list")}["normal"] == 1
    assert "1 message had waited" in shop.says("tasks", "resume", "shop.tasks.add")
    assert shop.says("drain").startswith("ran 1 message, 0 failed, 0 left")


def test_a_task_there_is_none_of_is_refused_with_the_nearest_name(shop: Shell) -> None:
    assert "did you mean shop.tasks.add" in shop.says("tasks", "pause", "shop.tasks.ad", code=2)


def test_a_second_message_of_a_unique_key_names_the_first(shop: Shell) -> None:
    with_send(shop)
    said = {shop.says("enqueue", "send", "ada") for _ in range(2)}
    assert len(said) == 1
