"""Several consumers out of one import of the project: `spawn = "fork"`.

Importing a project may cost a second of CPU and 50 MB. The process that imports it forks the other consumers before it
takes a slot or opens a queue itself, so that what they have in common is made once and shared by the kernel, copy on
write. What a fork cannot carry (threads, sockets, databases that the project opened while it was imported) is looked
for; then each of the others imports the project itself.
"""

from __future__ import annotations

import gc
import os
import stat
from typing import TYPE_CHECKING

from cronq import events
from cronq.events import emit
from cronq.host.log import EventLog
from cronq.host.process import PRESSURE
from cronq.runtime.consumer_process import consume, enter, import_app, take_up
from cronq.supervisor.spawn import LAST_STOP, TwiceDetached, consume_command

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cronq.config.settings import Settings
    from cronq.runtime.assignment import Assignment
    from cronq.runtime.consumer_process import Makes, Site


def launch(
    settings: Settings, assigned: Sequence[Assignment], stop_when_empty: bool = False, makes: Makes = None
) -> int:
    """Consume as assigned: the first in this process, the others in processes forked from it. Return the exit code."""
    first, *others = assigned
    if not others:
        return consume(settings, first, stop_when_empty, makes)
    site = enter(settings, _name_of(first), makes)
    before = _descriptors()
    app = import_app(site, None)
    if app is None:
        for group in {one.group.name: one.group for one in assigned}.values():
            site.count_death(group)
        return 1
    app.transport.close()
    gc.collect()
    gc.freeze()  # a collection in one consumer must not touch, and so copy, what all of them share
    reason = _unfit_to_fork(_descriptors() - before)
    if reason is None:
        mine = _fork_each(site, first, others)
    else:
        emit("not_forked", reason=reason)
        _start_each(site, others)
        mine = first
    return take_up(site, mine, lambda slot: app, stop_when_empty)


def _fork_each(site: Site, first: Assignment, others: Sequence[Assignment]) -> Assignment:
    """Fork a process for each of the others; return, in each process, what is assigned to it."""
    for one in others:
        try:
            if _is_forked():
                events.listeners[:] = [heard for heard in events.listeners if not isinstance(heard, EventLog)]
                events.listeners.append(EventLog(site.state.log, _name_of(one)))
                return one
        except OSError as error:
            if error.errno not in PRESSURE:
                raise
            emit("pressure", what="another process")
            break
    return first


def _is_forked() -> bool:
    """Fork a process that init adopts, in a session of its own; tell which of the two this is."""
    child = os.fork()
    if child:
        _, status = os.waitpid(child, 0)
        if status:
            raise OSError(os.waitstatus_to_exitcode(status), "the second fork failed")
        return False
    os.setsid()
    try:
        if os.fork():
            os._exit(0)
    except OSError as error:
        os._exit(error.errno or 1)
    return True


def _start_each(site: Site, others: Sequence[Assignment]) -> None:
    start = TwiceDetached()
    for one in others:
        environ = {**os.environ, LAST_STOP: site.last_stop}
        command = consume_command(site.settings, site.state, [one.slot or one.group.name], environ)
        if not start(command):
            emit("pressure", what="another process")
            return


def _unfit_to_fork(opened: set[int]) -> str | None:
    """Say what the import left that two processes must not share; None when nothing is in the way."""
    if len(os.listdir("/proc/self/task")) > 1:
        return "importing the project started a thread"
    for descriptor in sorted(opened):
        path = f"/proc/self/fd/{descriptor}"
        mode, name = os.stat(path).st_mode, os.readlink(path)
        if not (stat.S_ISREG(mode) or stat.S_ISCHR(mode) or stat.S_ISDIR(mode)):
            return f"importing the project opened {name}"
        if stat.S_ISREG(mode) and _is_read_and_written(descriptor):
            return f"importing the project opened {name} to read and write"
    return None


def _is_read_and_written(descriptor: int) -> bool:
    """Tell a database from a log: both are written, but a log is not read."""
    with open(f"/proc/self/fdinfo/{descriptor}", encoding="ascii") as file:
        flags = next(int(line.split()[1], 8) for line in file if line.startswith("flags:"))
    return flags & os.O_ACCMODE == os.O_RDWR


def _descriptors() -> set[int]:
    listed = os.listdir("/proc/self/fd")  # with a descriptor of its own, closed by now
    return {int(one) for one in listed if os.path.lexists(f"/proc/self/fd/{one}")}


def _name_of(assigned: Assignment) -> str:
    return f"consumer {assigned.slot or assigned.group.name}"
