"""Every key of cronq.toml: where it stands, what it takes, an example. Defaults are in settings.py."""

from __future__ import annotations

from cronq.config import addresses, kinds
from cronq.config.addresses import address
from cronq.config.kinds import (
    absolute_path,
    choice,
    class_names,
    duration,
    memory,
    number,
    or_word,
    path,
    paths,
    queue_names,
    switch,
    text,
    whole,
)
from cronq.config.limit_keys import LIMITS, MANY, MEGABYTES, OFF
from cronq.config.nodes import Kind, Listed, Named, Table
from cronq.config.settings import AUTO, MISSED, ON

RETRY = Table(
    {
        "max_attempts": whole(1, 1000, 3),
        "delay": duration("0s", "365d", "1s"),
        "multiplier": number(1, 100, 2),
        "max_delay": duration("0s", "365d", "1h"),
        "jitter": number(0, 1, 0.1),
        "retry_on": class_names('["ConnectionError"]'),
        "give_up_on": class_names('["ValueError", "shop.errors.NoSuchUser"]'),
    }
)

PRESET = Table(
    {
        "ack": choice(("batch", "each")),
        "max_attempts": whole(1, 1000, 3),
        "timeout": duration("0.1s", "30d", "30s"),
        "result_ttl": duration("0s", "3650d", "1h"),
        "rate": Kind(kinds.rate, kinds.RATE_WANTS, '"10/m"', "text"),
        "retry": RETRY,
        "isolated": switch(),
        "memory_mb": memory(*MEGABYTES, 256),
        "paused": switch(),
        "max_waiting": or_word(*OFF, whole(1, MANY, 10_000)),
    }
)

PRESET_NAME = text(kinds.is_label, "the name of a [presets.NAME] table", '"slow"')
QUEUE = Table({"preset": PRESET_NAME, **PRESET.keys})

AUTOSCALE = Table({"desired_size": whole(1, MANY, 5), "min": whole(0, 100, 0), "max": whole(1, 100, 4)})

GROUP_NAME_WANTS = f'{kinds.LABEL_WANTS}, but not "inline" or "tick"'
GROUP = Table(
    {
        "name": text(kinds.is_group_name, GROUP_NAME_WANTS, '"high"'),
        "queues": queue_names("a list of one or more queue names", at_least=1),
        "autoscale": AUTOSCALE,
        **{limit.key: limit.node(kinds) for limit in LIMITS},
        "sleep": duration("0.1s", "1h", "5s"),
        "nice": whole(0, 19, 10),
        "isolated": switch(),
    },
    required=("name", "queues"),
)

INLINE = Table(
    {
        "queues": queue_names("a list of queue names, [] for no inline work"),
        "mode": choice(("auto", "inline", "spawn", "off")),
        "when": choice(("absent", "unattended")),
        "grace_period": duration("1s", "30d", "10m"),
        "time_limit": duration("0.1s", "1h", "30s"),
        "slice": duration("0.01s", "1m", "1s"),
        "max_processes": whole(1, 100, 1),
        "memory_limit_mb": memory(*MEGABYTES, 256),
        "request_timeout": duration("1s", "1d", "30s"),
    }
)

FAILURES = Table({"keep": duration("1m", "3650d", "30d")})

TASK = text(kinds.is_task_name, kinds.TASK_NAME_WANTS, '"shop.tasks.clean_up"')
CRON = text(kinds.is_cron, kinds.CRON_WANTS, '"30 2 * * *"')
SCHEDULE = Table(
    {
        "task": TASK,
        "cron": CRON,
        "tz": text(kinds.is_zone, 'the name of a time zone such as "Europe/Berlin"', '"UTC"'),
        "missed": choice(MISSED),
        "overlap": switch(),
        "stop_after": or_word(*OFF, whole(1, 1000, 5)),
        "queue": text(kinds.is_queue_name, kinds.QUEUE_NAME_WANTS, '"low"'),
        "args": kinds.arguments("{ days = 30 }"),
    }
)

URL = address(addresses.url, addresses.URL_WANTS, '"https://example.org/cronq"')
WEBHOOK = Table(
    {
        "url": URL,
        "on": kinds.words(ON),
        "tasks": kinds.task_names('["shop.tasks.charge"]'),
        "queues": queue_names("a list of queue names, [] for all"),
        "arguments": switch(),
        "queue": text(kinds.is_queue_name, kinds.QUEUE_NAME_WANTS, '"low"'),
        "secret_file": path(),
        "timeout": duration("0.1s", "1m", "10s"),
    }
)

TRANSPORT = address(addresses.transport, "sqlite:///FILE, memory:// or sync://", '"sqlite:///queue.db"')
ROUTE = kinds.route()
NO_GROUPS = Kind(kinds.nothing, "[], which turns all groups off; a variable can set no more", "[]", "list")

MAIN = Table(
    {
        "app": text(kinds.is_import_path, "a module, a colon and the name of the app in it", '"shop.tasks:app"'),
        "modules": kinds.module_names('["shop.mails", "gallery.*"]'),
        "entry_points": kinds.labels('["gallery"]'),
        "transport": TRANSPORT,
        "durability": choice(("full", "normal")),
        "state_dir": path(),
        "queue_prefix": text(kinds.is_prefix, "up to 40 letters, digits, _ . : -", '"shop:"'),
        "spool": switch(),
        "spool_mb": memory(1, 1024, 4),
        "store_max_mb": or_word(*OFF, memory(1, 1_048_576, 500)),
        "python": absolute_path("/home/ada/virtualenv/shop/3.11/bin/python"),
        "spawn": choice(("exec", "fork")),
        "interval": or_word(AUTO, AUTO, duration("1s", "1d", "5m")),
        "max_processes": whole(1, 100, 4),
        "memory_mb": or_word(*OFF, memory(*MEGABYTES, 512)),
        "code_marker": paths("tmp/restart.txt"),
        "log_max_mb": memory(1, 10_240, 1),
        "dev": or_word(AUTO, AUTO, switch()),
        "consumers": Listed(GROUP, NO_GROUPS),
        "queues": Named(QUEUE, kinds.is_queue_name, kinds.QUEUE_NAME_WANTS),
        "presets": Named(PRESET, kinds.is_label, kinds.LABEL_WANTS),
        "routing": Named(ROUTE, kinds.is_dotted_name, kinds.DOTTED_NAME_WANTS),
        "inline": INLINE,
        "failures": FAILURES,
        "schedule": Named(SCHEDULE, kinds.is_label, kinds.LABEL_WANTS),
        "webhooks": Named(WEBHOOK, kinds.is_label, kinds.LABEL_WANTS),
    }
)

FILE = Table({**MAIN.keys, "env": Named(MAIN, kinds.is_label, kinds.LABEL_WANTS)})
