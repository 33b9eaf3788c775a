"""A mail server that keeps what it is sent."""

from __future__ import annotations

import email
import socket
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from aiosmtpd.controller import Controller

if TYPE_CHECKING:
    from collections.abc import Iterator
    from email.message import Message


class Mail(NamedTuple):
    arrived_at: float
    message: Message


class Mails:
    """What has arrived so far, in order."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.kept: list[Mail] = []

    async def handle_DATA(self, server: object, session: object, envelope: Any) -> str:
        self.kept.append(Mail(time.time(), email.message_from_bytes(envelope.content)))
        return "250 OK"


@contextmanager
def mail_server() -> Iterator[Mails]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        mails = Mails(free.getsockname()[1])
    controller = Controller(mails, hostname="127.0.0.1", port=mails.port)
    controller.start()
    try:
        yield mails
    finally:
        controller.stop()
