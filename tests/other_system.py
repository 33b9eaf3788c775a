"""Runs code as on a laptop without Linux: cronq's own modules see neither what only Unix has nor what only Linux has.

`python -m tests.other_system windows CODE`. The standard library and what others wrote work there as they are, so they
go on seeing everything: an import of cronq's is told from one of theirs by the module that makes it.
"""

from __future__ import annotations

import builtins
import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

OURS = ("cronq", "wsgi_hooks", "__main__")

LINUX_ONLY: dict[str, str] = {
    "os": "fdatasync pipe2 waitid P_ALL WEXITED WNOWAIT sched_getaffinity pidfd_open sched_setaffinity",
    "select": "epoll EPOLLIN EPOLLEXCLUSIVE EPOLLOUT EPOLLET",
    "signal": "sigtimedwait pidfd_send_signal",
}
UNIX_ONLY: dict[str, str] = {
    "os": "fork forkpty register_at_fork mkfifo mknod geteuid getuid getgid getegid setuid setgid uname sysconf "
    "O_CLOEXEC O_NOFOLLOW O_NONBLOCK O_DIRECTORY chown lchown fchmod fchown getpgid getpgrp killpg setsid nice "
    "statvfs fstatvfs wait wait3 wait4 WNOHANG posix_spawn getloadavg pread pwrite sendfile sync getgroups "
    "openpty getsid setpgid",
    "select": "poll POLLIN",
    "signal": "SIGALRM SIGKILL SIGHUP SIGCHLD SIGUSR1 SIGUSR2 SIGQUIT SIGPIPE SIG_BLOCK SIG_UNBLOCK SIG_SETMASK "
    "ITIMER_REAL alarm setitimer getitimer pthread_sigmask pthread_kill siginterrupt sigwait pause",
}
NO_MODULES = frozenset({"fcntl", "resource", "pwd", "grp", "termios", "pty", "tty", "syslog"})

SYSTEMS: dict[str, tuple[Sequence[Mapping[str, str]], frozenset[str]]] = {
    "macos": ((LINUX_ONLY,), frozenset()),
    "windows": ((LINUX_ONLY, UNIX_ONLY), NO_MODULES),
}
PLATFORMS = {"macos": "darwin", "windows": "win32"}


def pretend(system: str) -> None:
    """Have all modules of ours that are imported from now on see no more than `system` has."""
    missing, blocked = SYSTEMS[system]
    less = {name: _without(name, [names for one in missing for names in one[name].split()]) for name in LINUX_ONLY}
    less["sys"] = _without("sys", [])
    less["sys"].platform = PLATFORMS[system]  # type: ignore[attr-defined]
    real = builtins.__import__

    def imported(name: str, globals: Any = None, locals: Any = None, fromlist: Any = (), level: int = 0) -> Any:
        top = name.partition(".")[0]
        if level == 0 and (globals or {}).get("__name__", "").partition(".")[0] in OURS:
            if top in blocked:
                raise ModuleNotFoundError(f"No module named {name!r}", name=name)
            if top in less and (name == top or not fromlist):
                return less[top]
        return real(name, globals, locals, fromlist, level)

    builtins.__import__ = imported


def _without(name: str, missing: Sequence[str]) -> ModuleType:
    """Return a module that has what the real one has, and goes on having it, save what is missing."""
    real, less = importlib.import_module(name), ModuleType(name)

    def found(attribute: str) -> Any:
        if attribute in missing:
            raise AttributeError(f"module {name!r} has no attribute {attribute!r}")
        return getattr(real, attribute)

    less.__getattr__ = found  # type: ignore[method-assign]
    return less


if __name__ == "__main__":
    pretend(sys.argv[1])
    exec(compile(sys.argv[2], "<pretended>", "exec"), {"__name__": "__main__"})  # noqa: S102 - the test's own code
