"""A small file of ours in a directory that others may be able to write: read only when it is ours, made anew each time.

The state directory needs none of this: nobody else can write there.
"""

from __future__ import annotations

import os
import stat

from cronq.host.process import HAS_OWNERS
from cronq.host.state_dir import open_private, open_to_read


def read_own(path: str) -> bytes | None:
    """Return the content of a file; None when there is none, or when others could have written it."""
    try:
        descriptor = open_to_read(path)
    except OSError:
        return None
    with open(descriptor, "rb") as file:
        found = os.fstat(descriptor)
        if HAS_OWNERS and (found.st_uid != os.geteuid() or found.st_mode & 0o022):
            return None
        return file.read() if stat.S_ISREG(found.st_mode) else None


def write_own(path: str, content: bytes) -> None:
    """Put a file in the place of whatever is there, whole and 0600; what a link there points to is not touched.

    The directory is made where it is missing. Raises OSError.
    """
    os.makedirs(os.path.dirname(path), 0o700, exist_ok=True)
    aside = f"{path}.{os.getpid()}"
    descriptor = open_private(aside, os.O_WRONLY | os.O_EXCL)
    try:
        with open(descriptor, "wb") as file:
            file.write(content)
        os.replace(aside, path)
    except OSError:
        os.unlink(aside)
        raise
