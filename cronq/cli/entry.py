"""Where `cronq` starts.

What cron runs every minute, `cronq tick [--config FILE]`, and what it starts, `cronq consume TARGET...`, take a short
road that imports no click (25 ms of the 26 that a tick may take). Everything else goes to click, and so do these
two when they are given any other option; both roads end in the same functions.
"""

from __future__ import annotations

import gc
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn


def main() -> NoReturn:
    """Run the command line of this process and exit."""
    words = sys.argv[1:]
    code = run(words)
    if _short_road(words)[0] == ["tick"]:
        sys.stderr.flush()
        os._exit(code)  # a tick has nothing to tear down, and tearing down the interpreter costs 4 ms a minute
    sys.exit(code)


def run(words: list[str]) -> int:
    """Run one command and return its exit code: 0 fine, 1 found a problem it names, 2 wrong use or configuration."""
    from cronq.errors import CronqError

    try:
        return _run(words)
    except CronqError as error:
        from cronq.cli.error_text import complaint

        sys.stderr.write(f"cronq: {complaint(error)}\n")
        return error.exit_code
    except OSError as error:  # of a file of ours: those of tasks are outcomes, those of a project's imports are told
        if error.filename is None:
            raise
        from cronq.escape import escaped

        sys.stderr.write(f"cronq: {escaped(f'{error.filename}: {error.strerror}')}\n")
        return 1


def _run(words: list[str]) -> int:
    command, config = _short_road(words)
    if command == ["tick"]:
        gc.disable()  # no collection is worth its time in a process that lives for 20 ms
        from cronq.cli.tick_road import tick_once

        return tick_once(config)
    if len(command) > 1 and command[0] == "consume" and not any(word.startswith("-") for word in command):
        from cronq.cli.consume_road import consume_targets

        return consume_targets(config, command[1:])
    from cronq.cli.commands import run

    return run(words)


def _short_road(words: list[str]) -> tuple[list[str], str | None]:
    """Split `--config FILE` off; no other option is known here."""
    for index, word in enumerate(words):
        if word == "--config" and index + 1 < len(words):
            return words[:index] + words[index + 2 :], words[index + 1]
        if word.startswith("--config="):
            return words[:index] + words[index + 1 :], word.removeprefix("--config=")
    return words, None
