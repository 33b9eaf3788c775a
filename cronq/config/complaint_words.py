"""How a complaint shows what was given and what may have been meant."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

LONGEST = 60


def no_file(directory: str) -> str:
    """Say that there is no configuration, and what to do."""
    return f"there is no cronq.toml in {directory}: write one with `cronq init`, or give --config"


def show(value: object) -> str:
    """Return `value` much as cronq.toml would write it: on one line, cut when long, without a password."""
    if isinstance(value, (list, tuple)):
        return cut("[" + ", ".join("[...]" if isinstance(item, (list, tuple)) else show(item) for item in value) + "]")
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "a table"
    return _text(value) if isinstance(value, str) else _other(value)


def show_url(value: object) -> str:
    """Return what was given instead of a URL, of which nobody knows where in it the password is."""
    return show(value) if isinstance(value, str) and "://" in value else "***"


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
    """Leave of a URL what holds no secret: the part behind the last @ unless a ? came before, then nothing behind ?.

    The path of a web address goes, too: in those of many receivers it is the secret.
    """
    scheme, is_url, rest = value.partition("://")
    if not is_url:
        return f"***@{value.rpartition('@')[2]}" if "@" in value and ":" in value else value
    before, has_user, address = rest.rpartition("@")
    if "?" in before:
        return f"{scheme}://***"
    address = address.partition("?")[0]
    if scheme in {"http", "https"}:
        host, has_path, _ = address.partition("/")
        address = f"{host}/***" if has_path else host
    return f"{scheme}://***@{address}" if has_user else f"{scheme}://{address}"


def _other(value: object) -> str:
    try:
        return cut(str(value))
    except ValueError:  # Python refuses to write integers of more than 4300 digits
        return "a number of thousands of digits"
