"""The kinds of values that keys of cronq.toml take, each with what it wants and an example."""

from __future__ import annotations

import os.path

from cronq.config.complaint_words import show
from cronq.config.durations import format_duration, parse_duration
from cronq.config.nodes import Kind

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

LETTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-")
LETTERS_AND_DOT = LETTERS | {"."}
GROUP_NAME_LENGTH = 40
QUEUE_NAME_LENGTH = 64
RESERVED_GROUPS = ("inline", "tick")
QUEUE_NAME_WANTS = "a queue name: 1 to 64 letters, digits, _ . - and no dot in front"
DOTTED_NAME_WANTS = 'the dotted name of a class or task in quotes, for example "shop.messages.CreateZip"'
LABEL_WANTS = "1 to 40 letters, digits, _ and -"
TASK_NAME_WANTS = "the name of a task, module and function"
RATE_WANTS = "how many messages in which time: a number, a stroke, and s, m, h or d"
CRON_WANTS = (
    "five fields (minute, hour, day, month, weekday), six with the seconds in front, @every 10s, or @hourly, @daily, "
    "@weekly, @monthly, @yearly"
)
CRON_ALIASES = frozenset({"@hourly", "@daily", "@midnight", "@weekly", "@monthly", "@yearly", "@annually"})
CRON_LETTERS = LETTERS | set("*/,#?() ")


def whole(low: int, high: int, example: int) -> Kind:
    """Return the kind of a whole number from `low` to `high`."""

    def accept(value: object) -> int:
        if isinstance(value, int) and not isinstance(value, bool) and low <= value <= high:
            return value
        raise ValueError

    return Kind(accept, f"a whole number from {low} to {high}", str(example))


def memory(low: int, high: int, example: int) -> Kind:
    """Return the kind of a size from `low` to `high` MB, kept as a whole number of these."""

    def accept(value: object) -> int:
        from cronq.units import megabytes  # which a tick without such keys does without

        size = megabytes(value)
        if low <= size <= high:
            return size
        raise ValueError

    return Kind(accept, f'a whole number of MB from {low} to {high}, or text with K, M or G such as "1G"', str(example))


def number(low: float, high: float, example: float) -> Kind:
    """Return the kind of a number from `low` to `high`, with or without a fraction."""

    def accept(value: object) -> float:
        if isinstance(value, (int, float)) and not isinstance(value, bool) and low <= value <= high:
            return float(value)
        raise ValueError

    return Kind(accept, f"a number from {low:g} to {high:g}", str(example))


def duration(low: str, high: str, example: str) -> Kind:
    """Return the kind of a duration from `low` to `high`, kept in seconds under the key's name with `_s`."""
    least, most = parse_duration(low), parse_duration(high)

    def accept(value: object) -> float:
        try:
            seconds = parse_duration(value)
        except ValueError:
            raise ValueError from None
        if least <= seconds <= most:
            return seconds
        raise ValueError

    kind = Kind(accept, f"a duration from {format_duration(least)} to {format_duration(most)}", f'"{example}"')
    kind.suffix = "_s"
    return kind


def or_word(word: str, meaning: object, kind: Kind) -> Kind:
    """Return `kind`, extended by a word that stands for `meaning`."""

    def accept(value: object) -> Any:
        return meaning if value == word else kind.accept(value)

    extended = Kind(accept, f'{kind.wants}, or "{word}"', kind.example, kind.shape)
    extended.suffix = kind.suffix
    return extended


def switch() -> Kind:
    """Return the kind of true or false."""

    def accept(value: object) -> bool:
        if isinstance(value, bool):
            return value
        raise ValueError

    return Kind(accept, "true or false", "true", "switch")


def choice(words: tuple[str, ...]) -> Kind:
    """Return the kind of one word out of `words`."""
    wants = "one of " + ", ".join(f'"{word}"' for word in words)
    return text(words.__contains__, wants, f'"{words[0]}"')


def text(is_right: Callable[[str], bool], wants: str, example: str) -> Kind:
    """Return the kind of a text for which `is_right` is true."""

    def accept(value: object) -> str:
        if isinstance(value, str) and is_right(value):
            return value
        raise ValueError

    return Kind(accept, wants, example, "text")


def path() -> Kind:
    """Return the kind of a path, `~/` standing for the home directory."""
    return Kind(_path, "a path, relative to the configuration file or absolute", '".cronq"', "text")


def absolute_path(example: str) -> Kind:
    """Return the kind of an absolute path, `~/` standing for the home directory."""

    def accept(value: object) -> str:
        full = _path(value)
        if os.path.isabs(full):
            return full
        raise ValueError

    return Kind(accept, "an absolute path", f'"{example}"', "text")


def paths(example: str) -> Kind:
    """Return the kind of one path or a list of them, kept as a tuple."""

    def accept(value: object) -> tuple[str, ...]:
        if isinstance(value, (str, list)):
            return tuple(map(_path, [value] if isinstance(value, str) else value))
        raise ValueError

    return Kind(accept, "a path or a list of paths, relative to the configuration file", f'"{example}"', "list")


def _path(value: object) -> str:
    if isinstance(value, str) and value.strip() and value.isprintable():
        return os.path.expanduser(value) if value.startswith("~/") else value
    raise ValueError


def queue_names(wants: str, at_least: int = 0) -> Kind:
    """Return the kind of a list of different queue names, kept as a tuple."""

    def accept(value: object) -> tuple[str, ...]:
        if not isinstance(value, list) or len(value) < at_least:
            raise ValueError
        refuse_bad_queue_names(value)
        return tuple(value)

    return Kind(accept, wants, '["high", "normal"]', "list")


