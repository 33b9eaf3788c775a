from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from cronq.config import Settings, load
from cronq.config.settings import DEFAULT_GROUPS
from cronq.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@pytest.fixture(autouse=True)
def in_tmp_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def complaint(path: str | None = None, environ: Mapping[str, str] | None = None) -> str:
    with pytest.raises(ConfigError) as caught:
        load(path, environ or {})
    (problem,) = caught.value.problems
    return problem


def write(path: Path, keys: str) -> str:
    path.parent.mkdir(exist_ok=True)
    path.write_text(keys)
    return str(path)


def test_without_a_file_the_defaults_hold_in_the_working_directory(tmp_path: Path) -> None:
    here = str(tmp_path)
    assert load(environ={}) == Settings(None, here, f"{here}/.cronq", groups=DEFAULT_GROUPS)


def test_the_working_directory_s_file_is_found(tmp_path: Path) -> None:
    found = write(tmp_path / "cronq.toml", "max_processes = 7")
    assert (load(environ={}).path, load(environ={}).max_processes) == (found, 7)


def test_a_file_in_a_parent_directory_is_never_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "cronq.toml", "max_processes = 7")
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")
    assert load(environ={}).path is None


def test_the_variable_wins_over_the_working_directory(tmp_path: Path) -> None:
    write(tmp_path / "cronq.toml", "max_processes = 7")
    other = write(tmp_path / "other" / "my.toml", "max_processes = 8")
    assert load(environ={"CRONQ_CONFIG": other}).max_processes == 8


def test_the_argument_wins_over_the_variable(tmp_path: Path) -> None:
    other = write(tmp_path / "my.toml", "max_processes = 8")
    assert load(other, {"CRONQ_CONFIG": "/nowhere"}).max_processes == 8


def test_an_empty_variable_counts_as_unset() -> None:
    assert load(environ={"CRONQ_CONFIG": "", "CRONQ_ENV": ""}).path is None


def test_a_path_object_is_taken_too(tmp_path: Path) -> None:
    write(tmp_path / "my.toml", "max_processes = 8")
    assert load(tmp_path / "my.toml", {}).max_processes == 8


def test_a_relative_argument_becomes_absolute(tmp_path: Path) -> None:
    write(tmp_path / "my.toml", "")
    assert load("my.toml", {}).path == str(tmp_path / "my.toml")


def test_a_tilde_stands_for_the_home_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    write(tmp_path / "my.toml", "state_dir = '~/state'")
    assert load("~/my.toml", {}).state_dir == str(tmp_path / "state")


def test_paths_start_at_the_file_and_not_at_the_working_directory(tmp_path: Path) -> None:
    other = write(tmp_path / "other" / "my.toml", "state_dir = 'state'\ncode_marker = ['a', '/b']")
    settings = load(other, {})
    assert (settings.state_dir, settings.code_marker) == (f"{tmp_path}/other/state", (f"{tmp_path}/other/a", "/b"))


def test_the_transport_stays_as_written(tmp_path: Path) -> None:
    write(tmp_path / "cronq.toml", "transport = 'sqlite:////abs/queue.db'")
    assert load(environ={}).transport == "sqlite:////abs/queue.db"


def test_a_missing_file_from_the_argument_is_an_error(tmp_path: Path) -> None:
    assert f"{tmp_path}/none.toml: no such file: name one that exists" in complaint("none.toml")


def test_a_missing_file_from_the_variable_names_the_variable() -> None:
    assert "/none.toml: no such file (from CRONQ_CONFIG)" in complaint(environ={"CRONQ_CONFIG": "/none.toml"})


def test_a_dangling_link_is_not_taken_for_no_file(tmp_path: Path) -> None:
    (tmp_path / "cronq.toml").symlink_to("gone")
    assert "cannot be read (No such file or directory)" in complaint()


def test_a_null_byte_in_the_path_is_an_ordinary_error() -> None:
    assert "no such file" in complaint("a\0b")


def test_a_directory_is_refused(tmp_path: Path) -> None:
    assert complaint(str(tmp_path)).startswith(f"{tmp_path}: is a directory: name the file itself")


def test_a_pipe_is_refused_without_waiting_for_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "cronq.toml")
    assert "is no regular file" in complaint()


def test_a_file_without_read_permission_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    write(tmp_path / "cronq.toml", "")
    monkeypatch.setattr("builtins.open", forbidden)
    assert "cannot be read (Permission denied): let this user read it" in complaint()


def test_bytes_that_are_not_utf8_are_named_with_their_line(tmp_path: Path) -> None:
    (tmp_path / "cronq.toml").write_bytes(b"# one\napp = '\xff'\n")
    assert "cronq.toml: line 2: byte 0xff is not UTF-8" in complaint()


def test_a_byte_order_mark_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "cronq.toml").write_bytes(b"\xef\xbb\xbfmax_processes = 7\r\n")
    assert load(environ={}).max_processes == 7


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("app = \n", "cronq.toml: line 1, column 7: Invalid value"),
        ("# one\napp = 'a:b'\nnonsense\n", "cronq.toml: line 3, column 9: Expected '='"),
        ("# one\ncode_marker = [", "cronq.toml: line 2, column 16: "),
        ("app = 'a:b'\napp = 'a:b'", "cronq.toml: line 2, column 12: Cannot overwrite"),
        (f"log_max_mb = {'9' * 5000}", "cronq.toml: Exceeds the limit"),
        (f"code_marker = {'[' * 5000}", "cronq.toml: lists or tables are nested too deeply"),
    ],
)
def test_broken_toml_is_one_problem_with_its_place(tmp_path: Path, text: str, where: str) -> None:
    write(tmp_path / "cronq.toml", text)
    assert where in complaint()


def test_a_removed_working_directory_is_an_ordinary_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert "the working directory cannot be found" in complaint()
    monkeypatch.chdir(tmp_path)
