"""What the guard counts: one file per kind of count, each with `count() -> dict` of names and numbers."""
