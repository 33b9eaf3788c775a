"""What a run does to the files below a directory, call by call, as strace(1) saw it: nothing is inferred."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING, NamedTuple

from tests.presence import there

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

_CHANGES = (
    *("openat", "pwrite64", "write", "ftruncate", "fsync", "fdatasync"),
    *("rename", "renameat", "renameat2", "unlink", "unlinkat", "mkdir", "mkdirat"),
)
_LINE = re.compile(r"^(\d+) +(.*)$")
_DONE = re.compile(r"^(\w+)\((.*)\) += (-?\d+)(?:<(.*?)>)?(?:\(deleted\))?(?: .*)?$")
_UNFINISHED = re.compile(r"^(.*?) ?<unfinished \.\.\.>$")
_SYNC_BEGUN = re.compile(r"^f(?:data)?sync\((.*)$")
_RESUMED = re.compile(r"^<\.\.\. \w+ resumed>(.*)$")
_QUOTED = re.compile(r'^"(.*)"$')


class Change(NamedTuple):
    """One call that changed a file or made a change last.

    `other` is the new name of a rename, and of a sync the process that made it. A sync that others came into ends later
    than it `begin`s: what was written meanwhile is no part of it.
    """

    verb: str
    path: str
    offset: int = 0
    data: bytes = b""
    other: str = ""


def record(command: Sequence[str], cwd: Path, env: Mapping[str, str], log: Path) -> list[Change]:
    """Run a command with all its children, and return every change below `cwd` in the order it took effect."""
    options = ["-f", "-y", "-xx", "-s", "100000000", "-e", f"trace={','.join(_CHANGES)}", "-o", str(log)]
    done = subprocess.run(["strace", *options, *command], cwd=cwd, env=env, check=False, timeout=600)
    assert done.returncode == 0, command
    return changes_of(str(cwd), log)


def changes_of(root: str, log: Path) -> list[Change]:
    """Return the changes below `root` that strace has written down."""
    return list(_below(root, _calls(log)))


def _calls(log: Path) -> Iterator[tuple[str, list[str], int, str, str]]:
    """Return name, arguments, result, the path of a returned descriptor and the process.

    A call counts when it has returned. Of a sync that others came into, `begin` is told as well.
    """
    begun: dict[str, str] = {}
    for line in log.read_text().splitlines():
        pid, said = there(_LINE.match(line)).groups()
        if unfinished := _UNFINISHED.match(said):
            begun[pid] = unfinished[1]
            if sync := _SYNC_BEGUN.match(unfinished[1]):
                yield "begin", [sync[1]], 0, "", pid
            continue
        if resumed := _RESUMED.match(said):
            said = begun.pop(pid) + resumed[1]
        if found := _DONE.match(said):
            yield found[1], found[2].split(", "), int(found[3]), _decoded(found[4] or ""), pid


def _below(root: str, calls: Iterator[tuple[str, list[str], int, str, str]]) -> Iterator[Change]:
    ends: dict[str, int] = {}
    for name, words, result, opened, pid in calls:
        if result < 0:
            continue
        for change in _changes(name, words, result, opened, root, ends):
            if change.path.startswith(root):
                yield change._replace(other=pid) if change.verb in {"begin", "sync"} else change


def _changes(
    name: str, words: list[str], result: int, opened: str, root: str, ends: dict[str, int]
) -> Iterator[Change]:
    """Return what a call changed. `ends` says where files that are written with write(2) end."""
    if name.endswith(("at", "at2")) and name != "openat":
        raise AssertionError(f"{name} is not understood yet: {words}")
    if name in {"rename", "unlink", "mkdir"}:
        yield from _changes_of_names(name, [_path(word, root) for word in words[:2] if word.startswith('"')], ends)
        return
    match name:
        case "openat" if "O_CREAT" in words[2] or "O_TRUNC" in words[2]:
            if "O_TRUNC" in words[2]:
                ends[opened] = 0
            yield Change("truncate" if "O_TRUNC" in words[2] else "make", opened)
        case "pwrite64":
            yield Change("write", _of_descriptor(words[0]), int(words[-1]), _bytes(words[1])[:result])
        case "write":
            path = _of_descriptor(words[0])
            yield Change("write", path, ends.get(path, 0), _bytes(words[1])[:result])
            ends[path] = ends.get(path, 0) + result
        case "ftruncate":
            yield Change("truncate", _of_descriptor(words[0]), int(words[1]))
        case "fsync" | "fdatasync":
            yield Change("sync", _of_descriptor(words[0]))
        case "begin":
            yield Change("begin", _of_descriptor(words[0]))


def _changes_of_names(name: str, paths: list[str], ends: dict[str, int]) -> Iterator[Change]:
    end = 0 if name == "mkdir" else ends.pop(paths[0], 0)
    if name == "rename":
        ends[paths[1]] = end
    yield Change(name, paths[0], other=paths[-1] if name == "rename" else "")


def _of_descriptor(word: str) -> str:
    return _decoded(word.removesuffix("(deleted)").partition("<")[2].removesuffix(">"))


def _path(word: str, root: str) -> str:
    path = _bytes(word).decode()
    return path if path.startswith("/") else f"{root}/{path}"


def _bytes(word: str) -> bytes:
    return bytes.fromhex(there(_QUOTED.match(word))[1].replace("\\x", ""))


def _decoded(text: str) -> str:
    return bytes.fromhex(text.replace("\\x", "")).decode() if text.startswith("\\x") else text
