"""Who but this account can write a file: what decides which code runs is taken from nobody else."""

from __future__ import annotations

import os
import stat

from cronq.host.process import HAS_OWNERS, own_name, user_name


def distrust(found: os.stat_result) -> str | None:
    """Return why a file is not to be trusted and what mends that, `{path}` for its path; None when it may be.

    It may when it belongs to this account or to root, and no other account can write it. Where files have no owners
    (Windows) nothing can be said.
    """
    if not HAS_OWNERS:
        return None
    if found.st_uid not in {0, os.geteuid()}:
        return (
            f"belongs to {user_name(found.st_uid)}, who would say what runs as {own_name()}: run cronq as "
            f"its owner, or make it yours (chown)"
        )
    if stat.S_ISLNK(found.st_mode):
        return None  # its mode says nothing: only its owner can write it
    if found.st_mode & stat.S_IWOTH:
        return "everybody may write it, and so say what runs as you: chmod o-w {path}"
    if found.st_mode & stat.S_IWGRP and not _is_private(found.st_gid, found.st_uid):
        return f"{_group_name(found.st_gid)} may write it, and so say what runs as you: chmod g-w {{path}}"
    return None


def _is_private(gid: int, uid: int) -> bool:
    """Tell whether a group is the user's own, as distributions make one with each user: of its name, nobody else in it.

    With such a group the usual umask is 002 (pam_umask(8), `usergroups`), and files have mode 0664.
    """
    import grp

    try:
        group = grp.getgrgid(gid)
    except KeyError:
        return False
    return group.gr_name == user_name(uid) and set(group.gr_mem) <= {group.gr_name}


def _group_name(gid: int) -> str:
    import grp

    try:
        return f"group {grp.getgrgid(gid).gr_name}"
    except KeyError:
        return f"group {gid}"
