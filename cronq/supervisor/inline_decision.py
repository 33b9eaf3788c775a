"""Whether, how long and how a web process works after its response. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cronq.namedtuple import NamedTuple

if TYPE_CHECKING:
    from cronq.config.settings import Inline

VISITOR_MAY_WAIT_S = 1.0  # where a server cannot finish its response before the work is done
MARGIN_S = 5.0  # kept below the server's own request timeout: it ends workers, and the message with them


class Facts(NamedTuple):
    """What is known when a response has been handed over.

    `queues` are those that nobody looks after, in their order. `enqueued`: messages of this very request.
    `elapsed_s`: how long the request has taken already. `answers_early`: the visitor has the whole response now.
    `is_outdated`: consumers would run newer code than this process has.
    """

    queues: tuple[str, ...]
    is_page_view: bool
    enqueued: int
    elapsed_s: float
    answers_early: bool
    is_outdated: bool = False


class Decision(NamedTuple):
    """What to do for `queues`. Run up to `messages` (None: any number) for `budget_s`; then, if work is left, start a

    consumer when `spawns`; and where no process may be started, go on until `fallback_s` in all.
    """

    queues: tuple[str, ...] = ()
    budget_s: float = 0.0
    messages: int | None = None
    spawns: bool = False
    fallback_s: float = 0.0

    @property
    def is_nothing(self) -> bool:
        return not self.spawns and self.budget_s <= 0


NOTHING = Decision()


def decide(facts: Facts, inline: Inline) -> Decision:
    """Return what a web process should do after its response."""
    if not facts.queues or inline.mode == "off":
        return NOTHING
    if not facts.is_page_view and not facts.enqueued:
        return NOTHING
    longest = _longest_s(facts, inline)
    messages = None if facts.is_page_view else facts.enqueued
    if inline.mode == "inline":
        return NOTHING if facts.is_outdated else Decision(facts.queues, longest, messages)
    if inline.mode == "spawn" or facts.is_outdated:
        return Decision(facts.queues, 0.0, messages, spawns=True)
    return Decision(facts.queues, min(inline.slice_s, longest), messages, spawns=True, fallback_s=longest)


def _longest_s(facts: Facts, inline: Inline) -> float:
    until_server_ends_it = inline.request_timeout_s - facts.elapsed_s - MARGIN_S
    most = inline.time_limit_s if facts.answers_early else min(inline.time_limit_s, VISITOR_MAY_WAIT_S)
    return max(0.0, min(most, until_server_ends_it))
