"""Text of others, made harmless for terminals and logs: task names, errors, whatever a message or a file holds."""

from __future__ import annotations


def escaped(text: str) -> str:
    """Return text with its control characters, line ends among them, spelled out: they are seen and do nothing."""
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode() for character in text
    )


def escaped_lines(text: str) -> str:
    """Return text with all control characters spelled out but its line ends: those are ours, as in a list of errors."""
    return "\n".join(map(escaped, text.split("\n")))
