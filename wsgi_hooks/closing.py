"""Doing something when a response is over: once, whatever happens, and without slowing the response down."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    Hook = Callable[[], None]


class Closing:
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
            close = getattr(self._body, "close", None)
            if close is not None:
                close()
        finally:
            hook()


class SizedClosing(Closing):
    """The same for a body that knows its length: servers send Content-Length themselves when that is 1."""

    __slots__ = ()

    def __len__(self) -> int:
        return len(self._body)  # type: ignore[arg-type]


def closing(body: Iterable[bytes], hook: Hook) -> Closing:
    """Wrap a response body."""
    return SizedClosing(body, hook) if hasattr(body, "__len__") else Closing(body, hook)


class FileWrapper:
    """Stands in for `wsgi.file_wrapper` while the application runs.

    The server sends a file by sendfile(2) only when it gets its own wrapper object back, untouched. So the *file* is
    wrapped instead: the server closes it when the response is over.
    """

    __slots__ = ("_hook", "_proxy", "made", "make")

    def __init__(self, make: Callable[..., Any], hook: Hook) -> None:
        self.make = make
        self._hook = hook
        self._proxy: _File | None = None
        self.made: object = None

    def __call__(self, file: Any, *block_size: int) -> Any:
        self._proxy = _File(file, self._hook)
        self.made = self.make(self._proxy, *block_size)
        return self.made

    def disarm(self) -> None:
        """The application wrapped the server's object into a body of its own: that one is closed instead."""
        if self._proxy is not None:
            self._proxy.hook = None


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
            close = getattr(self._file, "close", None)
            if close is not None:
                close()
        finally:
            if hook is not None:
                hook()
