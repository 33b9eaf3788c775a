"""The commented cronq.toml that `cronq init` writes. The defaults in it are read from settings.py."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cronq.config.durations import format_duration
from cronq.config.keys import AUTOSCALE, FAILURES, GROUP, INLINE, MAIN, PRESET, SCHEDULE, WEBHOOK
from cronq.config.limit_keys import DEFAULTS, LIMITS, OFF
from cronq.config.nodes import Kind
from cronq.config.settings import DEFAULT_GROUPS, DEFAULT_STATE_DIR, Group, Inline, Queue, Settings
from cronq.schedules.schedule import Schedule
from cronq.webhook.subscription import Webhook

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from cronq.config.nodes import Table

COLUMN = 38

BODY = """\
# cronq.toml: every key is optional.  `cronq check` checks it, and all that it names.
# `#key = value` shows a default, `# key = value` an example; take the `#` away to use it.
# Relative paths start at this file's directory.  Durations: 90, "90s", "10m", "2h", "1d", "1h30m", "PT10M".
# Sizes: megabytes such as 256, or "800000K", "512M", "1.5G", of 1024 each.
# Variables win over this file: CRONQ_MAX_PROCESSES=8, CRONQ_INLINE_MODE=off, CRONQ_INLINE_QUEUES=high,normal.

{app}  # what consumers import, module:variable
# modules = ["shop.mails", "gallery.*"]  # more modules with tasks, which `app` need not import
# entry_points = ["gallery"]  # ... and installed packages that name theirs in the group cronq.tasks
#transport = {top[transport]}  # in state_dir; sqlite:////abs/queue.db, memory:// and sync:// work too
#durability = {top[durability]}  # "normal" is faster, a power cut may lose the last second
#state_dir = {top[state_dir]}  # queue, locks and logs; never below a document root
#queue_prefix = {top[queue_prefix]}  # tells apart installations that share one server
#store_max_mb = {top[store_max_mb]}  # enqueues beyond such a size are refused, before the quota is full: 500
#spool = {top[spool]}  # true: a file keeps what is enqueued while the disk is full
#spool_mb = {top[spool_mb]}  # room that is reserved for it
# python = "/home/ada/venv/bin/python"  # starts the consumers; default: the one that runs cronq
#spawn = {top[spawn]}  # "fork": consumers started together share one import of the project
#interval = {top[interval]}  # time between ticks; "auto" measures it
#max_processes = {top[max_processes]}  # consumers of all groups together
#memory_mb = {top[memory_mb]}  # memory of all consumers together, or "off"
#code_marker = {top[code_marker]}  # consumers restart when such a file changes: "deployed.txt"
#log_max_mb = {top[log_max_mb]}  # a log file is rotated at this size
#dev = {top[dev]}  # true: web requests do all the work; "auto": in Django's DEBUG, Flask's debug

# Groups of consumers, the most important first; autoscale: one consumer for each `desired_size` messages.
# Write your own [[consumers]] in place of these four, or `consumers = []` for none at all.
{groups}
# Each group may also have:
{group_keys}

# Work in web requests, after the response, while no consumer lives.
#[inline]
#queues = {inline[queues]}  # in this order; [] for no inline work
#mode = {inline[mode]}  # "inline" never starts a consumer, "spawn" only does that, "off"
#when = {inline[when]}  # "unattended" also steps in while a consumer is busy
#grace_period = {inline[grace_period]}  # how long a busy consumer, or one of another host, counts as there
#time_limit = {inline[time_limit]}  # for one drain, where the visitor does not wait
#slice = {inline[slice]}  # for one drain, before a consumer is started
#max_processes = {inline[max_processes]}  # web processes that may work at the same time
#memory_limit_mb = {inline[memory_limit_mb]}  # a web process above this does not work
#request_timeout = {inline[request_timeout]}  # when the server ends a request

#[failures]
#keep = {failures[keep]}  # then a failed message is removed

# One queue's own rules; what is left out is up to the task.
# [queues.mail]
# preset = "slow"  # takes over the keys of [presets.slow]
# ack = {queue[ack]}  # "each": one commit per message, for power cuts
# max_attempts = 3  # then the message goes to the failure queue
# timeout = "30s"  # for one attempt
# result_ttl = "1h"  # how long results are kept
# retry = {{ delay = "1s", multiplier = 2, max_delay = "1h", jitter = 0.1, give_up_on = ["ValueError"] }}
# rate = "10/m"  # no more are taken from the queue: s, m, h, d, or "100/15m"
# isolated = true  # each message in a process of its own; never in a web request
# memory_mb = 256  # ... with so much memory at most
# max_waiting = 10000  # an enqueue beyond it is refused
# paused = true  # nothing is taken from it; see also `cronq queues pause`

