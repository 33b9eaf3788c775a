"""A state directory where temporary files are kept: as safe as in a home, or refused."""

from __future__ import annotations

import os
import pwd
import shutil
import stat
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cronq.errors import StateDirError
from cronq.host import shared_places
from cronq.host.shared_places import refuse_temporary, shared_place_of
from cronq.host.state_dir import StateDir
from tests.processes import says

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.processes import Starting

PLACES = ("/tmp", "/var/tmp", "/dev/shm")
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")


@pytest.fixture(params=PLACES)
def place(request: pytest.FixtureRequest) -> str:
    if not os.access(request.param, os.W_OK):
        pytest.skip(f"there is no {request.param}")
    return str(request.param)


@pytest.fixture
def private(place: str) -> Iterator[Path]:
    """A directory as pytest and tempfile make them: ours, 0700, straight in a shared one."""
    path = Path(tempfile.mkdtemp(dir=place))
    yield path
    shutil.rmtree(path)


@pytest.fixture
def shared(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A shared place of our own, whose owner and mode may be changed."""
    path = home / "shared"
    path.mkdir()
    path.chmod(0o1777)
    monkeypatch.setattr(shared_places, "_SHARED", (str(path),))
    return path


def refusal(path: object) -> str:
    with pytest.raises(StateDirError) as caught:
        StateDir(str(path)).prepare()
    return str(caught.value)


def nobody() -> int:
    return pwd.getpwnam("nobody").pw_uid


# what is as safe as a home


def test_a_directory_of_ours_that_nobody_else_enters_may_hold_one(private: Path) -> None:
    (private / "project").mkdir()
    StateDir(str(private / "project" / ".cronq")).prepare()
    assert stat.S_IMODE((private / "project" / ".cronq").stat().st_mode) == 0o700


def test_the_tmp_path_of_pytest_may_hold_one(tmp_path: Path) -> None:
    StateDir(str(tmp_path / ".cronq")).prepare()
    StateDir(str(tmp_path / ".cronq")).prepare()
    assert (tmp_path / ".cronq" / "run").is_dir()


def test_root_may_own_what_lies_above_ours(shared: Path) -> None:
    """As libpam-tmpdir makes it: /tmp/user is root's, /tmp/user/1000 is ours."""
    (shared / "user").mkdir(mode=0o711)
    (shared / "user" / "1000").mkdir(mode=0o700)
    StateDir(str(shared / "user" / "1000" / ".cronq")).prepare()


def test_a_link_of_ours_may_lead_there(private: Path, home: Path) -> None:
    (home / "link").symlink_to(private)
    StateDir(str(home / "link" / ".cronq")).prepare()
    assert (private / ".cronq").is_dir()


AS_NOBODY = """
import os, tempfile
from cronq.errors import StateDirError
from cronq.host.state_dir import StateDir
os.setgroups([]); os.setgid(65534); os.setuid(65534)
place = sys.argv[1] or tempfile.mkdtemp(dir="/tmp")
try:
    StateDir(f"{place}/.cronq").prepare()
    say("prepared")
except StateDirError as error:
    say(str(error))
finally:
    if not sys.argv[1]:
        import shutil
        shutil.rmtree(place)
"""


@as_root
def test_an_unprivileged_user_may_have_one_below_the_directory_of_root(python: Starting) -> None:
    assert says(python(AS_NOBODY, "")) == "prepared"


@as_root
def test_an_unprivileged_user_is_refused_the_directory_of_another(python: Starting) -> None:
    path = tempfile.mkdtemp(dir="/tmp")
    try:
        os.chmod(path, 0o711)  # noqa: S103 - for the user that is to look into it
        os.mkdir(f"{path}/of-another", 0o755)
        os.chown(f"{path}/of-another", 54321, -1)
        assert "the directory" in says(python(AS_NOBODY, f"{path}/of-another"))
        assert os.listdir(f"{path}/of-another") == []
    finally:
        shutil.rmtree(path)


# what is not


@pytest.mark.parametrize("name", PLACES)
def test_a_name_that_anybody_could_have_taken_first_is_refused_and_nothing_is_made(name: str) -> None:
    path = f"{name}/cronq-{os.getpid()}"
    text = refusal(path)
    assert f"{name} is shared by all users of the host, and whoever comes first can take a name in it" in text
    assert "tmp_path" in text
    assert not os.path.exists(path)


def test_a_name_that_leads_back_into_the_shared_place_is_refused(private: Path, place: str) -> None:
    path = f"{private}/../cronq-{os.getpid()}"
    assert f"{place} is shared by all users of the host" in refusal(path)
    assert not os.path.exists(path)


def test_a_link_of_ours_into_the_shared_place_itself_is_refused(private: Path, place: str) -> None:
    (private / "link").symlink_to(place)
    path = private / "link" / f"cronq-{os.getpid()}"
    assert f"{place} is shared by all users of the host" in refusal(path)
    assert not path.exists()


@pytest.mark.parametrize("name", PLACES)
def test_the_shared_place_itself_is_refused_and_stays_as_it_is(name: str) -> None:
    before = os.stat(name).st_mode
    assert f"{name} is shared by all users of the host: set another state_dir" in refusal(name)
    assert os.stat(name).st_mode == before


def test_a_directory_that_others_can_enter_is_refused_with_the_command_that_mends_it(private: Path) -> None:
    private.chmod(0o755)
    (private / "project").mkdir()
    text = refusal(private / "project" / ".cronq")
    assert "no directory above it is closed to the others" in text
    assert f"chmod 700 {private}," in text
    assert list((private / "project").iterdir()) == []
    private.chmod(0o700)
    StateDir(str(private / "project" / ".cronq")).prepare()


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o720, 0o702])
def test_a_directory_above_that_others_can_write_is_refused(private: Path, mode: int) -> None:
    (private / "open").mkdir()
    (private / "open").chmod(mode)
    (private / "open" / "ours").mkdir(mode=0o700)
    text = refusal(private / "open" / "ours" / ".cronq")
    assert f"{private}/open above it has mode {mode:04o}, so others can put another directory in its place" in text
    assert f"chmod go-w {private}/open" in text


