from __future__ import annotations

import os

import pytest

from cronq.host import control_group


@pytest.fixture
def groups(tmp_path, monkeypatch):
    """A tree of control groups."""
    monkeypatch.setattr(control_group, "ROOT", str(tmp_path))
    (tmp_path / "user" / "ada").mkdir(parents=True)
    return tmp_path


def test_the_smallest_limit_on_the_way_up_counts(groups):
    (groups / "user" / "ada" / "memory.max").write_text("max\n")
    (groups / "user" / "memory.max").write_text(f"{512 << 20}\n")
    (groups / "memory.max").write_text(f"{2048 << 20}\n")
    assert control_group.limit_mb(str(groups / "user" / "ada")) == 512


def test_version_1_says_it_in_another_file_and_writes_a_huge_number_for_none(groups):
    (groups / "user" / "memory.limit_in_bytes").write_text(f"{256 << 20}\n")
    (groups / "memory.limit_in_bytes").write_text("9223372036854771712\n")
    assert control_group.limit_mb(str(groups / "user")) == 256
    assert control_group.limit_mb(str(groups)) is None


def test_kills_are_read_from_either_version(groups):
    assert control_group.oom_kills(str(groups)) == 0
    (groups / "user" / "memory.events").write_text("oom 4\noom_kill 3\noom_group_kill 0\n")
    (groups / "memory.oom_control").write_text("oom_kill_disable 0\nunder_oom 0\noom_kill 2\n")
    assert (control_group.oom_kills(str(groups / "user")), control_group.oom_kills(str(groups))) == (3, 2)


def test_without_a_group_nothing_is_known():
    assert (control_group.limit_mb(""), control_group.oom_kills("")) == (None, 0)


def test_the_own_group_is_a_directory_where_there_is_one():
    group = control_group.own_group()
    assert group == "" or os.path.isdir(group)
