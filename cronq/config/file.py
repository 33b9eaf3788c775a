"""Finding cronq.toml and reading it, with a plain word for everything that can go wrong."""

from __future__ import annotations

import os

from cronq.errors import ConfigError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

NAME = "cronq.toml"
VARIABLE = "CRONQ_CONFIG"
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def find(path: str | os.PathLike[str] | None, environ: Mapping[str, str]) -> str | None:
    """Return the absolute path of the file: `path`, else CRONQ_CONFIG, else ./cronq.toml, else None.

    Only the working directory itself is looked at, so that no stray file further up is ever used; `discovery.py` looks
    further for what code names.

    Raises:
        ConfigError: a file was named and is not there.

    """
    named = os.fspath(path) if path is not None else environ.get(VARIABLE)
    if named is None or (named == "" and path is None):
        here = os.path.join(working_dir(), NAME)
        return here if os.path.lexists(here) else None
    return _existing(named, "" if path is not None else f" (from {VARIABLE})")


def working_dir() -> str:
    """Return the working directory; raise ConfigError when it has been removed."""
    try:
        return os.getcwd()
    except OSError as error:
        raise ConfigError(
            f"the working directory cannot be found ({error.strerror}): change to one that exists, or name the file"
        ) from None


def _existing(named: str, origin: str) -> str:
    home_known = os.path.expanduser(named) if named.startswith("~/") else named
    full = os.path.normpath(home_known if os.path.isabs(home_known) else os.path.join(working_dir(), home_known))
    if "\0" in full or not os.path.lexists(full):
        shown = full.replace("\0", "\\0")
        raise ConfigError(f'{shown}: no such file{origin}: name one that exists, or write one with "cronq init"')
    return full


def read(path: str) -> dict[str, Any]:
    """Return the raw tables of the file; raise ConfigError when it cannot be read or is not TOML."""
    return _parse(path, _decode(path, _content(path)))


def _content(path: str) -> bytes:
    if os.path.exists(path) and not os.path.isfile(path):
        what = "a directory" if os.path.isdir(path) else "no regular file"
        raise ConfigError(f"{path}: is {what}: name the file itself, for example {os.path.join(path, NAME)}")
    try:
        with open(path, "rb") as file:
            _refuse_others(path, os.fstat(file.fileno()))
            return file.read()
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}): let this user read it (chmod u+r)") from None


def _refuse_others(path: str, found: os.stat_result) -> None:
    """Refuse what a stranger may have written: it says which code is run."""
    from cronq.host.ownership import distrust  # a tick that remembers what it read does without

    why = distrust(found)
    if why is not None:
        raise ConfigError(f"{path}: {why.format(path=path)}")


def _decode(path: str, content: bytes) -> str:
    try:
        return content.removeprefix(BYTE_ORDER_MARK).decode()
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        byte = error.object[error.start]
        raise ConfigError(f"{path}: line {line}: byte 0x{byte:02x} is not UTF-8: save the file as UTF-8 text") from None


def _parse(path: str, text: str) -> dict[str, Any]:
    import tomllib  # 5 ms that an installation without a file does not pay

    try:
        return tomllib.loads(text)
    except ValueError as error:
        raise ConfigError(f"{path}: {_located(str(error), text)}") from None
    except RecursionError:
        raise ConfigError(f"{path}: lists or tables are nested too deeply: flatten them") from None


def _located(complaint: str, text: str) -> str:
    """Turn `Invalid value (at line 3, column 5)` into `line 3, column 5: Invalid value`."""
    said, has_place, place = complaint.rpartition(" (at ")
    if not has_place:
        return complaint
    last = text.count("\n") + 1
    where = place.removesuffix(")").replace("end of document", f"line {last}, column {len(text) - text.rfind(chr(10))}")
    return f"{where}: {said}"
