"""The configuration as frozen values, with the default of every key written once: here, or for limits in limit_keys.py.

Named tuples, not dataclasses: the minutely tick builds these, and `import dataclasses` with a dozen decorated classes
costs it 9 ms (cronq.namedtuple: 0.1).
Durations are seconds, sizes are mebibytes, paths are absolute once loaded.
"""

from __future__ import annotations

from types import MappingProxyType

from cronq.config.limit_keys import DEFAULTS
from cronq.namedtuple import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Literal

    from cronq.schedules.schedule import Schedule  # which most configurations have none of
    from cronq.webhook.subscription import Webhook  # likewise

    InlineMode = Literal["auto", "inline", "spawn", "off"]
    InlineWhen = Literal["absent", "unattended"]
    Durability = Literal["full", "normal"]
    AckMode = Literal["batch", "each"]
    Spawn = Literal["exec", "fork"]

AUTO: Literal["auto"] = "auto"

MISSED = ("once", "skip", "all")
ON = ("failed", "finished")


class Autoscale(NamedTuple):
    """How many consumers a group should have: `clamp(ceil(depth / desired_size), min, max)`."""

    desired_size: int = 5
    min: int = 0
    max: int = 1


class Group(NamedTuple):
    """One `[[consumers]]` entry: consumers that serve `queues` in strict order, within limits.

    `limits` has a value for every limit there is (cronq/config/limit_keys.py), by its name: None for one that is off.
    """

    name: str
    queues: tuple[str, ...]
    autoscale: Autoscale = Autoscale()
    sleep_s: float = 5.0
    nice: int = 10
    isolated: bool = False
    limits: Mapping[str, Any] = DEFAULTS

    @property
    def time_limit_s(self) -> float | Literal["auto"]:
        """How long a consumer lives; `"auto"` follows the measured interval of the ticks."""
        limit: float | Literal["auto"] = self.limits["time_limit_s"]
        return limit

    @property
    def memory_limit_mb(self) -> int | None:
        """How large a consumer may grow."""
        limit: int | None = self.limits["memory_limit_mb"]
        return limit

    def changed(self, **given: Any) -> Group:
        """Return the group with other values, limits by their names as well. Raises ValueError for what is no field."""
        limits = {name: given.pop(name) for name in DEFAULTS if name in given}
        return self._replace(limits=MappingProxyType({**self.limits, **limits}), **given)


class Queue(NamedTuple):
    """What `[queues.NAME]` says of one queue; None leaves the task's own choice in force."""

    name: str
    ack: AckMode = "batch"
    max_attempts: int | None = None
    timeout_s: float | None = None
    result_ttl_s: float | None = None
    retry: Mapping[str, float | tuple[str, ...]] = MappingProxyType({})
    isolated: bool | None = None
    memory_mb: int | None = None
    rate: str | None = None
    paused: bool = False
    max_waiting: int | None = None


class Inline(NamedTuple):
    """Work inside web processes, after the response, when no consumer lives."""

    queues: tuple[str, ...] = ("high", "normal", "low")
    mode: InlineMode = "auto"
    when: InlineWhen = "absent"
    grace_period_s: float = 600.0
    time_limit_s: float = 30.0
    slice_s: float = 1.0
    max_processes: int = 1
    memory_limit_mb: int = 256
    request_timeout_s: float = 30.0


class Settings(NamedTuple):
    """A whole, validated configuration. `path` is None when there is no file: defaults all over.

    Paths are absolute, save the one in `transport`, which is kept as written: `sqlite:///queue.db` lies in
    `state_dir`, `sqlite:////home/ada/queue.db` (four slashes) is absolute.
    """

    path: str | None
    base_dir: str
    state_dir: str
    app: str | None = None
    modules: tuple[str, ...] = ()
    entry_points: tuple[str, ...] = ()
    transport: str = "sqlite:///queue.db"
    durability: Durability = "full"
    queue_prefix: str = ""
    store_max_mb: int | None = None
    spool: bool = False
    spool_mb: int = 4
    python: str | None = None
    spawn: Spawn = "exec"
    interval_s: float | Literal["auto"] = AUTO
    max_processes: int = 4
    memory_mb: int | None = 512
    code_marker: tuple[str, ...] = ()
    failures_keep_s: float = 30 * 86400.0
    log_max_mb: int = 1
    groups: tuple[Group, ...] = ()
    queues: Mapping[str, Queue] = MappingProxyType({})
    routing: Mapping[str, tuple[str, ...]] = MappingProxyType({})
    inline: Inline = Inline()
    schedules: tuple[Schedule, ...] = ()
    webhooks: tuple[Webhook, ...] = ()
    dev: bool | Literal["auto"] = AUTO

    def queue(self, name: str) -> Queue:
        """Return the settings of queue `name`, the defaults when the file does not mention it."""
        return self.queues.get(name) or Queue(name)

    def unpaused(self, queues: tuple[str, ...]) -> tuple[str, ...]:
        """Return those of `queues` from which messages may be taken, as far as the file says."""
        return tuple(name for name in queues if not self.queue(name).paused) if self.queues else queues


DEFAULT_STATE_DIR = ".cronq"
DEFAULT_QUEUES = ("high", "normal", "low")

DEFAULT_GROUPS = (
    Group("standby", DEFAULT_QUEUES, Autoscale(desired_size=5, min=1, max=2)),  # the second is help for all queues
    Group("high", ("high",), Autoscale(desired_size=5, min=0, max=2)),
    Group("normal", ("normal",), Autoscale(desired_size=10, min=0, max=2)),
    Group("low", ("low",), Autoscale(desired_size=20, min=0, max=1)),
)
