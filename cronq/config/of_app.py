"""Which configuration an App has: what its code says, or what the command says that imports the code.

`cronq check --config staging.toml` is about the App that staging.toml names, so that App works by staging.toml,
whichever file its code names. Another App that is made meanwhile has a file of its own, which names that other App.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from cronq.config.discovery import search
from cronq.config.file import find
from cronq.config.loader import load

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cronq.config.settings import Settings

_handed: list[Settings] = []
"""What commands have handed to the code that they are importing, the latest last."""


@contextmanager
def handed(settings: Settings) -> Iterator[None]:
    """Have the App that `settings` name, when it is made in this block, work by them. Without a file nothing is."""
    if settings.path is None:
        yield
        return
    _handed.append(settings)
    try:
        yield
    finally:
        _handed.remove(settings)


def of_app(path: str | os.PathLike[str], caller: str | None) -> Settings:
    """Return the configuration of an App for which the code in the file `caller` names the file at `path`.

    Raises ConfigError when it is wrong, or when there is no such file and no command has handed one over.
    """
    name = os.fspath(path)
    if os.path.isabs(name) or name.startswith("~/"):
        return _unless_handed(name if os.path.lexists(os.path.expanduser(name)) or not _handed else None)
    sought = search(name, caller)
    return _unless_handed(sought.found if _handed else sought.there())


def of_unnamed_app() -> Settings:
    """Return the configuration of an App whose code names none: that of `load()`."""
    return _unless_handed(find(None, os.environ)) if _handed else load()


def _unless_handed(found: str | None) -> Settings:
    """Return what the file says, unless the configuration that was handed over is for the same App."""
    if not _handed:
        return load(found)
    given = _handed[-1]
    if found is None or given.path is None or _is_same(found, given.path):
        return given
    own = load(found)
    return given if own.app == given.app else own


def _is_same(one: str, other: str) -> bool:
    return os.path.realpath(os.path.expanduser(one)) == os.path.realpath(other)
