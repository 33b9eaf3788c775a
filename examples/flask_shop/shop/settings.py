"""The shop's own settings: shop.toml, over which the environment wins."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import NamedTuple

BASE_DIR = Path(__file__).resolve().parent.parent


class Settings(NamedTuple):
    data_dir: Path
    smtp_host: str
    smtp_port: int
    sender: str
    slow_down_s: float


def load() -> Settings:
    """Read shop.toml. Paths start at its directory: web servers and cron have working directories of their own."""
    file = tomllib.loads((BASE_DIR / "shop.toml").read_text())
    return Settings(
        data_dir=BASE_DIR / (os.environ.get("SHOP_DATA_DIR") or file["data_dir"]),
        smtp_host=os.environ.get("SMTP_HOST") or file["mail"]["host"],
        smtp_port=int(os.environ.get("SMTP_PORT") or file["mail"]["port"]),
        sender=file["mail"]["sender"],
        slow_down_s=file["work"]["slow_down_s"],
    )


settings = load()
