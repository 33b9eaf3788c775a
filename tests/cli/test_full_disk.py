"""Commands where the state directory lies on a disk that is full: a small one of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from cronq.supervisor import slots
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.cli.conftest import Shell

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("mount") is None, reason="only root can mount a disk of its own"
)


@pytest.fixture
def disk(shop: Shell) -> Iterator[Path]:
    """A disk of 64 MB, on which the state directory of the shop lies."""
    small = shop.home / "small"
    small.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m,mode=700", "tmpfs", str(small)], check=False)
    if mounted.returncode:
        pytest.skip("this root may not mount anything")
    shop.config.write_text('state_dir = "small/state"\n' + shop.config.read_text() + 'time_limit = "1h"\n')
    try:
        (shop.home / ".cronq").symlink_to(small / "state")  # where the shell looks for consumers
        yield small
        shop.kill_all()
    finally:
        subprocess.run(["umount", "--lazy", str(small)], check=True)


def fill(disk: Path) -> None:
    free = os.statvfs(disk)
    (disk / "fill").write_bytes(bytes(free.f_bavail * free.f_frsize))
    assert os.statvfs(disk).f_bavail == 0


def consuming(shop: Shell) -> int:
    def pid() -> int | None:
        return next((one.pid for one in shop.live() if one.note and one.note.state == slots.CONSUMING), None)

    return wait_until(pid)


def test_stop_reaches_consumers_on_a_full_disk(shop: Shell, disk: Path) -> None:
    shop.says("tick")
    consuming(shop)
    fill(disk)
    assert shop.says("stop").startswith("1 consumer left\n")
    assert not shop.live()


@pytest.mark.parametrize("stopped_before", [True, False])
def test_a_full_disk_keeps_nobody_from_holding_consumers_back(shop: Shell, disk: Path, stopped_before: bool) -> None:
    shop.says("tick")
    consuming(shop)
    if stopped_before:
        shop.says("stop")
    fill(disk)
    assert "nothing is started until" in shop.says("stop", "--for", "1h")
    shop.run("tick")  # which may tell of the disk
    assert not shop.live()
    assert "the hold is over" in shop.says("stop", "--for", "0")
    (disk / "fill").unlink()
    assert "1 to start" in shop.says("tick", "--dry-run")


def test_a_tick_remembers_what_it_told_on_a_full_disk(shop: Shell, disk: Path) -> None:
    """Its note is written over in place: a second file would need a block."""
    shop.says("stop", "--for", "1h")
    shop.says("tick")
    fill(disk)
    (disk / "state" / "queue.db").write_bytes(b"garbage " * 200)
    assert "is not an SQLite database" in shop.says("tick", code=1)
    assert shop.says("tick") == ""


def test_a_disk_that_is_nearly_full_is_told_once_and_once_that_it_is_not(shop: Shell, disk: Path) -> None:
    shop.says("stop", "--for", "1h")
    (disk / "fill").write_bytes(bytes(40 * 1048576))
    assert "the disk that the queue lies on is nearly full: " in shop.says("tick", code=1)
    assert shop.says("tick") == ""
    assert "nearly full" in shop.says("status", code=1)
    assert "warning: the disk that the queue lies on is nearly full" in shop.says("check")
    (disk / "fill").unlink()
    assert "well again after " in shop.says("tick", code=1)
    shop.says("status")


@pytest.mark.parametrize("lives", [True, False], ids=["a consumer lives", "nobody lives"])
def test_a_disk_that_fills_up_between_two_ticks_is_told_once(shop: Shell, disk: Path, lives: bool) -> None:
    if not lives:
        shop.says("stop", "--for", "1h")
    shop.says("tick")
    if lives:
        consuming(shop)
    fill(disk)
    assert "nearly full: 0 MB" in shop.says("tick", code=1)
    assert shop.says("tick") == ""
    assert "nearly full: 0 MB" in shop.says("status", code=1)
