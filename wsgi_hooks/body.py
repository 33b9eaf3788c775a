"""Doing something when a response is over: once, whatever happens, and without slowing the response down."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    Hook = Callable[[], None]


def close(body: object) -> None:
    """Close a response body, or a file, that can be closed (PEP 3333)."""
    closes = getattr(body, "close", None)
    if closes is not None:
        closes()


class HookedBody:
    """A response body whose `close()` runs a hook after the body's own `close()`, exactly once, even if that raises.

    The server iterates over the body itself, not through this object, so that a chunk costs nothing extra.
    Not a list: bjoern and granian never close those.
    """

    __slots__ = ("_body", "_hook")

    def __init__(self, body: Iterable[bytes], hook: Hook) -> None:
        self._body = body
        self._hook: Hook | None = hook

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._body)

    def close(self) -> None:
        hook, self._hook = self._hook, None
        if hook is None:
            return
        try:
            close(self._body)
        finally:
            hook()


class SizedHookedBody(HookedBody):
    """The same for a body that knows its length: servers send Content-Length themselves when that is 1."""

    __slots__ = ()

    def __len__(self) -> int:
        return len(self._body)  # type: ignore[arg-type]


def closing(body: Iterable[bytes], hook: Hook) -> HookedBody:
    """Wrap a response body."""
    return SizedHookedBody(body, hook) if hasattr(body, "__len__") else HookedBody(body, hook)


@contextmanager
def wrapped_files(environ: dict[str, Any], hook: Hook) -> Iterator[_Files]:
    """While the application runs, let `wsgi.file_wrapper` (PEP 3333) wrap files that run `hook` when they are closed.

    Servers compare what they get back with their own class: they must find it where they put it.
    """
    make = environ.get("wsgi.file_wrapper")
    files = _Files(make, hook)
    if make is None:
        yield files
        return
    environ["wsgi.file_wrapper"] = files
    try:
        yield files
    finally:
        environ["wsgi.file_wrapper"] = make


class _Files:
    """Stands in for the server's file wrapper.

    The server sends a file by sendfile(2) only when it gets its own wrapper object back, untouched. So the *file* is
    wrapped instead: the server closes it when the response is over.
    """

    __slots__ = ("_file", "_hook", "_made", "_make")

    def __init__(self, make: Any, hook: Hook) -> None:
        self._make = make
        self._hook = hook
        self._file: _File | None = None
        self._made: object = None

    def __call__(self, file: Any, *block_size: int) -> Any:
        self.disarm()
        self._file = _File(file, self._hook)
        self._made = self._make(self._file, *block_size)
        return self._made

    def is_sent_as(self, body: object) -> bool:
        """Tell whether `body` is the object that the server made last: it runs the hook when it is closed."""
        return self._file is not None and body is self._made

    def disarm(self) -> None:
        """Leave the hook to others: the file is not sent, or within a body of the application, which is closed."""
        if self._file is not None:
            self._file.hook = None


class _File:
    """A file that runs a hook once when it is closed; in everything else it is the file."""

    def __init__(self, file: Any, hook: Hook) -> None:
        self._file = file
        self.hook: Hook | None = hook

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._file)

    def close(self) -> None:
        hook, self.hook = self.hook, None
        try:
            close(self._file)
        finally:
            if hook is not None:
                hook()
