"""How every event reads in the log. Imported with the first line that is written."""

from __future__ import annotations

from cronq.messages.own_headers import label_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from cronq.messages.message import Message

_WORDS: dict[str, Callable[[Any], str]] = {
    "consumer_started": lambda facts: f"{facts['slot']} consumes {' '.join(facts['queues'])}",
    "consumer_stopped": lambda facts: (
        f"{facts['slot']} leaves after {facts['messages']} messages, {facts['failures']} failed: {facts['reason']}"
    ),
    "consumer_broken": lambda facts: f"{facts['slot']} cannot work: {facts['reason']}",
    "spawned": lambda facts: f"started a consumer for {facts['target']}",
    "not_forked": lambda facts: f'{facts["reason"]}: each consumer imports it anew, although spawn = "fork"',
    "pressure": lambda facts: f"the host has no room now for {facts['what']}: trying again at the next tick",
    "rescued": lambda facts: (
        f"rescued from {facts['holder']}: {facts['released']} back in their queues, {facts['failed']} failed, "
        f"{facts['finished']} had finished; {facts['cause']}"
    ),
    "stopped": lambda facts: f"sent {facts['signal']} to {facts['holder']}: {facts['reason']}",
    "backed_off": lambda facts: (
        f"consumers of {facts['group']} died young {facts['deaths']} times: next start in {facts['delay_s']:.0f} s"
    ),
    "released": lambda facts: (
        f"{_named(facts['message'])} failed at attempt {facts['message'].attempt}, again in "
        f"{facts['delay_s']:.0f} s: {_brief(facts['error'])}"
    ),
    "failed": lambda facts: f"{_named(facts['message'])} went to the failure queue: {_brief(facts['error'])}",
    "left_for_newer_code": lambda facts: (
        f"{_named(facts['message'])} waits for a consumer that has newer code: {_brief(facts['error'])}"
    ),
    "continued": lambda facts: f"{_named(facts['message'])} goes on later, in another slice",
    "ended_once": lambda facts: (
        f"{_named(facts['message'])} failed; it runs at most once, so it is gone: {_brief(facts['error'])}"
    ),
    "absorbed": lambda facts: (
        f"{len(facts['absorbed'])} messages were not needed, since one of their unique key was there: "
        f"{', '.join(sorted({message.task for message in facts['messages']}))}"
    ),
    "spooled": lambda facts: f"{_several(facts['messages'])} put into the spool: {facts['error']}",
    "replayed": lambda facts: f"{_several(facts['messages'])} taken out of the spool, into the queues",
    "unsent": lambda facts: (
        f"{facts['error']}; {'an @app.on_unsent hook has taken it' if facts['is_taken'] else 'its caller was told'}"
    ),
    "lost_reservation": lambda facts: f"{facts['message_id']} was no longer reserved here when it ended",
    "result_not_kept": lambda facts: f"{_named(facts['message'])}: result not kept: {facts['error']}",
    "leftovers": lambda facts: (
        f"{facts['message'].task} left {facts['what']} behind (first seen after {facts['message'].id}): "
        f"end what you start, or it stays as long as the consumer"
    ),
    "hook_failed": lambda facts: f"@app.{facts['kind']} hook {facts['hook']} failed: {_brief(facts['error'])}",
    "trouble": lambda facts: f"waiting for better times: {facts['error']}",
    "scheduled": lambda facts: (
        f"schedule {facts['schedule']}: enqueued {', '.join(message.id for message in facts['messages'])}"
    ),
    "schedule_skipped": lambda facts: (
        f"schedule {facts['schedule']}: not enqueued while its last message {facts['message_id']} waits or is run"
    ),
    "schedule_stopped": lambda facts: facts["reason"],
    "schedule_refused": lambda facts: f"refused: {facts['reason']}",
    "dropped": lambda facts: f"dropped {facts['count']} messages of a failed outbox: {', '.join(facts['tasks'])}",
    "inline": lambda facts: f"ran {facts['messages']} messages inline, {facts['failures']} failed: {facts['reason']}",
    "unserved": lambda facts: (
        f"{', '.join(facts['tasks'])}: take longer than a web process may work ({facts['limit_s']:.0f} s), and no "
        f"consumer could be started: let cron run `cronq tick --run`, or cut the work into slices"
    ),
    "fetched": lambda facts: f"started a consumer for {facts['target']}: nobody was ready for its queues",
}


def words_for(name: str, facts: Mapping[str, object]) -> str | None:
    """Return an event in words, on one line; None for an event that is not worth a line."""
    words = _WORDS.get(name)
    return None if words is None else _one_line(words(facts))


def _named(message: Message) -> str:
    label = label_of(message)
    return f"{message.task} {message.id} ({label})" if label else f"{message.task} {message.id}"


def _several(messages: Sequence[Message]) -> str:
    return f"{len(messages)} of {', '.join(sorted({message.task for message in messages}))}"


def _brief(error: object) -> str:
    return f"{type(error).__name__}: {error}" if isinstance(error, BaseException) else str(error)


def _one_line(text: str) -> str:
    """Keep an error text of somebody else from writing lines, colours or bells of its own into the log."""
    return "".join(character if character.isprintable() else " " for character in text)[:2000]
