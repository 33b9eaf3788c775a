"""Turning checked, merged tables into Settings: names get their units, paths become absolute."""

from __future__ import annotations

import os.path
from types import MappingProxyType

from cronq.config.keys import AUTOSCALE, GROUP, INLINE, MAIN, QUEUE, RETRY, WEBHOOK
from cronq.config.layers import merge
from cronq.config.settings import DEFAULT_GROUPS, DEFAULT_STATE_DIR, Autoscale, Group, Inline, Queue, Settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from cronq.config.layers import Tree
    from cronq.config.nodes import Table
    from cronq.schedules.schedule import Schedule
    from cronq.webhook.subscription import Webhook

PLACES = ("state_dir", "code_marker")
TABLES = ("consumers", "queues", "presets", "routing", "inline", "failures", "schedule", "webhooks", *PLACES)


def build(tree: Tree, path: str | None, base_dir: str) -> Settings:
    """Return the Settings that `tree` describes; its relative paths start at `base_dir`."""
    plain = {name: value for name, value in tree.items() if name not in TABLES}
    groups = _groups(tree.get("consumers"))
    return Settings(
        path=path,
        base_dir=base_dir,
        state_dir=_absolute(base_dir, tree.get("state_dir", DEFAULT_STATE_DIR)),
        code_marker=tuple(_absolute(base_dir, marker) for marker in tree.get("code_marker", ())),
        groups=groups,
        queues=_queues(tree.get("queues", {}), tree.get("presets", {})),
        routing=MappingProxyType(tree.get("routing", {})),
        inline=_inline(tree.get("inline", {}), groups),
        schedules=_schedules(tree.get("schedule", {})),
        webhooks=_webhooks(tree.get("webhooks", {}), base_dir),
        **_failures(tree.get("failures", {})),
        **fields(plain, MAIN),
    )


def fields(given: Tree, table: Table) -> dict[str, Any]:
    """Return `given` with keys turned into names of settings: `sleep` is `sleep_s` there."""
    return {name + table.keys[name].suffix: value for name, value in given.items()}


def _absolute(base_dir: str, path: str) -> str:
    return os.path.normpath(os.path.join(base_dir, path))


def _groups(given: list[Tree] | None) -> tuple[Group, ...]:
    return DEFAULT_GROUPS if given is None else tuple(map(_group, given))


def _inline(given: Tree, groups: tuple[Group, ...]) -> Inline:
    """Web processes look after the queues that consumers serve, unless the file names others."""
    served = tuple(dict.fromkeys(queue for group in groups for queue in group.queues))
    defaults = {"queues": served} if served else {}
    return Inline(**{**defaults, **fields(given, INLINE)})


def _group(given: Tree) -> Group:
    autoscale = Autoscale(**fields(given.get("autoscale", {}), AUTOSCALE))
    known = fields(given, GROUP) | {"autoscale": autoscale}
    return Group(known.pop("name"), known.pop("queues")).changed(**known)


def _queues(given: Tree, presets: Tree) -> MappingProxyType[str, Queue]:
    return MappingProxyType({name: _queue(name, queue, presets) for name, queue in given.items()})


def _queue(name: str, given: Tree, presets: Tree) -> Queue:
    whole = merge(presets[given["preset"]], given) if "preset" in given else dict(given)
    whole.pop("preset", None)
    retry = fields(whole.pop("retry", {}), RETRY)
    return Queue(name, **fields(whole, QUEUE), retry=MappingProxyType(retry))


def _failures(given: Tree) -> dict[str, Any]:
    return {"failures_keep_s": given["keep"]} if given else {}


def _schedules(given: Tree) -> tuple[Schedule, ...]:
    if not given:
        return ()
    from cronq.schedules.schedule import Schedule

    return tuple(Schedule(name, **schedule) for name, schedule in given.items())


def _webhooks(given: Tree, base_dir: str) -> tuple[Webhook, ...]:
    if not given:
        return ()
    from cronq.webhook.subscription import Webhook

    found = []
    for name, webhook in given.items():
        known = fields(webhook, WEBHOOK)
        if "secret_file" in known:
            known["secret_file"] = _absolute(base_dir, known["secret_file"])
        found.append(Webhook(name, **known))
    return tuple(found)
