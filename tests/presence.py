"""What may be missing in general, and must be there in a test."""

from __future__ import annotations

from typing import TypeVar

T = TypeVar("T")


def there(value: T | None) -> T:
    """Return what is there; fail when it is missing."""
    assert value is not None
    return value
