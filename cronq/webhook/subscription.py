"""A webhook as the configuration has it: where the end of which messages is reported to."""

from __future__ import annotations

from cronq.namedtuple import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

    On = Literal["failed", "finished"]

ON: tuple[On, ...] = ("failed", "finished")  # as in config/settings.py
TASK = "cronq.webhook"


class Webhook(NamedTuple):
    """One `[webhooks.NAME]`: what is posted to `url`, of which tasks and queues (all of them when empty).

    `queue` is where deliveries wait, None: with other work. `secret_file` None: one in the state directory.
    """

    name: str
    url: str
    on: tuple[On, ...] = ("failed",)
    tasks: tuple[str, ...] = ()
    queues: tuple[str, ...] = ()
    arguments: bool = False
    queue: str | None = None
    secret_file: str | None = None
    timeout_s: float = 10.0

    def hears_of(self, event: On, task: str, queue: str) -> bool:
        """Tell whether it wants to know of such an end of a message of `task` in `queue`."""
        return event in self.on and (not self.tasks or task in self.tasks) and (not self.queues or queue in self.queues)
