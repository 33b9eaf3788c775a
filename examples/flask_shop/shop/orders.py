"""Orders: rows in the shop's own SQLite file, and the files that belong to each."""

from __future__ import annotations

import os
import secrets
import sqlite3
import tempfile
import time
from contextlib import closing, contextmanager
from typing import IO, TYPE_CHECKING, NamedTuple

from shop.settings import settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

THUMBNAIL = (360, 240)
PRINT_SIZES = {"postcard": (1748, 1240), "mug": (2475, 1155)}  # pixels at 300 dpi

SCHEMA = """
CREATE TABLE IF NOT EXISTS orders (
    id TEXT PRIMARY KEY, name TEXT NOT NULL, email TEXT NOT NULL, product TEXT NOT NULL,
    created_at REAL NOT NULL, mailed_at REAL
)
"""


class Order(NamedTuple):
    id: str
    name: str
    email: str
    product: str
    created_at: float
    mailed_at: float | None = None

    @property
    def upload(self) -> Path:
        return settings.data_dir / "uploads" / self.id

    @property
    def print_picture(self) -> Path:
        return settings.data_dir / "pictures" / f"{self.id}-print.jpg"

    @property
    def thumbnail(self) -> Path:
        return settings.data_dir / "pictures" / f"{self.id}-thumbnail.jpg"

    @property
    def archive(self) -> Path:
        return settings.data_dir / "archives" / f"{self.id}.zip"

    @property
    def has_pictures(self) -> bool:
        return self.print_picture.exists() and self.thumbnail.exists()

    @property
    def progress(self) -> dict[str, bool]:
        """What is done is what is there; the queue need not be asked."""
        return {
            "confirmation": self.mailed_at is not None,
            "pictures": self.has_pictures,
            "archive": self.archive.exists(),
        }


def new_order(name: str, email: str, product: str) -> Order:
    """Return an order that is not saved yet. Its id is its address, so it cannot be guessed."""
    return Order(secrets.token_hex(8), name, email, product, time.time())


def save(order: Order) -> None:
    with _database() as database:
        database.execute("INSERT INTO orders VALUES (?, ?, ?, ?, ?, ?)", order)


def find(order_id: str) -> Order | None:
    with _database() as database:
        row = database.execute("SELECT * FROM orders WHERE id = ?", (order_id,)).fetchone()
    return Order(*row) if row else None


def mark_mailed(order: Order) -> None:
    with _database() as database:
        database.execute("UPDATE orders SET mailed_at = ? WHERE id = ?", (time.time(), order.id))


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """Write a file whole or not at all: nobody ever meets half of it, and a second run just replaces it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as file:
        try:
            yield file
        except BaseException:
            os.unlink(file.name)
            raise
    os.replace(file.name, path)


@contextmanager
def _database() -> Iterator[sqlite3.Connection]:
    """Open the shop's database for one short transaction."""
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(settings.data_dir / "shop.db", timeout=10)) as database, database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute(SCHEMA)
        yield database
