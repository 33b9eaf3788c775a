"""Where an App finds the file that its code names: nobody knows a web server's working directory."""

from __future__ import annotations

import os
from grp import struct_group
from pathlib import Path

import pytest

from cronq import App
from cronq.config import load
from cronq.config.discovery import search
from cronq.config.of_app import handed, of_app
from cronq.errors import ConfigError
from cronq.host.process import user_name
from tests.presence import there

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")


@pytest.fixture
def package(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """README's own layout: the package `shop` in ~/shop; the working directory is `/`."""
    package = home / "shop" / "shop"
    package.mkdir(parents=True)
    monkeypatch.chdir("/")
    monkeypatch.setenv("HOME", str(home))
    return package


def code_in(package: Path) -> str:
    return str(package / "tasks.py")


def write(directory: Path, text: str = "") -> str:
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / "cronq.toml"
    path.write_text(text)
    return str(path)


def refusal(package: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        of_app("cronq.toml", code_in(package))
    return str(caught.value)


# where


def test_the_file_is_found_in_the_directory_that_holds_the_package(package: Path) -> None:
    path = write(package.parent)
    assert of_app("cronq.toml", code_in(package)).path == path


def test_the_nearest_file_counts(package: Path) -> None:
    write(package.parent)
    path = write(package)
    assert of_app("cronq.toml", code_in(package)).path == path


def test_a_file_in_a_directory_of_the_project_is_found_by_its_relative_path(package: Path) -> None:
    path = write(package.parent / "etc")
    assert of_app("etc/cronq.toml", code_in(package)).path == path


def test_the_home_is_the_last_directory_that_is_looked_at(package: Path, home: Path) -> None:
    assert str(home / "cronq.toml") in search("cronq.toml", code_in(package)).places
    assert str(home.parent / "cronq.toml") not in search("cronq.toml", code_in(package)).places


@pytest.mark.parametrize("mark", [".git", "pyproject.toml"])
def test_nothing_above_the_top_of_the_project_is_looked_at(package: Path, home: Path, mark: str) -> None:
    (package.parent / mark).touch()
    write(home)
    assert str(home) not in refusal(package).replace(str(package.parent), "")


@as_root
def test_nothing_of_another_owner_s_directories_is_looked_at(package: Path, home: Path) -> None:
    for path in (package, package.parent):
        os.chown(path, 12345, 12345)
    write(home)
    assert search("cronq.toml", code_in(package)).found is None


def test_another_file_system_is_not_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    places = search("cronq.toml", "/proc/self/tasks.py").places
    assert "/proc/cronq.toml" in places
    assert "/cronq.toml" not in places


def test_a_path_that_begins_with_dots_means_one_place_beside_the_code(package: Path, home: Path) -> None:
    write(home)
    found = search("../cronq.toml", code_in(package))
    assert (found.found, found.places[0]) == (None, str(package.parent / "cronq.toml"))
    assert str(home / "cronq.toml") not in found.places


def test_where_a_linked_package_lies_is_looked_at_as_well(package: Path, home: Path) -> None:
    path = write(package.parent)
    linked = home / "public" / "app"
    linked.parent.mkdir()
    linked.symlink_to(package)
    assert of_app("cronq.toml", code_in(linked)).path == path


def test_a_linked_directory_keeps_the_path_that_it_is_known_by(package: Path, home: Path) -> None:
    write(package.parent)
    (home / "current").symlink_to(package.parent)
    assert of_app("cronq.toml", code_in(home / "current" / "shop")).path == str(home / "current" / "cronq.toml")


def test_the_working_directory_comes_last(package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    here = write(tmp_path)
    assert of_app("cronq.toml", code_in(package)).path == here
    above = write(package.parent)
    assert of_app("cronq.toml", code_in(package)).path == above


def test_code_without_a_file_finds_it_in_the_working_directory_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert search("cronq.toml", None).places == (str(tmp_path / "cronq.toml"),)


def test_the_error_lists_every_place_that_was_looked_at(package: Path, home: Path) -> None:
    told = refusal(package)
    places = [str(one / "cronq.toml") for one in (package, package.parent, home)]
    assert told.split("Looked at:\n")[1].split() == [*places, "/cronq.toml"]
    assert "cronq init" in told


# whose


def test_a_file_that_everybody_may_write_is_refused_with_its_reason(package: Path) -> None:
    path = write(package.parent)
    Path(path).chmod(0o666)
    assert refusal(package) == f"{path}: everybody may write it, and so say what runs as you: chmod o-w {path}"


@as_root
def test_a_file_that_another_group_may_write_is_refused_with_its_reason(package: Path) -> None:
    path = write(package.parent)
    os.chown(path, 0, 12345)
    Path(path).chmod(0o664)
    assert refusal(package) == f"{path}: group 12345 may write it, and so say what runs as you: chmod g-w {path}"


@as_root
def test_a_file_of_somebody_else_is_refused_and_not_passed_over(package: Path, home: Path) -> None:
    write(home)
    path = write(package.parent)
    os.chown(path, 12345, 12345)
    assert f"{path}: belongs to uid 12345" in refusal(package)


@as_root
def test_a_link_of_somebody_else_is_refused_wherever_it_leads(package: Path, home: Path) -> None:
    target = write(home)
    link = package.parent / "cronq.toml"
    link.symlink_to(target)
    assert of_app("cronq.toml", code_in(package)).path == str(link)
    os.chown(link, 12345, 12345, follow_symlinks=False)
    assert f"{link}: belongs to uid 12345" in refusal(package)


@as_root
def test_where_a_link_leads_is_looked_at(package: Path, home: Path) -> None:
    target = write(home / "etc")
    (package.parent / "cronq.toml").symlink_to(target)
    Path(target).chmod(0o666)
    assert "everybody may write it" in refusal(package)


def test_a_link_that_leads_nowhere_is_told_and_not_passed_over(package: Path, home: Path) -> None:
    write(home)
    link = package.parent / "cronq.toml"
    link.symlink_to("nowhere")
    assert f"{link}: cannot be read" in refusal(package)


@pytest.mark.parametrize(("members", "trusted"), [([], True), (["{name}"], True), (["{name}", "eve"], False)])
def test_the_group_that_a_user_is_alone_in_may_write(
    package: Path, monkeypatch: pytest.MonkeyPatch, members: list[str], trusted: bool
) -> None:
    name = user_name(os.geteuid())
    of_name = struct_group((name, "x", os.getegid(), [one.format(name=name) for one in members]))
    monkeypatch.setattr("grp.getgrgid", lambda gid: of_name)
    path = write(package.parent)
    Path(path).chmod(0o664)
    if trusted:
        assert of_app("cronq.toml", code_in(package)).path == path
    else:
        assert f"{path}: group {name} may write it" in refusal(package)


# what a command hands over


def test_a_command_s_file_is_that_of_the_app_which_it_imports(package: Path, home: Path) -> None:
    write(package.parent, 'app = "shop.tasks:app"\nmax_processes = 1\n')
    staging = write(home / "staging", 'app = "shop.tasks:app"\nmax_processes = 7\n')
    with handed(load(staging)):
        assert of_app("cronq.toml", code_in(package)).max_processes == 7
        assert App().settings.path == staging
    assert of_app("cronq.toml", code_in(package)).max_processes == 1


def test_an_app_beside_it_keeps_its_own_file(package: Path, home: Path) -> None:
    own = write(package.parent, 'app = "shop.tasks:other"\n')
    with handed(load(write(home / "etc", 'app = "shop.tasks:app"\n'))):
        assert of_app("cronq.toml", code_in(package)).path == own
        assert of_app(own, code_in(package)).path == own


def test_a_command_s_file_stands_in_for_one_that_is_not_there(package: Path, home: Path) -> None:
    there_is = write(home / "etc", 'app = "shop.tasks:app"\n')
    with handed(load(there_is)):
        assert of_app("cronq.toml", code_in(package)).path == there_is
        assert of_app("/nowhere/cronq.toml", code_in(package)).path == there_is


def test_a_command_without_a_file_hands_nothing_over(package: Path) -> None:
    path = write(package.parent)
    with handed(load(None, {})):
        assert there(of_app("cronq.toml", code_in(package)).path) == path
