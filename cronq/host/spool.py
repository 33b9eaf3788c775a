"""The spool: a file with its room reserved in advance, for what the store cannot take when the disk is full.

A header, then records one behind the other, each with its length and a checksum over its place and the header's
generation. So nothing has to be erased: the next generation makes all records of the one before invalid at once, in
one write of one sector, and the room stays. Whoever reads or writes has the lock of the file (locks.py) meanwhile, and
no longer.
"""

from __future__ import annotations

import errno
import os
import struct
from contextlib import contextmanager
from zlib import crc32

from cronq.host import locks
from cronq.host.state_dir import keep_name
from cronq.namedtuple import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from cronq.host.locks import Lock

_MAGIC = b"cronqspl"
_VERSION = 1
_HEADER = struct.Struct("<8sI16sQ")  # magic, version, the file's own id, generation; its CRC follows
_CRC = struct.Struct("<I")
BEGIN = 512  # where records begin: the header has a sector of its own, which a disk writes whole or not at all
_RECORD = struct.Struct("<II")  # length of the payload, CRC
_PLACE = struct.Struct("<QQI")  # what the CRC begins with: generation, position, length
_ZEROS = 1 << 16
PATIENCE_S = 5.0  # for others that read or write: no longer than a sync of theirs takes


class Mark(NamedTuple):
    """How far a spool was read: all before `position` of its `generation`."""

    generation: int
    position: int


class Part(NamedTuple):
    """Some records, in their order, between two marks."""

    begin: Mark
    end: Mark
    records: tuple[bytes, ...]


class Contents(NamedTuple):
    """How full a spool is: records that lie in it, in bytes, and how many there is room for."""

    records: int
    used: int
    size: int


class _Head(NamedTuple):
    spool: bytes
    generation: int


class Spool:
    """The spool at `path`, of `size` bytes. Methods raise OSError; BlockingIOError when others hold it for too long."""

    def __init__(self, path: str, size: int, patience_s: float = PATIENCE_S) -> None:
        self.path = path
        self._size = size
        self._patience_s = patience_s
        self._seen: tuple[_Head | None, int] = (None, BEGIN)  # where whole records ended when it was last looked at

    def is_reserved(self) -> bool:
        """Tell whether the file has its room."""
        try:
            return os.stat(self.path).st_size >= self._size
        except FileNotFoundError:
            return False

    def reserve(self) -> None:
        """Make the file, or give it more room. What lies in it stays. Without enough room it is as it was."""
        with self._held() as lock:
            before = os.fstat(lock.descriptor).st_size
            try:
                if _header_of(lock) is None:
                    self._make_header(lock, before)
                _fill(lock.descriptor, max(before, BEGIN), self._size)
                os.fsync(lock.descriptor)
            except OSError:
                os.ftruncate(lock.descriptor, before)
                raise
        keep_name(self.path)

    def append(self, payload: bytes) -> None:
        """Add a record; when this returns it survives a power cut. Raises OSError, ENOSPC when the spool is full."""
        with self._held() as lock:
            header = _header_of(lock)
            if header is None:
                raise OSError(errno.ENOSPC, "no room was reserved for it in time", self.path)
            end = self._end(lock, header)
            if end + _RECORD.size + len(payload) > os.fstat(lock.descriptor).st_size:
                raise OSError(errno.ENOSPC, "the spool is full", self.path)
            crc = _crc(header.generation, end, payload)
            try:
                _write(lock.descriptor, _RECORD.pack(len(payload), crc) + payload, end)
                os.fdatasync(lock.descriptor)
            except OSError:
                _write(lock.descriptor, bytes(_RECORD.size), end)  # whoever called is told that it is not there
                raise

    def look(self) -> bool:
        """Tell whether something lies in it, at the price of opening it: now and then yes for one that is empty."""
        _, found = locks.look(self.path)
        return len(found) >= BEGIN + _RECORD.size and found[BEGIN : BEGIN + _RECORD.size] != bytes(_RECORD.size)

    def name(self) -> tuple[str, int] | None:
        """Return the id of the file and its generation; None when it is not there."""
        if not os.path.exists(self.path):
            return None
        with self._held() as lock:
            header = _header_of(lock)
        return None if header is None else (header.spool.hex(), header.generation)

    def read(self, begin: Mark, at_most: int) -> Part | None:
        """Return the records behind a mark, with `at_most` bytes or one; None when its generation is over.

        From the beginning when no record ends at the mark: the file was put back from an older copy.
        """
        records: list[bytes] = []
        with self._held() as lock:
            header = _header_of(lock)
            if header is None or header.generation != begin.generation:
                return None
            begin, taken = self._settled(lock, header, begin), 0
            position = begin.position
            while (payload := _record_at(lock, header.generation, position)) is not None:
                if records and taken + len(payload) > at_most:
                    break
                records.append(payload)
                position += _RECORD.size + len(payload)
                taken += len(payload)
        return Part(begin, Mark(begin.generation, position), tuple(records))

    def _settled(self, lock: Lock, header: _Head, mark: Mark) -> Mark:
        is_between = _record_at(lock, header.generation, mark.position) is not None
        return mark if is_between or self._end(lock, header) == mark.position else Mark(header.generation, BEGIN)

    def clear(self, end: Mark) -> bool:
        """Give up all records, if none lies behind `end`; tell whether it was so. The room stays reserved."""
        with self._held() as lock:
            header = _header_of(lock)
            if header is None or header.generation != end.generation:
                return False
            if _record_at(lock, header.generation, end.position) is not None:
                return False
            _write_header(lock, header._replace(generation=header.generation + 1))
            os.fsync(lock.descriptor)
            _write(lock.descriptor, bytes(_RECORD.size), BEGIN)  # for `look` alone: it is invalid already
        return True

    def contents(self, begin: Mark | None = None) -> Contents:
        """Return how full it is behind a mark."""
        if not os.path.exists(self.path):
            return Contents(0, 0, 0)
        with self._held() as lock:
            size = os.fstat(lock.descriptor).st_size
            header = _header_of(lock)
            if header is None:
                return Contents(0, 0, size)
            position = begin.position if begin is not None and begin.generation == header.generation else BEGIN
            start, records = position, 0
            while (payload := _record_at(lock, header.generation, position)) is not None:
                position += _RECORD.size + len(payload)
                records += 1
        return Contents(records, position - start, size)

    def _make_header(self, lock: Lock, size: int) -> None:
        if size >= BEGIN:  # it was whole before the file had this size
            raise OSError(errno.EINVAL, "is no spool, or of a newer cronq: move it away", self.path)
        _write_header(lock, _Head(os.urandom(16), 1))

    @contextmanager
    def _held(self) -> Iterator[Lock]:
        lock = locks.take(self.path, self._patience_s)
        if lock is None:
            raise BlockingIOError(errno.EAGAIN, "others hold it for too long", self.path)
        try:
            yield lock
        finally:
            lock.release()

    def _end(self, lock: Lock, header: _Head) -> int:
        """Return where the next record goes: behind the last whole one. What a kill or a power cut tore is behind."""
        seen, position = self._seen
        if seen != header:
            position = BEGIN
        while (payload := _record_at(lock, header.generation, position)) is not None:
            position += _RECORD.size + len(payload)
        self._seen = header, position
        return position


