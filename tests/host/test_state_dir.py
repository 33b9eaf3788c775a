from __future__ import annotations

import os
import pwd
import stat

import pytest

from cronq.errors import StateDirError
from cronq.host.state_dir import StateDir, open_private, read_text, replace_text
from tests.presence import there
from tests.processes import says

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")


def mode(path) -> int:
    return stat.S_IMODE(os.stat(path).st_mode)


@pytest.fixture
def path(home):
    return home / ".cronq"


def refusal(path) -> str:
    with pytest.raises(StateDirError) as caught:
        StateDir(str(path)).prepare()
    return str(caught.value)


@pytest.mark.parametrize("umask", [0o000, 0o002, 0o022, 0o077])
def test_directories_are_private_whatever_the_umask(path, umask):
    os.umask(umask)
    StateDir(str(path)).prepare()
    assert {mode(one) for one in (path, path / "run", path / "alive", path / "wake", path / "log")} == {0o700}


def test_files_are_private_whatever_the_umask(path):
    os.umask(0)
    state = StateDir(str(path))
    state.prepare()
    replace_text(state.ticks, "1\n")
    os.close(open_private(state.log, os.O_WRONLY))
    assert {mode(state.ticks), mode(state.log)} == {0o600}


def test_preparing_twice_changes_nothing(path):
    StateDir(str(path)).prepare()
    (path / "run" / "x").touch()
    StateDir(str(path)).prepare()
    assert (path / "run" / "x").exists()


def test_a_removed_part_is_made_again(path):
    StateDir(str(path)).prepare()
    (path / "run").rmdir()
    StateDir(str(path)).prepare()
    assert (path / "run").is_dir()


def test_a_directory_that_others_may_only_read_is_closed_to_them(path):
    path.mkdir(mode=0o755)
    StateDir(str(path)).prepare()
    assert mode(path) == 0o700


@pytest.mark.parametrize("open_mode", [0o770, 0o707, 0o720, 0o702])
def test_a_directory_that_others_may_write_is_refused_with_the_command_that_mends_it(path, open_mode):
    path.mkdir()
    path.chmod(open_mode)
    text = refusal(path)
    assert f"mode {open_mode:04o} lets others write" in text
    assert text.endswith(f"chmod 700 {path}")


@as_root
def test_somebody_else_s_directory_is_refused_with_both_names(path):
    path.mkdir()
    os.chown(path, pwd.getpwnam("nobody").pw_uid, -1)
    text = refusal(path)
    assert "belongs to nobody, but cronq runs as root" in text
    assert "run cronq as its owner, or set another state_dir" in text


@as_root
def test_a_user_without_a_name_is_refused_by_number(path):
    path.mkdir()
    os.chown(path, 54321, -1)
    assert "belongs to uid 54321" in refusal(path)


AS_NOBODY = """
from cronq.errors import StateDirError
from cronq.host.state_dir import StateDir
os.setgroups([]); os.setgid(65534); os.setuid(65534)
try:
    StateDir(sys.argv[1]).prepare()
    say("prepared")
except StateDirError as error:
    say(str(error))
"""


@pytest.fixture
def open_place():
    """A directory that every user reaches, which root's home is not."""
    import shutil
    import tempfile

    if os.geteuid() != 0:
        pytest.skip("only root can become nobody")
    path = tempfile.mkdtemp(dir="/opt")
    os.chmod(path, 0o755)  # noqa: S103 - for the user that is to look into it
    yield path
    shutil.rmtree(path)


def test_an_unprivileged_user_is_told_that_a_place_is_not_writable(open_place, python):
    text = says(python(AS_NOBODY, f"{open_place}/.cronq"))
    assert text.startswith(f"{open_place}/.cronq: Permission denied: the state directory must be writable for nobody")
    assert "set state_dir in cronq.toml" in text


def test_an_unprivileged_user_is_refused_somebody_else_s_directory(open_place, python):
    os.mkdir(f"{open_place}/.cronq", 0o755)
    assert "belongs to root, but cronq runs as nobody" in says(python(AS_NOBODY, f"{open_place}/.cronq"))


def test_an_unprivileged_user_prepares_a_directory_of_its_own(open_place, python):
    os.chown(open_place, 65534, 65534)
    assert says(python(AS_NOBODY, f"{open_place}/.cronq")) == "prepared"


@pytest.mark.parametrize("root", ["public_html", "www", "htdocs", "html", "httpdocs", "public"])
def test_a_place_that_the_web_serves_is_refused_and_nothing_is_made_there(home, root):
    (home / root).mkdir()
    text = refusal(home / root / "shop" / ".cronq")
    assert f"lies below {root}/, which web servers hand out to the world" in text
    assert "/.cronq" in text.partition("such as ")[2]
    assert list((home / root).iterdir()) == []


def test_a_link_into_a_served_place_is_refused(home):
    (home / "public_html").mkdir()
    (home / "site").symlink_to(home / "public_html")
    assert "lies below public_html/" in refusal(home / "site" / ".cronq")


def test_a_directory_beside_public_html_is_fine(home):
    (home / "public_html").mkdir()
    StateDir(str(home / ".cronq")).prepare()


def test_a_symbolic_link_is_refused(home, path):
    (home / "elsewhere").mkdir()
    path.symlink_to(home / "elsewhere")
    assert "is not a directory (symbolic links are not followed): remove it" in refusal(path)


def test_a_file_is_refused(path):
    path.touch()
    assert str(path) in refusal(path)


def test_a_missing_parent_is_told(home):
    assert "No such file or directory" in refusal(home / "gone" / ".cronq")


def test_a_text_is_replaced_whole(tmp_path):
    path = str(tmp_path / "ticks")
    replace_text(path, "a much longer first text")
    replace_text(path, "short")
    assert read_text(path) == "short"


def test_a_failed_replacement_leaves_the_old_text(tmp_path, monkeypatch):
    def fail(*args):
        raise OSError(28, "No space left on device")

    path = str(tmp_path / "ticks")
    replace_text(path, "old")
    monkeypatch.setattr("os.replace", fail)
    with pytest.raises(OSError, match="No space left"):
        replace_text(path, "new")
    assert read_text(path) == "old"


def test_a_missing_text_is_none(tmp_path):
    assert read_text(str(tmp_path / "ticks")) is None


def test_a_text_that_is_no_text_is_read_somehow(tmp_path):
    (tmp_path / "ticks").write_bytes(b"1\n\xff\n")
    assert there(read_text(str(tmp_path / "ticks"))).startswith("1\n")


def test_a_link_that_was_planted_inside_is_refused(home):
    state = StateDir(str(home / ".cronq"))
    state.prepare()
    os.rmdir(state.run)
    os.symlink(home, state.run)
    with pytest.raises(StateDirError, match=r"run: is not a directory of yours .* remove it"):
        state.prepare()


def test_the_name_of_a_new_state_directory_is_synced(home, monkeypatch):
    synced = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(os.readlink(f"/proc/self/fd/{descriptor}")))

    StateDir(f"{home}/.cronq").prepare()
    StateDir(f"{home}/.cronq").prepare()

    assert synced == [str(home)]
