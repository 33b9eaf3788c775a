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


class Listening(Controller):
    """Serves on a socket that listens already: nobody else can take its port."""

    listener: socket.socket

    def _create_server(self) -> Any:
        return self.loop.create_server(self._factory_invoker, sock=self.listener)


@contextmanager
def mail_server() -> Iterator[Mails]:
    listener = socket.create_server(("127.0.0.1", 0))
    mails = Mails(listener.getsockname()[1])
    controller = Listening(mails, hostname="127.0.0.1", port=mails.port, ready_timeout=120)
    controller.listener = listener
    controller.start()
    try:
        yield mails
    finally:
        controller.stop()
