from __future__ import annotations

import os
from typing import TYPE_CHECKING

from tests.waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Shell


def test_backup_says_what_it_wrote(shop: Shell) -> None:
    shop.says("enqueue", "shop.tasks.add", "1")
    said = shop.says("backup", "shop.db")
    path = shop.home / "shop.db"
    assert said == f"shop.db: 1 message waiting, 0 failed, {path.stat().st_size // 1024} KB\n"
    assert shop.json("backup", "shop.db") == {
        "path": str(path),
        "size": path.stat().st_size,
        "waiting": 1,
        "failed": 0,
    }


def test_backup_names_what_it_will_not_overwrite(shop: Shell) -> None:
    shop.says("enqueue", "shop.tasks.add", "1")
    assert "is the live database itself" in shop.says("backup", ".cronq/queue.db", code=1)
    assert "is there already and no copy of cronq's" in shop.says("backup", "shop/tasks.py", code=1)
    assert shop.ready("normal") == 1


def test_restore_brings_back_what_was_there_and_keeps_what_it_replaces(shop: Shell) -> None:
    shop.says("enqueue", "shop.tasks.add", "1")
    shop.says("backup", "shop.db")
    shop.says("drain")
    shop.says("enqueue", "shop.tasks.add", "2", "--queue", "low")
    before = shop.home / ".cronq" / "before-restore.db"
    assert shop.says("restore", "shop.db") == (
        f"restored 1 message waiting, 0 failed\nwhat was there (1 message waiting, 0 failed) is kept in {before}\n"
    )
    assert (shop.ready("normal"), shop.ready("low")) == (1, 0)
    assert shop.json("restore", str(before))["restored"]["waiting"] == 1
    assert (shop.ready("normal"), shop.ready("low")) == (0, 1)
    assert (shop.home / ".cronq" / "before-restore-2.db").exists()


def test_restore_waits_for_nobody_and_names_who_is_at_work(shop: Shell, busy: Path) -> None:
    shop.says("backup", "shop.db")
    assert "all.0 still at work: run `cronq stop --for 10m`" in shop.says("restore", "shop.db", code=1)
    assert shop.busy()


def test_a_message_that_ran_while_it_was_copied_runs_again_after_a_restore(shop: Shell, busy: Path) -> None:
    shop.says("backup", "shop.db")
    busy.touch()
    wait_until(lambda: not shop.busy())
    shop.says("stop", "--for", "10m")
    assert shop.ready("high") == 0
    shop.says("restore", "shop.db")
    assert shop.ready("high") == 1
    shop.says("stop", "--for", "0")
    assert "ran 1 message, 0 failed" in shop.says("drain")


BACKUP = """
@app.task
def back_up() -> None:
    app.backup("shop.db")
    os.mkdir("kept")
    app.backup("kept/shop.db")
"""


def test_a_task_backs_up_the_database_of_the_consumer_it_runs_in(shop: Shell) -> None:
    """Its own locks and commits stay: what it writes afterwards is there."""
    tasks = shop.home / "shop" / "tasks.py"
    tasks.write_text(tasks.read_text() + BACKUP)
    for task in ("back_up", "add 1", "add 2"):
        shop.says("enqueue", *f"shop.tasks.{task}".split())
    assert "ran 3 messages, 0 failed, 0 left" in shop.says("drain")
    copies = [shop.home / "shop.db", shop.home / "kept" / "shop.db"]
    assert [os.path.getsize(path) > 0 for path in copies] == [True, True]
    shop.says("restore", "kept/shop.db")
    assert shop.ready("normal") == 3


def test_restore_of_what_is_no_copy_changes_nothing(shop: Shell) -> None:
    shop.says("enqueue", "shop.tasks.add", "1")
    assert "No such file or directory" in shop.says("restore", "gone.db", code=1)
    assert "is no database of cronq's" in shop.says("restore", "shop/tasks.py", code=1)
    assert shop.ready("normal") == 1


def test_restore_over_a_damaged_database_says_how(shop: Shell) -> None:
    shop.says("enqueue", "shop.tasks.add", "1")
    shop.says("backup", "shop.db")
    live = shop.home / ".cronq" / "queue.db"
    live.write_bytes(b"\xa5" * live.stat().st_size)
    text = shop.says("restore", "shop.db", code=1)
    assert "what is there now cannot be kept, so nothing was restored" in text
    assert "-wal and -shm" in text
    live.unlink()
    assert "restored 1 message waiting" in shop.says("restore", "shop.db")
