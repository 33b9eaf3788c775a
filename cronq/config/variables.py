"""CRONQ_ variables: any key of cronq.toml, its path in upper case and joined by `_`, as in CRONQ_INLINE_MODE."""

from __future__ import annotations

from cronq.config.complaint_words import key, nearest
from cronq.config.keys import MAIN
from cronq.config.nodes import Spot

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from cronq.config.nodes import Kind, Leaf, Path

    Tree = dict[str, Any]

PREFIX = "CRONQ_"
RESERVED = frozenset({"CRONQ_CONFIG", "CRONQ_ENV"})
"""Variables that are no keys; a module that uses one of its own adds it here."""


def overrides(environ: Mapping[str, str], tree: Tree, problems: list[str]) -> list[tuple[Spot, Tree]]:
    """Return one layer for each CRONQ_ variable; `tree` tells which queues, presets and routes exist."""
    given = sorted(name for name in environ if name.startswith(PREFIX) and name not in RESERVED)
    if not given:
        return []
    known = _known(tree)
    layers = (_override(name, environ[name], known, problems) for name in given)
    return [layer for layer in layers if layer is not None]


def _known(tree: Tree) -> dict[str, list[Leaf]]:
    known: dict[str, list[Leaf]] = {}
    for path, kind in MAIN.leaves(tree, ()):
        known.setdefault(variable(path), []).append((path, kind))
    return known


def variable(path: Path) -> str:
    """Return the variable that sets the key at `path`."""
    letters = "_".join(path).upper()
    return PREFIX + "".join(letter if letter.isalnum() else "_" for letter in letters)


def _override(name: str, text: str, known: dict[str, list[Leaf]], problems: list[str]) -> tuple[Spot, Tree] | None:
    leaves = known.get(name, [])
    if not leaves:
        problems.append(f"{name}: no key of cronq has this variable; the nearest is {nearest(name, known)}")
        return None
    if len(leaves) > 1:
        both = " and ".join(".".join(map(key, path)) for path, _ in leaves)
        problems.append(f"{name}: could mean {both}: set the key in the file instead")
        return None
    path, kind = leaves[0]
    value = kind.read(parse(text, kind), Spot(name).key(*path), problems)
    return Spot(name), _nested(path, value)


def parse(text: str, kind: Kind) -> Any:
    """Return the text of a variable as the TOML value that `kind` expects, else as the text itself."""
    text = text.strip()
    value = _toml(text)
    if kind.shape == "text":
        return value if isinstance(value, str) else text
    if kind.shape == "list":
        return value if isinstance(value, list) else _parts(value if isinstance(value, str) else text)
    if kind.shape == "switch" and text in _SWITCHES:
        return _SWITCHES[text]
    return text if value is None else value


_SWITCHES = {"1": True, "0": False}  # as people set variables: CRONQ_DEV=1


def _toml(text: str) -> Any:
    """Return the value when `text` is one, otherwise None, which no TOML value is."""
    import tomllib  # 5 ms that a tick without file and variables does not pay

    try:
        table = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):
        return None
    return table["value"] if len(table) == 1 else None


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _nested(path: Path, value: Any) -> Tree:
    for name in reversed(path):
        value = {name: value}
    return value  # type: ignore[no-any-return]  # a path has at least one name
