"""What a tick has for the person whom cron mails: each trouble once, and once that it is over."""

from __future__ import annotations

from cronq.config.durations import format_duration
from cronq.host.state_dir import rewrite_text
from cronq.namedtuple import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

TICK = "tick"
"""The key of the trouble that ticks fail."""

REWORDED_S = 600.0  # a trouble that reads otherwise every minute is no other trouble every minute


class Trouble(NamedTuple):
    """Something that is wrong and does not mend itself.

    `key` tells it from all others for as long as it lasts. `what` says it in words that stay; `who` before it and
    `more` behind it what changes by the minute, and what to do. `is_mailed`: a tick tells it to the person whom cron
    mails.
    """

    key: str
    what: str
    more: str = ""
    is_mailed: bool = True
    who: str = ""

    @property
    def text(self) -> str:
        return self.who + self.what + self.more


def tick_failed(complaint: str) -> Trouble:
    """Return the trouble of ticks that cannot do their work. `complaint` says why."""
    return Trouble(TICK, complaint)


class Standing(NamedTuple):
    """A trouble that a person was told of, and that is not over: since when, when and in what words it was told."""

    since: float
    told_at: float
    what: str


class Bulletin(NamedTuple):
    """What to print now, and what stands when that is done."""

    lines: tuple[str, ...]
    standing: Mapping[str, Standing]


def bulletin(
    standing: Mapping[str, Standing], found: Sequence[Trouble], now: float, reworded_s: float = REWORDED_S
) -> Bulletin:
    """Return what is new since `standing` was told: troubles that have come or read otherwise, and those that went.

    One that reads otherwise is told again `reworded_s` after it was told last, and not before.
    """
    keys = {one.key for one in found}
    over = [_over(one, now) for key, one in standing.items() if key not in keys]
    lines, stands = [], {}
    for one in found:
        before, what = standing.get(one.key), _flat(one.what)
        if before is not None and (before.what == what or 0 <= now - before.told_at < reworded_s):
            stands[one.key] = before
        else:
            stands[one.key] = Standing(now if before is None else before.since, now, what)
            lines.append(one.text)
    return Bulletin((*over, *lines), stands)


def _over(one: Standing, now: float) -> str:
    return f"well again after {format_duration(max(0, round(now - one.since)))}: {one.what}"


def as_text(standing: Mapping[str, Standing]) -> str:
    """Return what stands as text: a line for each. With nothing it is an empty line, for `rewrite_text` to fill."""
    lines = (f"{one.since:.0f} {one.told_at:.0f} {_flat(key)}\t{one.what}" for key, one in standing.items())
    return "\n".join(lines) + "\n"


def from_text(text: str) -> dict[str, Standing]:
    """Read what `as_text` wrote; a line that was cut off is left out."""
    found = {}
    for line in text.splitlines():
        head, _, what = line.partition("\t")
        try:
            since, told_at, key = head.split(" ", 2)
            found[key] = Standing(float(since), float(told_at), what)
        except ValueError:
            continue
    return found


def write(path: str, standing: Mapping[str, Standing]) -> None:
    rewrite_text(path, as_text(standing))


def _flat(text: str) -> str:
    return " ".join(text.split())