# [presets.slow]
# timeout = "10m"  # the keys of a queue, shared

# [routing]
# "shop.messages.CreateZip" = "low"  # a message class, or a task, and its queue
# "shop.messages.OrderPlaced" = ["high", "low"]  # one message in each

# What runs again and again; `@app.cron("30 2 * * *")` above a task does the same in code.
# [schedule.nightly]
# task = "shop.tasks.clean_up"  # module and function
# cron = "30 2 * * *"  # as in a crontab; H for a value of its own; six: seconds first; "@every 10s"
# tz = {schedule[tz]}  # whose clock that is: "Europe/Berlin"
# missed = {schedule[missed]}  # runs that nobody saw: made up for "once", "all", or "skip"
# overlap = {schedule[overlap]}  # true: run it while its last run still waits or goes on
# stop_after = {schedule[stop_after]}  # failed runs in a row, then it rests until `cronq schedule resume nightly`
# queue = "low"  # instead of the task's own
# args = {{ days = 30 }}  # by name

# How messages end is posted to a URL, signed: docs/notifications.md.
# [webhooks.ops]
# url = "https://example.org/cronq"
# on = {webhook[on]}  # "finished" as well: each such message is a commit of its own
# tasks = ["shop.tasks.charge"]  # only of these
# queues = ["high"]  # only in these
# arguments = {webhook[arguments]}  # true: those of the message are posted, too
# queue = "low"  # where deliveries wait
# secret_file = "ops.secret"  # default: one is made in state_dir
# timeout = {webhook[timeout]}  # for a word from the receiver

# [env.staging]
# max_processes = 2  # any key above, used when CRONQ_ENV=staging
"""

GROUP_MEANINGS = {
    **{limit.key: limit.meaning for limit in LIMITS},
    "sleep": "the longest wait between two looks at its queues",
    "nice": "0 to 19, how much it gives way to others",
    "isolated": "each message in a process of its own",
}


def template(app: str | None) -> str:
    """Return the text of a cronq.toml that shows every key with its default; only `app`, when given, is set."""
    top = {**Settings._field_defaults, "state_dir": DEFAULT_STATE_DIR}
    text = BODY.format(
        app=f"app = {quoted(app)}" if app else '# app = "shop.tasks:app"',
        top=written(MAIN, top),
        groups="\n".join(map(_group, DEFAULT_GROUPS)),
        group_keys="\n".join(_group_keys()),
        inline=written(INLINE, Inline._field_defaults),
        failures=written(FAILURES, {"keep_s": top["failures_keep_s"]}),
        queue=written(PRESET, Queue._field_defaults),
        schedule=written(SCHEDULE, Schedule._field_defaults),
        webhook=written(WEBHOOK, Webhook._field_defaults),
    )
    return "\n".join(map(_aligned, text.splitlines())) + "\n"


def written(table: Table, defaults: Mapping[str, Any]) -> dict[str, str]:
    """Return for each simple key of `table` its default as TOML; `defaults` goes by the names in settings.py."""
    names = {name: name + node.suffix for name, node in table.keys.items() if isinstance(node, Kind)}
    return {key: toml(defaults[name], name) for key, name in names.items() if name in defaults}


def toml(value: Any, name: str) -> str:
    """Return `value` of the setting `name` as TOML."""
    if value is None:
        return quoted(OFF[0])
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return "[" + ", ".join(map(quoted, value)) + "]"
    if isinstance(value, str):
        return quoted(value)
    return quoted(format_duration(value)) if name.endswith("_s") else str(value)


def quoted(text: str) -> str:
    """Return `text` as a TOML string."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _group(group: Group) -> str:
    autoscale = written(AUTOSCALE, group.autoscale._asdict())
    sizes = ", ".join(f"{key} = {size}" for key, size in autoscale.items())
    lines = ("[[consumers]]", f"name = {quoted(group.name)}", f"queues = {toml(group.queues, 'queues')}")
    return "\n".join(f"#{line}" for line in (*lines, f"autoscale = {{ {sizes} }}"))


def _group_keys() -> Iterable[str]:
    defaults = written(GROUP, {**Group._field_defaults, **DEFAULTS})
    return (f"#{key} = {defaults[key]}  # {meaning}" for key, meaning in GROUP_MEANINGS.items())


def _aligned(line: str) -> str:
    """Put the meaning of a key into one column; prose stays as it is."""
    setting, has_meaning, meaning = line.partition("  # ")
    return f"{setting:<{COLUMN}}  # {meaning}" if has_meaning else line
