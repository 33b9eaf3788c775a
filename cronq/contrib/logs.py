"""The lines of the event log in a project's own logging: `to_logging()` once, and the logger "cronq" has them."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from cronq import events
from cronq.host.event_words import words_for

if TYPE_CHECKING:
    from collections.abc import Mapping

_LEVELS = {
    "failed": logging.ERROR,
    "ended_once": logging.ERROR,
    "consumer_broken": logging.ERROR,
    "schedule_refused": logging.ERROR,
    "unsent": logging.ERROR,
    "released": logging.WARNING,
    "rescued": logging.WARNING,
    "dropped": logging.WARNING,
    "lost_reservation": logging.WARNING,
    "result_not_kept": logging.WARNING,
    "pressure": logging.WARNING,
    "spooled": logging.WARNING,
    "backed_off": logging.WARNING,
    "trouble": logging.WARNING,
    "leftovers": logging.WARNING,
    "hook_failed": logging.WARNING,
}


def to_logging(logger: logging.Logger | str = "cronq") -> None:
    """Log what happens in this process, too; the event log of the state directory goes on.

    Failures are errors and carry their exception, what cronq copes with are warnings, all else is information.
    Records have `event`, and where it is about a message `task` and `message_id`. A second call changes nothing.
    """
    found = logging.getLogger(logger) if isinstance(logger, str) else logger
    if not any(isinstance(listener, ToLogging) and listener.logger is found for listener in events.listeners):
        events.listeners.append(ToLogging(found))


class ToLogging:
    """Hands events that have words to a logger."""

    def __init__(self, logger: logging.Logger) -> None:
        self.logger = logger

    def __call__(self, name: str, facts: Mapping[str, object]) -> None:
        level = _LEVELS.get(name, logging.INFO)
        if not self.logger.isEnabledFor(level):
            return
        words = words_for(name, facts)
        if words is None:
            return
        message, error = facts.get("message"), facts.get("error")
        extra = {"event": name, "task": getattr(message, "task", None), "message_id": getattr(message, "id", None)}
        raised = error if level == logging.ERROR and isinstance(error, BaseException) else None
        self.logger.log(level, "%s", words, exc_info=raised, extra=extra)
