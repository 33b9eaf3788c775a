"""Many processes at one file, forked ones among them."""

from __future__ import annotations

import json
from collections import Counter

from cronq.transports.sqlite import SqliteTransport
from tests.processes import says
from tests.transports.sqlite.databases import once

OPEN = """
from cronq.transports.sqlite import SqliteTransport
from cronq.messages.message import Message
from cronq.messages.ids import new_id
say("ready")
sys.stdin.readline()
transport = SqliteTransport(sys.argv[1], busy_timeout_s=300)
transport.enqueue([Message(new_id(), "high", "t", b"{}")])
say("enqueued")
"""


def test_many_processes_open_a_fresh_file_at_once(path, python):
    processes = [python(OPEN, path) for _ in range(8)]
    assert {says(process) for process in processes} == {"ready"}
    for process in processes:
        process.stdin.write("\n")
        process.stdin.flush()
    assert [says(process) for process in processes] == ["enqueued"] * 8
    transport = SqliteTransport(path)
    assert transport.depth(["high"], 100) == 8
    transport.close()


ENQUEUE = """
from cronq.transports.sqlite import SqliteTransport
from cronq.messages.message import Message
from cronq.messages.ids import new_id
transport = SqliteTransport(sys.argv[1], "normal", busy_timeout_s=300)
for number in range(500):
    transport.enqueue([Message(new_id(), "high", sys.argv[2], str(number).encode())])
transport.close()
say("done")
"""


CONSUME = """
import json
from cronq.transports.sqlite import SqliteTransport
from cronq.messages.message import Ack
from cronq.transports.exchange import Want
transport = SqliteTransport(sys.argv[1], "normal", busy_timeout_s=300)
ended, seen, position, stop_at = [], [], 1, time.monotonic() + 600
while time.monotonic() < stop_at:
    got = transport.exchange(f"h/high.0/{os.getpid()}/1/b", ended, Want(["high"], 1e12, 7, position))
    assert got.lost == []
    position += len(got.messages)
    seen += [f"{one.task} {one.body.decode()}" for one in got.messages]
    ended = [Ack(one) for one in got.messages]
    if not got.messages:
        if os.path.exists(sys.argv[2]):
            break
        time.sleep(0.002)
transport.close()
say(json.dumps(seen))
"""


def test_nothing_is_lost_and_nothing_doubled_among_many_processes(path, tmp_path, python):
    over = tmp_path / "over"
    once(path)
    consumers = [python(CONSUME, path, str(over)) for _ in range(2)]
    producers = [python(ENQUEUE, path, f"p{number}") for number in range(4)]
    assert [says(process) for process in producers] == ["done"] * 4
    over.touch()
    seen = Counter(one for process in consumers for one in json.loads(says(process)))
    assert seen == Counter(f"p{producer} {number}" for producer in range(4) for number in range(500))
    transport = SqliteTransport(path)
    assert transport.counts() == []
    transport.close()


def test_a_forked_child_opens_a_connection_of_its_own(path, python):
    code = """
    from cronq.transports.sqlite import SqliteTransport
    from cronq.messages.message import Message
    from cronq.messages.ids import new_id
    transport = SqliteTransport(sys.argv[1])
    transport.enqueue([Message(new_id(), "high", "t", b"{}")])
    ours = id(transport._connections.get())
    keep = transport._connections.get()
    child = os.fork()
    if child == 0:
        transport.enqueue([Message(new_id(), "high", "t", b"{}")])
        os._exit(0 if transport._connections.get() is not keep else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    transport.enqueue([Message(new_id(), "high", "t", b"{}")])
    say(str(transport.depth(["high"], 10)))
    """
    assert says(python(code, path)) == "3"


ORPHAN = """
import signal, subprocess
from cronq.transports.sqlite import SqliteTransport
from cronq.messages.message import Message
from cronq.messages.ids import new_id
transport = SqliteTransport(sys.argv[1])
transport.enqueue([Message(new_id(), "parent", "t", b"{}")])
reader, writer = os.pipe()
if os.fork() == 0:
    os.close(writer)
    transport.enqueue([Message(new_id(), "before", "t", b"{}")])
    say("ready")
    os.read(reader, 1)
    code = f"from cronq.transports.sqlite import SqliteTransport as T; t = T({sys.argv[1]!r}); t.counts(); t.close()"
    subprocess.run([sys.executable, "-c", code], check=True)
    transport.enqueue([Message(new_id(), "after", "t", b"{}")])
    say("enqueued")
    os._exit(0)
sys.stdin.readline()
"""


def test_a_forked_child_loses_nothing_when_its_parent_ends_before_it(path, python):
    process = python(ORPHAN, path)
    assert says(process) == "ready"
    process.stdin.close()
    process.stdin = None
    assert says(process) == "enqueued"
    transport = SqliteTransport(path)
    assert [counts.queue for counts in transport.counts()] == ["after", "before", "parent"]
    transport.close()