def _header_of(lock: Lock) -> _Head | None:
    found = os.pread(lock.descriptor, _HEADER.size + _CRC.size, 0)
    if len(found) < _HEADER.size + _CRC.size:
        return None
    magic, version, spool, generation = _HEADER.unpack_from(found)
    is_whole = _CRC.unpack_from(found, _HEADER.size)[0] == crc32(found[: _HEADER.size])
    return _Head(spool, generation) if is_whole and (magic, version) == (_MAGIC, _VERSION) else None


def _write_header(lock: Lock, header: _Head) -> None:
    packed = _HEADER.pack(_MAGIC, _VERSION, header.spool, header.generation)
    _write(lock.descriptor, packed + _CRC.pack(crc32(packed)), 0)


def _record_at(lock: Lock, generation: int, position: int) -> bytes | None:
    """Return the payload of the record at a position; None when there is no whole one of this generation."""
    found = os.pread(lock.descriptor, _RECORD.size, position)
    if len(found) < _RECORD.size:
        return None
    length, crc = _RECORD.unpack(found)
    if not length or position + length > os.fstat(lock.descriptor).st_size:
        return None
    payload = os.pread(lock.descriptor, length, position + _RECORD.size)
    return payload if len(payload) == length and crc == _crc(generation, position, payload) else None


def _crc(generation: int, position: int, payload: bytes) -> int:
    return crc32(payload, crc32(_PLACE.pack(generation, position, len(payload))))


def _fill(descriptor: int, begin: int, end: int) -> None:
    """Reserve room, then write it: blocks that are only reserved need more of the file system when they are written."""
    if begin >= end:
        return
    os.posix_fallocate(descriptor, begin, end - begin)
    for at in range(begin, end, _ZEROS):
        _write(descriptor, bytes(min(_ZEROS, end - at)), at)


def _write(descriptor: int, data: bytes, at: int) -> None:
    while data:
        written = os.pwrite(descriptor, data, at)
        data, at = data[written:], at + written
