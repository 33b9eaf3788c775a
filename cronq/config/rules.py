"""What must fit between keys: group names, autoscale bounds, presets and queues that exist."""

from __future__ import annotations

from cronq.config.complaint_words import meant, show
from cronq.config.keys import CRON, TASK, URL
from cronq.config.layers import spot_of
from cronq.config.nodes import BROKEN
from cronq.config.settings import DEFAULT_QUEUES, Autoscale, Inline

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, TypeVar

    from cronq.config.layers import Layer, Tree
    from cronq.config.nodes import Spot

    Shaped = TypeVar("Shaped")

QUEUE_WANTS = "must be a queue that a group serves or that has a [queues.NAME] table"


def complaints(tree: Tree, layers: list[Layer]) -> Iterator[str]:
    """Yield what does not fit together; values that were refused on their own are passed over."""
    yield from _about_groups(tree, layers)
    yield from _about_presets(tree, layers)
    yield from _about_schedules(tree, layers)
    yield from _about_webhooks(tree, layers)
    yield from _about_queues(tree, layers)


def _about_groups(tree: Tree, layers: list[Layer]) -> Iterator[str]:
    first: dict[Any, int] = {}
    for index, group in enumerate(_whole(tree.get("consumers"), list)):
        fields = _whole(group, dict)
        name = fields.get("name", BROKEN)
        spot = spot_of(layers, "consumers").item(index, name)
        if name is not BROKEN and first.setdefault(name, index) != index:
            yield f"{spot.key('name')} = {show(name)}: must be another name, consumers[{first[name]}] has this one"
        yield from _about_autoscale(_whole(fields.get("autoscale"), dict), spot.key("autoscale"))


def _about_autoscale(given: Tree, spot: Spot) -> Iterator[str]:
    bounds = {**Autoscale._field_defaults, **given}
    least, most = bounds["min"], bounds["max"]
    if BROKEN not in (least, most) and least > most:
        default = "" if "max" in given else " by default"
        yield f"{spot.key('min')} = {least}: must be at most autoscale.max, which is {most}{default}"


def _about_presets(tree: Tree, layers: list[Layer]) -> Iterator[str]:
    presets = tree.get("presets", {})
    if presets is BROKEN:
        return
    for name, queue in _whole(tree.get("queues"), dict).items():
        preset = _whole(queue, dict).get("preset", BROKEN)
        if preset is not BROKEN and preset not in presets:
            spot = spot_of(layers, "queues", name, "preset")
            yield f"{spot} = {show(preset)}: must be the name of a [presets.NAME] table; {meant(preset, presets)}"


def _about_schedules(tree: Tree, layers: list[Layer]) -> Iterator[str]:
    """What a schedule needs may stand in the file and the rest in [env.*], so it is looked for in the whole."""
    for name, given in _whole(tree.get("schedule"), dict).items():
        for key, kind in (("task", TASK), ("cron", CRON)):
            if given is not BROKEN and key not in given:
                yield f"{spot_of(layers, 'schedule', name).key(key)} is missing: {kind.must_be()}"


def _about_webhooks(tree: Tree, layers: list[Layer]) -> Iterator[str]:
    known = _known_queues(tree)
    for name, given in _whole(tree.get("webhooks"), dict).items():
        if given is not BROKEN and "url" not in given:
            yield f"{spot_of(layers, 'webhooks', name).key('url')} is missing: {URL.must_be()}"
        if known is not None:
            yield from _about_queues_of_webhook(_whole(given, dict), ("webhooks", name), layers, known)


def _about_queues_of_webhook(given: Tree, path: tuple[str, str], layers: list[Layer], known: set[str]) -> Iterator[str]:
    for key in ("queues", "queue"):
        named = given.get(key, BROKEN)
        for queue in (named,) if isinstance(named, str) else _whole(named, tuple):
            if queue not in known:
                yield f"{spot_of(layers, *path, key)} = {show(queue)}: {QUEUE_WANTS}; {meant(queue, known)}"


def _about_queues(tree: Tree, layers: list[Layer]) -> Iterator[str]:
    known = _known_queues(tree)
    if known is None:
        return
    inline = _whole(tree.get("inline"), dict)
    for queue in _whole(inline.get("queues"), tuple):
        if queue not in known:
            yield f"{spot_of(layers, 'inline', 'queues')} = {show(queue)}: {QUEUE_WANTS}; {meant(queue, known)}"
    yield from _about_routes(tree, layers, known | _served_inline(tree))
    for name, schedule in _whole(tree.get("schedule"), dict).items():
        queue = _whole(schedule, dict).get("queue", BROKEN)
        if queue is not BROKEN and queue not in known | _served_inline(tree):
            yield f"{spot_of(layers, 'schedule', name, 'queue')} = {show(queue)}: {QUEUE_WANTS}; {meant(queue, known)}"


def _about_routes(tree: Tree, layers: list[Layer], known: set[str]) -> Iterator[str]:
    routes = [(name, _whole(queues, tuple)) for name, queues in _whole(tree.get("routing"), dict).items()]
    for name, queue in ((name, queue) for name, queues in routes for queue in queues):
        if queue not in known:
            yield f"{spot_of(layers, 'routing', name)} = {show(queue)}: {QUEUE_WANTS}; {meant(queue, known)}"


def _known_queues(tree: Tree) -> set[str] | None:
    """Return the queues that may be named, or None when what was refused leaves that open."""
    groups, queues = tree.get("consumers"), tree.get("queues", {})
    if groups is BROKEN or queues is BROKEN:
        return None
    if not groups:
        return {*DEFAULT_QUEUES, *queues, *(_inline_queues(tree) if groups is not None else ())}
    served = [_whole(group, dict).get("queues", BROKEN) for group in groups]
    return None if any(names is BROKEN for names in served) else set(queues).union(*served)


def _served_inline(tree: Tree) -> set[str]:
    """Return what inline work serves by default; a list of the user's own was checked already."""
    inline = _whole(tree.get("inline"), dict)
    return set() if "queues" in inline or inline.get("mode") == "off" else set(Inline().queues)


def _inline_queues(tree: Tree) -> tuple[str, ...]:
    return _whole(_whole(tree.get("inline"), dict).get("queues", Inline().queues), tuple)


def _whole(value: Any, shape: type[Shaped]) -> Shaped:
    """Return `value`, or an empty one of its shape when it is absent or was refused."""
    return value if isinstance(value, shape) else shape()
