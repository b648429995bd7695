# SPDX-License-Identifier: BSD-2-Clause
"""inside.py: for tests in Python that run inside the library themselves."""

import os
import socket
import subprocess
import sys
import tempfile
import traceback

PATIENCE = 30  # seconds for any one step, on a slow machine


def enter():
    """Starts the program again with the library in front, unless it is there already."""
    preload = os.environ["KTLS_PRELOAD"]
    if os.environ.get("LD_PRELOAD") == preload:
        return
    with tempfile.TemporaryDirectory() as directory:
        env = dict(os.environ, LD_PRELOAD=preload, KTLS_STATS=directory)
        status = subprocess.call([sys.executable, "-B", *sys.argv], env=env)
    sys.exit(status if status >= 0 else f"killed by signal {-status}")


def tcp_pair():
    """Two connected TCP sockets, the second one from accept()."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        one = socket.create_connection(listener.getsockname(), PATIENCE)
        two, _ = listener.accept()
    for sock in (one, two):
        sock.settimeout(None)
    return one, two


def in_child(function, *args):
    """Runs it in a forked process; the process, for await_child()."""
    sys.stdout.flush()
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        function(*args)
        status = 0
    except BaseException:  # the parent fails the test for us
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)  # pylint: disable=protected-access


def await_child(pid):
    """Its failure is ours."""
    assert os.waitpid(pid, 0)[1] == 0, "the child failed"


def receive(sock, size):
    """Exactly this many bytes."""
    data = bytearray(size)
    view, got = memoryview(data), 0
    while got < size:
        n = sock.recv_into(view[got:])
        assert n > 0, f"end of data after {got} of {size} bytes"
        got += n
    return bytes(data)


def run(tests):
    """Runs (name, function) pairs; the exit status."""
    failed = 0
    for name, test in tests:
        try:
            test()
            print("ok:", name, flush=True)
        except Exception:  # one failure is not to hide the others
            failed += 1
            print("FAIL:", name, file=sys.stderr, flush=True)
            traceback.print_exc()
    return 1 if failed else 0
