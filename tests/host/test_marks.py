from __future__ import annotations

import os

from cronq.host import marks


def test_a_touched_mark_is_as_old_as_the_look(tmp_path):
    path = str(tmp_path / "high")
    marks.touch(path, 1000.0)
    assert marks.age_s(path, 1007.5) == 7.5


def test_a_mark_is_renewed(tmp_path):
    path = str(tmp_path / "high")
    marks.touch(path, 1000.0)
    marks.touch(path, 2000.0)
    assert marks.age_s(path, 2001.0) == 1.0


def test_there_is_no_age_where_nobody_ever_looked(tmp_path):
    assert marks.age_s(str(tmp_path / "high"), 1.0) is None


def test_a_mark_from_a_clock_that_is_a_little_ahead_counts_as_new(tmp_path):
    path = str(tmp_path / "high")
    marks.touch(path, 1005.0)
    assert marks.age_s(path, 1000.0) == 0.0


def test_a_mark_that_was_made_before_the_clock_was_set_back_is_none(tmp_path):
    path = str(tmp_path / "high")
    marks.touch(path, 5000.0)
    assert marks.age_s(path, 1000.0) is None


def test_a_mark_is_private_and_follows_no_link(tmp_path):
    target, path = tmp_path / "target", tmp_path / "high"
    target.touch()
    os.utime(target, (1, 1))
    path.symlink_to(target)
    marks.touch(str(path), 1000.0)
    assert target.stat().st_mtime == 1
    path.unlink()
    os.umask(0)
    marks.touch(str(path), 1000.0)
    assert path.stat().st_mode & 0o777 == 0o600
