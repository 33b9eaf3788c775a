"""The grammar of cronq.toml: leaves, tables, lists of tables, tables of named things.

A node reads a raw TOML value into the value cronq keeps. What it refuses it adds to `problems` as a text and
answers with `BROKEN`, so that one pass finds everything that is wrong.
Plain classes: as NamedTuples they would cost every tick half a millisecond.
"""

from __future__ import annotations

from cronq.config.complaint_words import cut, key, meant, show

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any, Literal

    Path = tuple[str, ...]
    Shape = Literal["value", "text", "list", "switch"]
    Leaf = tuple[Path, "Kind"]

BROKEN: Any = type("Broken", (), {"__repr__": lambda _: "BROKEN"})()


class Spot:
    """Where a value stands: the file or the variable it came from, and the key inside."""

    __slots__ = ("inside", "source")

    def __init__(self, source: str, inside: str = "") -> None:
        self.source: str = source
        self.inside: str = inside

    def key(self, *names: str) -> Spot:
        """Return the spot of a key below this one."""
        inside = self.inside
        for name in names:
            inside += ("." if inside and not inside.endswith(": ") else "") + key(name)
        return Spot(self.source, inside)

    def item(self, index: int, name: object) -> Spot:
        """Return the spot of one entry of a list of tables, which is called `name` when that is text."""
        called = f" ({cut(name)})" if isinstance(name, str) and name.isprintable() else ""
        return Spot(self.source, f"{self.inside}[{index}]{called}: ")

    def __str__(self) -> str:
        return f"{self.source}: {self.inside.removesuffix(': ')}"


class Kind:
    """A leaf: what one key takes.

    `accept` returns the value to keep or raises ValueError; an empty one means "not what `wants` says".
    `shape` says how the text of a variable is read; `suffix` is what the name of the setting has more than the key;
    `shown` returns what a complaint may show of a value.
    """

    __slots__ = ("accept", "example", "shape", "shown", "suffix", "wants")

    def __init__(self, accept: Callable[[Any], Any], wants: str, example: str, shape: Shape = "value") -> None:
        self.accept: Callable[[Any], Any] = accept
        self.wants: str = wants
        self.example: str = example
        self.shape = shape
        self.suffix: str = ""
        self.shown: Callable[[object], str] = show

    def read(self, value: object, spot: Spot, problems: list[str]) -> Any:
        try:
            return self.accept(value)
        except ValueError as error:
            problems.append(f"{spot} = {self.shown(value)}: {str(error) or self.must_be()}")
            return BROKEN

    def must_be(self) -> str:
        return f"must be {self.wants}, for example {self.example}"

    def leaves(self, _given: object, path: Path) -> Iterator[Leaf]:
        yield path, self


class Table:
    """A table with fixed keys; those in `required` must be there."""

    __slots__ = ("keys", "required")

    suffix = ""

    def __init__(self, keys: Mapping[str, Kind | Table | Listed | Named], required: Path = ()) -> None:
        self.keys: Mapping[str, Kind | Table | Listed | Named] = keys
        self.required: tuple[str, ...] = required

    def read(self, value: object, spot: Spot, problems: list[str]) -> Any:
        if not isinstance(value, dict):
            return _refuse_non_table(value, spot, problems)
        found = {name: self._read_key(name, given, spot, problems) for name, given in value.items()}
        for name in self.required:
            if name not in value:
                found[name] = self._miss(name, spot, problems)
        return found

    def _read_key(self, name: str, given: object, spot: Spot, problems: list[str]) -> Any:
        node = self.keys.get(name)
        if node is not None:
            return node.read(given, spot.key(name), problems)
        problems.append(f"{spot.key(name)}: is no key of cronq; {meant(name, self.keys)}")  # its value may be a secret
        return BROKEN

    def _miss(self, name: str, spot: Spot, problems: list[str]) -> Any:
        node = self.keys[name]
        must_be = node.must_be() if isinstance(node, Kind) else "must be a table"
        problems.append(f"{spot.key(name)} is missing: {must_be}")
        return BROKEN

    def leaves(self, given: object, path: Path) -> Iterator[Leaf]:
        """Yield every key below, with the path to it; `given` tells the names that are free to choose."""
        for name, node in self.keys.items():
            yield from node.leaves(given.get(name) if isinstance(given, dict) else None, (*path, name))


class Listed:
    """A list of tables, such as `[[consumers]]`; a variable can only empty it."""

    __slots__ = ("emptied", "entry")

    suffix = ""

    def __init__(self, entry: Table, emptied: Kind) -> None:
        self.entry: Table = entry
        self.emptied: Kind = emptied

    def read(self, value: object, spot: Spot, problems: list[str]) -> Any:
        if not isinstance(value, list):
            problems.append(
                f"{spot} = {show(value)}: must be tables that each begin with [[{spot.inside}]], or [] for none"
            )
            return BROKEN
        return [self._read_entry(index, entry, spot, problems) for index, entry in enumerate(value)]

    def _read_entry(self, index: int, entry: object, spot: Spot, problems: list[str]) -> Any:
        name = entry.get("name") if isinstance(entry, dict) else None
        return self.entry.read(entry, spot.item(index, name), problems)

    def leaves(self, _given: object, path: Path) -> Iterator[Leaf]:
        yield path, self.emptied


class Named:
    """A table whose keys are names the user chose, such as `[queues.mail]`; all values are alike."""

    __slots__ = ("is_name", "node", "wants")

    suffix = ""

    def __init__(self, node: Kind | Table, is_name: Callable[[str], bool], wants: str) -> None:
        self.node: Kind | Table = node
        self.is_name: Callable[[str], bool] = is_name
        self.wants: str = wants

    def read(self, value: object, spot: Spot, problems: list[str]) -> Any:
        if not isinstance(value, dict):
            return _refuse_non_table(value, spot, problems)
        return {name: self._read_entry(name, given, spot.key(name), problems) for name, given in value.items()}

    def _read_entry(self, name: str, given: object, spot: Spot, problems: list[str]) -> Any:
        if not self.is_name(name):
            problems.append(f"{spot} = {show(given)}: the name must be {self.wants}")
            if isinstance(self.node, Kind):
                return BROKEN
        return self.node.read(given, spot, problems)

    def leaves(self, given: object, path: Path) -> Iterator[Leaf]:
        for name, entry in given.items() if isinstance(given, dict) else ():
            yield from self.node.leaves(entry, (*path, name))


def _refuse_non_table(value: object, spot: Spot, problems: list[str]) -> Any:
    problems.append(f"{spot} = {show(value)}: must be a table of keys and values")
    return BROKEN
