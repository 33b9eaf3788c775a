"""Secrets in files of their own: read where they are needed, never in the configuration, a queue, a log or argv."""

from __future__ import annotations

import os
import stat

from cronq.errors import UsageError
from cronq.host.process import HAS_OWNERS
from cronq.host.state_dir import NEW, private_file, read_text

_BITS = 256


def secrets_in(path: str, shortest: int) -> tuple[str, ...]:
    """Return the secrets in a file, one a line: the newest, and older ones that still count. Raises UsageError."""
    try:
        text = read_text(path)
        mode = stat.S_IMODE(os.stat(path).st_mode) if text is not None else 0
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from None
    if text is None:
        raise UsageError(f"{path}: is not there: write a secret into it, or leave the key out and one is made")
    if HAS_OWNERS and mode & 0o007:
        raise UsageError(f"{path}: mode {mode:04o} lets everyone read the secret: chmod 600 {path}")
    found = tuple(line.strip() for line in text.splitlines() if line.strip())
    if not found or min(map(len, found)) < shortest:
        raise UsageError(f"{path}: must hold a secret of {shortest} characters or more, one a line")
    return found


def make_secret(path: str) -> None:
    """Write a new random secret to `path` unless one is there. Of many who do so at once, all get the same one."""
    if os.path.exists(path):
        return
    import secrets

    new = f"{path}.{os.getpid()}{NEW}"
    with private_file(new, os.O_WRONLY | os.O_TRUNC) as file:
        file.write(secrets.token_hex(_BITS // 8).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(new, path)
    except FileExistsError:
        pass
    finally:
        os.unlink(new)
