from __future__ import annotations

import os
import struct
from typing import TYPE_CHECKING

import pytest

from cronq.host.room import Room, left, rooms

if TYPE_CHECKING:
    from pathlib import Path


def answer(hard_kb: int = 0, soft_kb: int = 0, used: int = 0, hard: int = 0, soft: int = 0, files: int = 0) -> bytes:
    """Return what the kernel answers, as linux/quota.h has it: bounds in KiB, what is used in bytes."""
    return struct.pack("=8Q I 4x", hard_kb, soft_kb, used, hard, soft, files, 0, 0, 0x3F)


def test_what_the_disk_has_left_is_told_first(home: Path) -> None:
    disk = rooms(str(home))[0]
    free = os.statvfs(home)
    assert disk.what == "the disk"
    assert disk.mb == pytest.approx(free.f_bavail * free.f_frsize / 1048576, abs=64)


def test_a_directory_that_is_not_there_has_no_room(home: Path) -> None:
    with pytest.raises(FileNotFoundError):
        rooms(str(home / "nowhere"))


@pytest.mark.parametrize(
    ("given", "room"),
    [
        (answer(), None),
        (answer(used=5 * 1048576, files=9), None),
        (answer(hard_kb=10240, used=4 * 1048576), Room("q", 6.0, None)),
        (answer(hard_kb=10240, soft_kb=8192, used=4 * 1048576), Room("q", 4.0, None)),
        (answer(soft_kb=8192, used=9 * 1048576), Room("q", 0.0, None)),
        (answer(hard=1000, files=990), Room("q", None, 10)),
        (answer(hard_kb=1024, used=0, hard=5, soft=4, files=9), Room("q", 1.0, 0)),
    ],
)
def test_a_quota_leaves_what_its_nearest_bound_does(given: bytes, room: Room | None) -> None:
    assert left("q", given) == room
