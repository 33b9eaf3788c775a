"""Telling other programs how messages end. `verify` is for those who receive it."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cronq.webhook.signature import verify

__all__ = ["verify"]


def __getattr__(name: str) -> object:
    """Import `verify` when it is first used: a configuration with a webhook needs no signatures."""
    if name not in __all__:
        raise AttributeError(f"module 'cronq.webhook' has no attribute {name!r}")
    from cronq.webhook.signature import verify

    return verify