def route() -> Kind:
    """Return the kind of a queue, or a list of different ones, kept as a tuple."""

    def accept(value: object) -> tuple[str, ...]:
        names = [value] if isinstance(value, str) else value
        if not isinstance(names, list) or not names or not all(isinstance(one, str) for one in names):
            raise ValueError
        refuse_bad_queue_names(names)
        return tuple(names)

    return Kind(accept, f"{QUEUE_NAME_WANTS}, or a list of them", '"low"', "list")


def words(known: tuple[str, ...]) -> Kind:
    """Return the kind of a list of some of the words that are `known`, kept as a tuple."""

    def accept(value: object) -> tuple[str, ...]:
        if isinstance(value, list) and value and all(value.count(word) == 1 and word in known for word in value):
            return tuple(value)
        raise ValueError

    listed = ", ".join(f'"{word}"' for word in known)
    return Kind(accept, f"a list of one or more of {listed}, each once", f"[{listed}]", "list")


def task_names(example: str) -> Kind:
    """Return the kind of a list of names of tasks, kept as a tuple."""

    def accept(value: object) -> tuple[str, ...]:
        if isinstance(value, list) and all(isinstance(name, str) and is_task_name(name) for name in value):
            return tuple(value)
        raise ValueError

    return Kind(accept, "a list of names of tasks, module and function", example, "list")


def module_names(example: str) -> Kind:
    """Return the kind of a list of names of modules, and of packages with all that is below them, kept as a tuple."""

    def accept(value: object) -> tuple[str, ...]:
        if isinstance(value, list) and all(isinstance(name, str) and is_module_name(name) for name in value):
            return tuple(value)
        raise ValueError

    return Kind(accept, "a list of names of modules, or of packages with .* behind them", example, "list")


def labels(example: str) -> Kind:
    """Return the kind of a list of names as distributions give them, kept as a tuple."""

    def accept(value: object) -> tuple[str, ...]:
        if isinstance(value, list) and all(isinstance(name, str) and name.strip() for name in value):
            return tuple(value)
        raise ValueError

    return Kind(accept, "a list of names of entry points", example, "list")


def class_names(example: str) -> Kind:
    """Return the kind of a list of names of exception classes, bare or with their modules, kept as a tuple."""

    def accept(value: object) -> tuple[str, ...]:
        if isinstance(value, list) and all(isinstance(name, str) and is_class_name(name) for name in value):
            return tuple(value)
        raise ValueError

    return Kind(accept, "a list of names of exception classes", example, "list")


def arguments(example: str) -> Kind:
    """Return the kind of a table of arguments by name, kept as JSON has them: a date becomes text."""

    def accept(value: object) -> dict[str, Any]:
        if isinstance(value, dict):
            return {name: _plain(given) for name, given in value.items()}
        raise ValueError

    return Kind(accept, "a table of arguments by name", example)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(given) for name, given in value.items()}
    if isinstance(value, list):
        return list(map(_plain, value))
    if isinstance(value, float) and not -float("inf") < value < float("inf"):
        raise ValueError(f"must not hold {value}: JSON has no such number")
    return value.isoformat() if hasattr(value, "isoformat") else value


def refuse_bad_queue_names(names: Iterable[object]) -> None:
    """Raise ValueError, which names the culprit, unless all are queue names and no two are the same."""
    seen = set()
    for name in names:
        if not isinstance(name, str) or not is_queue_name(name):
            raise ValueError(f"{show(name)} must be {QUEUE_NAME_WANTS}")
        if name in seen:
            raise ValueError(f"{show(name)} must be there only once")
        seen.add(name)


def is_queue_name(name: str) -> bool:
    return 0 < len(name) <= QUEUE_NAME_LENGTH and name[0] != "." and LETTERS_AND_DOT.issuperset(name)


def is_label(name: str) -> bool:
    """Tell whether `name` can be (part of) a file name and of a variable's name."""
    return 0 < len(name) <= GROUP_NAME_LENGTH and LETTERS.issuperset(name)


def is_group_name(name: str) -> bool:
    return is_label(name) and name not in RESERVED_GROUPS


def is_task_name(name: str) -> bool:
    return bool(name) and name.isprintable() and " " not in name


def is_cron(expression: str) -> bool:
    """Tell whether it has the form of a cron expression. Its meaning is checked when it is stored: croniter is dear."""
    from cronq.schedules.expression import every_s

    has_fields = len(expression.split()) in {5, 6} and CRON_LETTERS.issuperset(expression)
    return has_fields or expression in CRON_ALIASES or every_s(expression) is not None


def is_zone(name: str) -> bool:
    return bool(name) and name[0] not in "/." and LETTERS.issuperset(name.replace("/", "").replace("+", ""))


def is_prefix(name: str) -> bool:
    return not name or (len(name) <= GROUP_NAME_LENGTH and LETTERS_AND_DOT.issuperset(name.replace(":", "")))


def is_import_path(name: str) -> bool:
    module, _, variable = name.partition(":")
    return all(part.isidentifier() for part in (*module.split("."), *variable.split(".")))


def is_class_name(name: str) -> bool:
    return all(part.isidentifier() for part in name.split("."))


def is_module_name(name: str) -> bool:
    return all(part.isidentifier() for part in name.removesuffix(".*").split("."))


def is_dotted_name(name: str) -> bool:
    return "." in name and is_class_name(name)


def rate(value: object) -> str:
    """Return a rate as it is; raise ValueError, which says what is wrong with it."""
    from cronq.messages.rate import parse  # which imports re: seldom wanted

    try:
        parse(value)
    except ValueError as error:
        raise ValueError(f"{error}; must be {RATE_WANTS}") from None
    return str(value)


def nothing(value: object) -> list[object]:
    """Return the empty list, the only value there is; raise ValueError for all others."""
    if value == []:
        return []
    raise ValueError
