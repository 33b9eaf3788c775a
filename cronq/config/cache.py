"""The configuration as it was read last time, for processes that live for 20 ms.

Reading and checking cronq.toml costs a tick 4.5 of its 25 ms, minute after minute, for a file that changes twice a
year. So what came of it is kept beside it in `__pycache__`, as Python keeps what came of a source file. It counts while
everything it came from is the same: the file (with its inode change time), the variables, the files of this release.
A configuration with a mistake is never kept, nor one that variables have a say in: they are where people put secrets.
"""

from __future__ import annotations

import marshal
import os
import sys
from types import MappingProxyType

from cronq.config import limit_keys, settings
from cronq.config.file import VARIABLE, find
from cronq.config.settings import Autoscale, Group, Inline, Queue, Settings
from cronq.host.own_file import read_own, write_own

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

SETTLED_S = 2.0  # a younger file may yet change without another time to show for it
_KINDS: dict[str, Any] = {kind.__name__: kind for kind in (Settings, Group, Autoscale, Queue, Inline)}
PREFIX = "CRONQ_"  # as in variables.py, which this process can do without
RESERVED = frozenset({"CRONQ_CONFIG", "CRONQ_ENV"})  # likewise
_VARIABLES = (PREFIX, "HOME")


def load_quickly(path: str | None, environ: Mapping[str, str], now: float) -> Settings:
    """Return what `load` returns, without reading the file again when nothing has changed. Raises ConfigError."""
    found = find(path, environ)
    origin = None if found is None else _origin(found, environ)
    if found is None or origin is None:
        return _load(path, environ)
    known = _recall(_place(found), origin)
    if known is not None:
        return known
    read = _load(path, environ)
    if now - os.stat(found).st_ctime > SETTLED_S and _is_all_in_the_file(environ):
        _remember(_place(found), origin, read)
    return read


def _load(path: str | None, environ: Mapping[str, str]) -> Settings:
    from cronq.config.loader import load

    return load(path, environ)


def _origin(found: str, environ: Mapping[str, str]) -> list[object] | None:
    """Return everything that decides what the configuration is, None when that cannot be told."""
    try:
        seen = [os.stat(path) for path in (found, os.path.dirname(__file__), settings.__file__, limit_keys.__file__)]
    except OSError:
        return None
    variables = sorted(
        (name, value)
        for name, value in environ.items()
        if name.startswith(_VARIABLES) and name != VARIABLE  # which names the file and says nothing of what is in it
    )
    looks = [[one.st_mtime_ns, one.st_ctime_ns, one.st_ino, one.st_size] for one in seen]
    return [found, *looks, list(map(list, variables)), sys.hexversion]


def _is_all_in_the_file(environ: Mapping[str, str]) -> bool:
    return all(name in RESERVED or not name.startswith(PREFIX) for name in environ)


def _place(found: str) -> str:
    directory, name = os.path.split(found)
    return os.path.join(directory, "__pycache__", f"{name}.{sys.implementation.cache_tag}")


def _recall(place: str, origin: list[object]) -> Settings | None:
    """Return what is kept, if it came of `origin`. What others could have written is not read."""
    content = read_own(place)
    if content is None:
        return None
    try:
        kept_origin, kept = marshal.loads(content)  # noqa: S302 - our own file, as trusted as the code beside it
        return _value(kept) if kept_origin == origin else None
    except (ValueError, EOFError, TypeError, KeyError):  # cut short, or of another release
        return None


def _remember(place: str, origin: list[object], read: Settings) -> None:
    """Keep it, if there is room. A directory we may not write to means that every tick reads the file, no more."""
    try:
        write_own(place, marshal.dumps([origin, _plain(read)]))
    except OSError:
        pass


def _plain(value: Any) -> Any:
    """Return a value in what marshal writes: a tuple stands for one of ours, its kind before its parts."""
    if isinstance(value, MappingProxyType | dict):
        return ("dict" if type(value) is dict else "mapping", [[key, _plain(one)] for key, one in value.items()])
    if isinstance(value, tuple):
        return (type(value).__name__, [_plain(one) for one in value])
    return value


def _value(plain: Any) -> Any:
    if type(plain) is not tuple:
        return plain
    kind, parts = plain
    if kind in {"dict", "mapping"}:
        mapping = {key: _value(one) for key, one in parts}
        return mapping if kind == "dict" else MappingProxyType(mapping)
    values = map(_value, parts)
    return tuple(values) if kind == "tuple" else _kind(kind)(*values)


def _kind(name: str) -> Any:
    if name == "Schedule":
        from cronq.schedules.schedule import Schedule

        return Schedule
    if name == "Webhook":
        from cronq.webhook.subscription import Webhook

        return Webhook
    return _KINDS[name]
