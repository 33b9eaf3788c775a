"""What a user is called in messages."""

from __future__ import annotations


def user_name(uid: int) -> str:
    """Return the name of a user, or `uid 1000` for one who has none here."""
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"