def test_a_shared_place_without_the_sticky_bit_is_refused(shared: Path) -> None:
    (shared / "ours").mkdir(mode=0o700)
    shared.chmod(0o777)
    assert f"{shared} above it has mode 0777" in refusal(shared / "ours" / ".cronq")


def test_one_that_is_there_already_is_refused_when_what_lies_above_it_is_opened(private: Path) -> None:
    StateDir(str(private / ".cronq")).prepare()
    private.chmod(0o777)
    assert f"chmod go-w {private}" in refusal(private / ".cronq")


@as_root
def test_a_directory_of_somebody_else_above_it_is_refused(shared: Path) -> None:
    (shared / "theirs").mkdir(mode=0o700)
    (shared / "theirs" / "ours").mkdir(mode=0o700)
    os.chown(shared / "theirs", nobody(), -1)
    text = refusal(shared / "theirs" / "ours" / ".cronq")
    assert f"the directory {shared}/theirs on the way there is nobody's" in text
    assert list((shared / "theirs" / "ours").iterdir()) == []


@as_root
def test_a_shared_place_of_somebody_else_is_refused(shared: Path) -> None:
    """Its owner may rename what is in it, sticky bit or not."""
    (shared / "ours").mkdir(mode=0o700)
    os.chown(shared, nobody(), -1)
    assert f"the directory {shared} on the way there is nobody's" in refusal(shared / "ours" / ".cronq")


@as_root
@pytest.mark.parametrize("leads_out", [False, True])
def test_a_link_of_somebody_else_on_the_way_is_refused(shared: Path, home: Path, leads_out: bool) -> None:
    ours = (home if leads_out else shared) / "ours"
    ours.mkdir(mode=0o700)
    (shared / "link").symlink_to(ours)
    os.lchown(shared / "link", nobody(), -1)
    assert f"the symbolic link {shared}/link on the way there is nobody's" in refusal(shared / "link" / ".cronq")
    assert list(ours.iterdir()) == []


def test_a_link_in_the_place_of_the_state_directory_is_refused(private: Path) -> None:
    (private / "elsewhere").mkdir()
    (private / ".cronq").symlink_to(private / "elsewhere")
    assert "symbolic links are not followed" in refusal(private / ".cronq")


def test_links_in_a_circle_and_a_missing_parent_are_told(private: Path) -> None:
    (private / "round").symlink_to(private / "round")
    assert "Too many levels of symbolic links" in refusal(private / "round" / ".cronq")
    assert "gone: No such file or directory" in refusal(private / "gone" / ".cronq")


def test_what_the_web_serves_is_refused_there_as_well(private: Path) -> None:
    (private / "public_html").mkdir()
    assert "lies below public_html/" in refusal(private / "public_html" / ".cronq")


# what stays


def test_temporary_places_are_known_as_they_are_written_and_through_links(home: Path) -> None:
    (home / "link").symlink_to("/tmp")
    assert shared_place_of("/tmp/a/b") == "/tmp"
    assert shared_place_of(str(home / "link" / "a")) == "/tmp"
    assert shared_place_of("/tmpfiles/a") is None
    assert shared_place_of(str(home)) is None


def test_a_queue_that_is_to_stay_is_refused_in_a_temporary_place(home: Path) -> None:
    refuse_temporary(str(home))
    with pytest.raises(StateDirError, match=r"emptied by restarts and cleaners.* set another state_dir"):
        refuse_temporary("/var/tmp/a/.cronq")
