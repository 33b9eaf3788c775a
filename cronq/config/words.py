"""How a complaint shows what was given and what may have been meant."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

LONGEST = 60


def show(value: object) -> str:
    """Return `value` much as cronq.toml would write it: on one line, cut when long, without a password."""
    if isinstance(value, (list, tuple)):
        return cut("[" + ", ".join("[...]" if isinstance(item, (list, tuple)) else show(item) for item in value) + "]")
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "a table"
    return _text(value) if isinstance(value, str) else _other(value)


def key(name: str) -> str:
    """Return `name` as a TOML key: bare when it may be, in quotes otherwise."""
    bare = name.replace("_", "").replace("-", "")
    return name if bare.isascii() and bare.isalnum() else show(name)


def meant(word: str, known: Iterable[str]) -> str:
    """Return `did you mean X?`, or a list of what is known when nothing comes near."""
    import difflib  # 4 ms, and only a complaint needs it

    choices = sorted(known)
    near = difflib.get_close_matches(word[:LONGEST], choices, n=1)
    return f"did you mean {key(near[0])}?" if near else "known are " + (", ".join(map(key, choices)) or "none")


def nearest(word: str, known: Iterable[str]) -> str:
    """Return the known word that is most like `word`, however little that is."""
    import difflib  # 4 ms, and only a complaint needs it

    return difflib.get_close_matches(word[:LONGEST], sorted(known), n=1, cutoff=0.0)[0]


def cut(text: str) -> str:
    """Return `text`, its end replaced by `...` when it is too long for a complaint."""
    return text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."


def _text(value: str) -> str:
    return f'"{repr(cut(_without_password(value)))[1:-1]}"'


def _without_password(value: str) -> str:
    scheme, is_url, rest = value.partition("://")
    if not is_url:
        return value
    address = rest.partition("?")[0]
    return f"{scheme}://***@{address.rpartition('@')[2]}" if "@" in rest else f"{scheme}://{address}"


def _other(value: object) -> str:
    try:
        return cut(str(value))
    except ValueError:  # Python refuses to write integers of more than 4300 digits
        return "a number of thousands of digits"
