"""Which file systems are trusted with a write-ahead log."""

from __future__ import annotations

import os

import pytest

from cronq.transports.sqlite import SqliteTransport, filesystem
from tests.making import message
from tests.transports.sqlite.databases import once, pragma, refusal

NFS = """\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/root rw
30 22 0:40 / /home rw,relatime - nfs4 server:/home rw
31 30 0:41 / /home/ada\\040b/local rw,relatime shared:7 master:1 - xfs /dev/sdb rw
"""


@pytest.mark.parametrize(
    ("place", "kind"),
    [
        ("/srv/queue.db", "ext4"),
        ("/home/ada/queue.db", "nfs4"),
        ("/homes/queue.db", "ext4"),
        ("/home/ada b/local/queue.db", "xfs"),
    ],
)
def test_the_file_system_is_that_of_the_innermost_mount(tmp_path, place, kind):
    mountinfo = tmp_path / "mountinfo"
    mountinfo.write_text(NFS)
    assert filesystem.type_of(place, str(mountinfo)) == kind


@pytest.mark.parametrize("content", [None, "", "nonsense\n"])
def test_what_cannot_be_told_counts_as_remote(tmp_path, content):
    mountinfo = tmp_path / "mountinfo"
    if content is not None:
        mountinfo.write_text(content)
    for place in ("/proc/version", "/nowhere/queue.db"):  # a type without a number of ours, and no file to ask about
        kind = filesystem.type_of(place, str(mountinfo))
        assert (kind, filesystem.is_local(kind)) == ("unknown", False)


def test_in_a_chroot_whose_root_is_no_mount_the_kernel_tells_the_type(tmp_path):
    seen_from_outside = filesystem.type_of(str(tmp_path))
    mountinfo = tmp_path / "mountinfo"
    mountinfo.write_text("30 22 0:40 / /proc rw,relatime - proc proc rw\n")
    assert filesystem.type_of(str(tmp_path), str(mountinfo)) == seen_from_outside
    assert filesystem.is_local(seen_from_outside)


def test_what_the_kernel_tells_of_memory_is_told_apart_from_the_disk(tmp_path):
    mountinfo = tmp_path / "mountinfo"
    mountinfo.touch()
    assert filesystem.type_of("/dev/shm", str(mountinfo)) == filesystem.type_of("/dev/shm") == "tmpfs"


@pytest.mark.parametrize("kind", ["nfs", "nfs4", "cifs", "fuse.sshfs", "9p", "ceph", "glusterfs", "lustre", "unknown"])
def test_a_network_file_system_is_not_trusted_with_a_write_ahead_log(path, monkeypatch, kind):
    monkeypatch.setattr("cronq.transports.sqlite.connections.type_of", lambda path: kind)
    transport = SqliteTransport(path)
    assert (pragma(transport, "journal_mode"), pragma(transport, "synchronous")) == ("truncate", 2)
    transport.enqueue([message()])
    assert transport.depth(["high"], 5) == 1
    transport.close()
    assert not os.path.exists(path + "-wal")


def test_a_file_that_moved_to_a_network_file_system_leaves_wal(path, monkeypatch):
    once(path, message())
    monkeypatch.setattr("cronq.transports.sqlite.connections.type_of", lambda path: "nfs")
    transport = SqliteTransport(path)
    assert pragma(transport, "journal_mode") == "truncate"
    assert transport.depth(["high"], 5) == 1
    transport.close()


def test_wal_that_others_keep_open_on_a_network_file_system_is_refused(transport, path, monkeypatch):
    transport.enqueue([message()])
    monkeypatch.setattr("cronq.transports.sqlite.connections.type_of", lambda path: "nfs")
    text = str(refusal(path, busy_timeout_s=0.01))
    assert "is in WAL mode on nfs, a file system where that corrupts data" in text
    assert "run `cronq stop`, then try again" in text
