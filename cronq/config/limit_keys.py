"""When a consumer has done enough, as `[[consumers]]` says it: one entry per limit, with all that is to be said of it.

This entry and a class in cronq/consumer/limits.py are a limit: the key, its default, the commented cronq.toml and the
option of `cronq consume` follow from the entry; while one of the two is missing, the consumer refuses to be imported.
"""

from __future__ import annotations

from types import MappingProxyType

from cronq.namedtuple import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType
    from typing import Any

    from cronq.config.nodes import Kind

MEGABYTES = (16, 1_048_576)
MANY = 1_000_000_000


class LimitKey(NamedTuple):
    """One limit: `name` is that of the setting, with its unit, as in Group.limits.

    `kind` is made from cronq.config.kinds, which a tick does without. `word` is a text that may stand in place of a
    value, with what it means. `meaning` explains the key in the commented cronq.toml; `option` and `help` are those of
    `cronq consume`, None where a person who starts one consumer has no use for the limit.
    """

    name: str
    default: object
    kind: Callable[[Any], Kind]
    meaning: str
    word: tuple[str, object] | None = None
    option: str | None = None
    help: str = ""

    @property
    def key(self) -> str:
        """The key in cronq.toml: a duration says its unit itself."""
        return self.name.removesuffix("_s")

    def node(self, kinds: ModuleType) -> Kind:
        """Return what the key takes."""
        plain = self.kind(kinds)
        taken: Kind = plain if self.word is None else kinds.or_word(*self.word, plain)
        return taken


OFF = ("off", None)
_AUTO = ("auto", "auto")

LIMITS = (
    LimitKey(
        "time_limit_s",
        default="auto",
        kind=lambda kinds: kinds.duration("1s", "30d", "10m"),
        word=_AUTO,
        meaning='a consumer ends after this; "auto" follows the interval',
        option="--time-limit",
        help="Leave after so long, such as 55 or 10m.",
    ),
    LimitKey(
        "limit",
        default=None,
        kind=lambda kinds: kinds.whole(1, MANY, 1000),
        word=OFF,
        meaning="... after so many messages",
        option="--limit",
        help="Leave after so many messages.",
    ),
    LimitKey(
        "memory_limit_mb",
        default=256,
        kind=lambda kinds: kinds.memory(*MEGABYTES, 256),
        word=OFF,
        meaning="... when it has grown to this",
        option="--memory-limit",
        help="Leave when larger than this: MB, or text such as 512M or 1G.",
    ),
    LimitKey(
        "failure_limit",
        default=None,
        kind=lambda kinds: kinds.whole(1, MANY, 10),
        word=OFF,
        meaning="... after so many failures",
        option="--failure-limit",
        help="Leave after so many failed attempts.",
    ),
    LimitKey(
        "linger_s",
        default=10.0,
        kind=lambda kinds: kinds.duration("0s", "1h", "10s"),
        meaning="idle beyond `min`, it makes room for others after this",
    ),
)
DEFAULTS = MappingProxyType({limit.name: limit.default for limit in LIMITS})
