"""A process that opens a queue's file, and is killed at a statement of its own choice."""

from __future__ import annotations

DYING = """
import sqlite3
from cronq.transports.sqlite import SqliteTransport
from cronq.transports.sqlite import connection as module
from cronq.transports.sqlite.connection import Connection

class Dying(Connection):
    left = int(sys.argv[2])
    def execute(self, *args):
        Dying.left -= 1
        if Dying.left < 0:
            os.kill(os.getpid(), 9)
        return super().execute(*args)

connect = sqlite3.connect
module.sqlite3.connect = lambda *args, **kwargs: connect(*args, **{**kwargs, "factory": Dying})
SqliteTransport(sys.argv[1]).counts()
say(str(Dying.left))
"""
"""For the fixture `python`: the file, and how many statements it may execute. Says how many were left, if it lives."""
