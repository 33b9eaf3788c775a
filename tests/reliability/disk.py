"""A disk that a power cut may catch between any two calls: what was synced is there, of the rest any part may be.

Stricter than the file systems in use. A sync of a file keeps its content, not its name; names are kept by a sync of
their directory. Writes that were not synced are kept or dropped sector by sector, in any order.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.reliability.recording import Change

SECTOR = 512


class Piece(NamedTuple):
    """A part of a change that is kept or dropped whole: one sector of a write, one truncation, one name."""

    verb: str
    file: int
    at: int = 0
    data: bytes = b""
    path: str = ""
    other: str = ""

    @property
    def page(self) -> tuple[object, ...]:
        """What a device with larger blocks keeps or drops together."""
        return (self.verb, self.file, self.at // 4096, self.path)


class Disk:
    """Follows a recorded run. Files have numbers, so that a rename moves a file and not its content."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.pending: list[Piece] = []
        self._names = {root: 0}  # as programs see them
        self._kept_names = {root: 0}
        self._kept: dict[int, bytearray] = {}
        self._files = 0
        self._begun: dict[str, list[Piece]] = {}  # by process: what was there when its sync began

    def apply(self, change: Change) -> None:
        file = self._names.get(change.path)
        match change.verb:
            case "make" | "mkdir" if file is None:
                self._make(change)
            case "truncate" if file is None:
                self._make(change)
            case "truncate" if file is not None:
                self.pending.append(Piece("truncate", file, change.offset))
            case "write" if file is not None:
                self.pending += _sectors(file, change.offset, change.data)
            case "begin":
                self._begun[change.other] = list(self.pending)
            case "sync" if file is not None:
                self._sync(file, change.path, self._begun.pop(change.other, self.pending))
            case "rename":
                self._rename(change)
            case "unlink":
                self._names.pop(change.path, None)
                self.pending.append(Piece("unlink", -1, path=change.path))

    def image(self, is_kept: Callable[[int, Piece], bool]) -> tuple[set[str], dict[str, bytes]]:
        """Return the directories and the files that are found after a cut now, by path below the root."""
        kept = [piece for number, piece in enumerate(self.pending) if is_kept(number, piece)]
        names = dict(self._kept_names)
        contents = {file: bytearray(content) for file, content in self._kept.items()}
        for piece in kept:
            if piece.path:
                _name(names, piece)
            else:
                _change(contents.setdefault(piece.file, bytearray()), piece)
        found = {path: bytes(contents[file]) for path, file in names.items() if file in contents}
        directories = {path for path, file in names.items() if file not in contents}
        is_reached = {path: _has_parents(path, directories, self.root) for path in names}
        return (
            {path for path in directories if is_reached[path]},
            {path: content for path, content in found.items() if is_reached[path]},
        )

    def _make(self, change: Change) -> None:
        self._files += 1
        self._names[change.path] = self._files
        if change.verb != "mkdir":
            self._kept[self._files] = bytearray()
        self.pending.append(Piece("link", self._files, path=change.path))

    def _rename(self, change: Change) -> None:
        file = self._names.pop(change.path)
        self._names[change.other] = file
        self.pending.append(Piece("rename", file, path=change.path, other=change.other))

    def _sync(self, file: int, path: str, begun: list[Piece]) -> None:
        still = {id(piece) for piece in self.pending}
        covered = [piece for piece in begun if id(piece) in still]
        if file in self._kept:
            done = [piece for piece in covered if piece.file == file and not piece.path]
            for piece in done:
                _change(self._kept[file], piece)
        else:
            done = [piece for piece in covered if piece.path and os.path.dirname(piece.path) == path]
            for piece in done:
                _name(self._kept_names, piece)
        gone = {id(piece) for piece in done}
        self.pending = [piece for piece in self.pending if id(piece) not in gone]


def write_image(image: tuple[set[str], dict[str, bytes]], root: str, target: Path) -> None:
    """Lay an image out as files below `target`."""
    directories, files = image
    for path in sorted(directories):
        os.makedirs(target / os.path.relpath(path, root), 0o700, exist_ok=True)
    for path, content in files.items():
        place = target / os.path.relpath(path, root)
        place.write_bytes(content)
        place.chmod(0o600)


def _sectors(file: int, at: int, data: bytes) -> Iterator[Piece]:
    while data:
        length = min(len(data), SECTOR - at % SECTOR)
        yield Piece("write", file, at, data[:length])
        at, data = at + length, data[length:]


def _change(content: bytearray, piece: Piece) -> None:
    if piece.verb == "truncate":
        del content[piece.at :]
        content.extend(bytes(piece.at - len(content)))
        return
    content.extend(bytes(max(0, piece.at - len(content))))
    content[piece.at : piece.at + len(piece.data)] = piece.data


def _name(names: dict[str, int], piece: Piece) -> None:
    match piece.verb:
        case "link":
            names[piece.path] = piece.file
        case "unlink":
            names.pop(piece.path, None)
        case "rename":
            names.pop(piece.path, None)
            names[piece.other] = piece.file


def _has_parents(path: str, directories: set[str], root: str) -> bool:
    while path != root:
        path = os.path.dirname(path)
        if path not in directories:
            return False
    return True
