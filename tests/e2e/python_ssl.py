#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""python_ssl.py CERTIFICATE KEY: Python's ssl sockets with kernel TLS on, server and
client, both inside the library (and this process is both).

OpenSSL 3.0 sends both versions through kernel TLS and receives TLS 1.2; from 3.2 on it
receives TLS 1.3 as well. The counters must say just that.
"""

import asyncio
import contextlib
import functools
import os
import select
import selectors
import socket
import ssl
import sys
import threading

sys.dont_write_bytecode = True
# pylint: disable=wrong-import-position
import inside  # noqa: E402
import stats  # noqa: E402

OP_ENABLE_KTLS = 1 << 3  # SSL_OP_ENABLE_KTLS of <openssl/ssl.h>
V12, V13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
RECEIVES = {V12: 1, V13: int(ssl.OPENSSL_VERSION_INFO >= (3, 2))}
SUITES = {
    "AES-128-GCM": "ECDHE-ECDSA-AES128-GCM-SHA256",
    "AES-256-GCM": "ECDHE-ECDSA-AES256-GCM-SHA384",
    "AES-128-CCM": "ECDHE-ECDSA-AES128-CCM",
    "CHACHA20-POLY1305": "ECDHE-ECDSA-CHACHA20-POLY1305",
}
SIZES = (1, 16384, 16385, 1 << 20)


def context(side, version=V13, suite=None, ktls=True):
    """Python cannot choose the suite of TLS 1.3; it is the first, AES-256-GCM."""
    result = ssl.SSLContext(side)
    result.minimum_version = result.maximum_version = version
    if ktls:
        result.options |= OP_ENABLE_KTLS
    if suite:
        result.set_ciphers(SUITES[suite])
    if side == ssl.PROTOCOL_TLS_SERVER:
        result.load_cert_chain(*sys.argv[1:3])
    else:
        result.load_verify_locations(sys.argv[1])
    return result


def in_thread(function, *args):
    """A started thread; join() raises what it raised."""
    errors = []

    def run():
        try:
            function(*args)
        except BaseException as error:  # join() raises it
            errors.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()

    def join():
        thread.join(inside.PATIENCE)
        assert not thread.is_alive(), f"{function.__name__} does not end"
        if errors:
            raise errors[0]

    return join


@contextlib.contextmanager
def ssl_pair(version=V13, suite=None):
    """Client and server after the handshake; all directions must be the library's."""
    before = stats.own()
    one, two = inside.tcp_pair()
    made = []

    def serve():
        side = context(ssl.PROTOCOL_TLS_SERVER, version, suite)
        made.append(side.wrap_socket(two, server_side=True))

    join = in_thread(serve)
    side = context(ssl.PROTOCOL_TLS_CLIENT, version, suite)
    client = side.wrap_socket(one, server_hostname="localhost")
    join()
    server = made[0]
    name = suite or "AES-256-GCM"
    with client, server:
        client.send(b"hello")  # also takes in the session tickets
        assert server.recv(100) == b"hello"
        server.send(b"hello")
        assert client.recv(100) == b"hello"
        after = stats.own()
        wanted_both = {f"tx.{name}": 2, f"rx.{name}": 2 * RECEIVES[version]}
        for counter, wanted in wanted_both.items():
            got = after[counter] - before[counter]
            assert got == wanted, f"{counter}: {got}, not {wanted}"
        yield client, server


@contextlib.contextmanager
def counted(version, size):
    """At least `size` bytes are sent and received in the library meanwhile."""
    before = stats.own()
    yield
    after = stats.own()
    for name, wanted in (
        ("shim.tx_bytes", size),
        ("shim.rx_bytes", size * RECEIVES[version]),
    ):
        got = after[name] - before[name]
        assert got >= wanted, f"{name}: {got}, less than {wanted}"


def blocking(version, suite):
    with ssl_pair(version, suite) as (client, server):
        for size in SIZES:
            data = os.urandom(size)
            for source, sink in ((client, server), (server, client)):
                with counted(version, size):
                    join = in_thread(source.sendall, data)
                    assert inside.receive(sink, size) == data
                    join()
        # unwrap() calls SSL_set_read_ahead(0), after which OpenSSL 3.2 and later cannot
        # receive through kernel TLS any more (its pull request 32336).
        if ssl.OPENSSL_VERSION_INFO < (3, 2):
            server_ends = in_thread(server.unwrap)
            client.unwrap().close()
            server_ends()


class Pump:
    """One nonblocking side of a transfer in both directions."""

    def __init__(self, sock, data):
        sock.setblocking(False)
        self.sock, self.sent, self.got = sock, 0, bytearray()
        # With kernel TLS, OpenSSL comes back after SSL_ERROR_WANT_WRITE with the address
        # that it was given first, in spite of SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER (its issue
        # 21202). So the data must stay where they are: no slices that are copies.
        self.data = memoryview(data)

    def done(self):
        return self.sent == len(self.data) == len(self.got)

    def step(self):
        """Sends and receives until there is no way on; the events to wait for."""
        wanted = 0
        try:
            while self.sent < len(self.data):
                self.sent += self.sock.send(self.data[self.sent : self.sent + 50000])
        except ssl.SSLWantWriteError:
            wanted |= selectors.EVENT_WRITE
        except ssl.SSLWantReadError:
            wanted |= selectors.EVENT_READ
        try:
            while len(self.got) < len(self.data):
                self.got += self.sock.recv(30000)
        except ssl.SSLWantReadError:
            wanted |= selectors.EVENT_READ
        return wanted


def both_ways_selector(version, selector_class):
    size = 4 << 20
    with ssl_pair(version) as (client, server), counted(version, 2 * size):
        with selector_class() as selector:
            data = os.urandom(size)
            pumps = Pump(client, data), Pump(server, data)
            for pump in pumps:
                events = selectors.EVENT_READ | selectors.EVENT_WRITE
                selector.register(pump.sock, events, pump)
            while not all(pump.done() for pump in pumps):
                ready = selector.select(inside.PATIENCE)
                assert ready, "nothing happens any more"
                for key, _ in ready:
                    wanted = key.data.step()
                    if wanted:
                        selector.modify(key.fileobj, wanted, key.data)
                    elif key.data.done():
                        selector.unregister(key.fileobj)
            assert all(bytes(pump.got) == data for pump in pumps)


def idle_is_not_readable(version):
    """Nothing sent, nothing readable: no busy loop for those who poll."""
    with ssl_pair(version) as (client, server):
        assert not select.select([client, server], [], [], 0.05)[0]
        client.send(b"x")
        assert select.select([server], [], [], inside.PATIENCE)[0]
        assert server.recv(1) == b"x"
        assert not select.select([server], [], [], 0.05)[0]
        server.setblocking(False)
        with contextlib.suppress(ssl.SSLWantReadError):
            raise AssertionError(server.recv(1))
        server.settimeout(0.05)
        with contextlib.suppress(TimeoutError):
            raise AssertionError(server.recv(1))


def makefile(version):
    with ssl_pair(version) as (client, server):
        with client.makefile("wb") as out, server.makefile("rb") as lines:
            for i in range(5000):
                out.write(b"line %d\n" % i)
            out.flush()
            for i in range(5000):
                assert lines.readline() == b"line %d\n" % i


def sendfile(version):
    """Python's own loop for ssl sockets, and sendfile(2) on the descriptor: what is
    written there goes through kernel TLS just as what OpenSSL writes."""
    size = 3 << 20
    data = os.urandom(size)
    with ssl_pair(version) as (client, server):
        fd = os.memfd_create("file")
        with open(fd, "w+b") as file:
            file.write(data)
            file.flush()
            file.seek(0)
            join = in_thread(server.sendfile, file)
            assert inside.receive(client, size) == data
            join()
            before = stats.own()["shim.sendfile_bytes"]
            join = in_thread(os.sendfile, server.fileno(), fd, 0, size)
            assert inside.receive(client, size) == data
            join()
            assert stats.own()["shim.sendfile_bytes"] - before == size


def fork(version):
    """Parent and child use the connection in turns, each with its copy of OpenSSL's state:
    what must be common, sequence numbers, is not in OpenSSL but in the library."""
    rounds = 30

    def turns(sock, token, mine, theirs):
        for i in range(rounds):
            assert os.read(token[0], 1) == mine
            sock.send(mine + bytes([i]))
            if RECEIVES[version]:
                assert sock.recv(1) == b"k"
            os.write(token[1], theirs)

    with ssl_pair(version) as (client, server):
        to_child, to_parent = os.pipe(), os.pipe()

        def answer():
            for i in range(rounds):
                for who in b"p", b"c":
                    assert inside.receive(server, 2) == who + bytes([i])
                    if RECEIVES[version]:
                        server.send(b"k")

        join = in_thread(answer)
        child = inside.in_child(
            turns, client, (to_child[0], to_parent[1]), b"c", b"p"
        )
        os.write(to_parent[1], b"p")
        turns(client, (to_parent[0], to_child[1]), b"p", b"c")
        join()
        inside.await_child(child)
        for end in (*to_child, *to_parent):
            os.close(end)


def threads(version):
    """Connections in many threads at the same time."""
    data = os.urandom(200000)

    def transfer(client, server):
        for _ in range(10):
            join = in_thread(client.sendall, data)
            assert inside.receive(server, len(data)) == data
            join()

    with contextlib.ExitStack() as stack:
        pairs = [stack.enter_context(ssl_pair(version)) for _ in range(8)]
        for join in [in_thread(transfer, *pair) for pair in pairs]:
            join()


def asyncio_peer(version):
    """asyncio has OpenSSL work in memory, so it is an outsider: against it, each side."""
    size = 4 << 20
    data = os.urandom(size)

    async def echo(reader, writer):
        got = await reader.readexactly(size)
        writer.write(got)
        await writer.drain()
        writer.close()

    def ask(port):
        side = context(ssl.PROTOCOL_TLS_CLIENT, version)
        with socket.create_connection(("127.0.0.1", port), inside.PATIENCE) as raw:
            with side.wrap_socket(raw, server_hostname="localhost") as sock:
                sock.sendall(data)
                assert inside.receive(sock, size) == data

    async def main():
        before = stats.own()["tx.AES-256-GCM"]
        side = context(ssl.PROTOCOL_TLS_SERVER, version)
        server = await asyncio.start_server(echo, "127.0.0.1", 0, ssl=side)
        async with server:
            port = server.sockets[0].getsockname()[1]
            await asyncio.to_thread(ask, port)
        assert stats.own()["tx.AES-256-GCM"] - before == 1

    with counted(version, size):
        asyncio.run(main())


def without_ktls(version):
    """Who does not ask for kernel TLS does not get it."""
    before = stats.own()
    one, two = inside.tcp_pair()
    server_side = context(ssl.PROTOCOL_TLS_SERVER, version, ktls=False)
    client_side = context(ssl.PROTOCOL_TLS_CLIENT, version, ktls=False)

    def serve():
        with server_side.wrap_socket(two, server_side=True) as server:
            server.sendall(inside.receive(server, 100000))

    join = in_thread(serve)
    with client_side.wrap_socket(one, server_hostname="localhost") as client:
        client.sendall(bytes(100000))
        assert inside.receive(client, 100000) == bytes(100000)
        join()
    assert stats.own() == before


def tests():
    for version in (V12, V13):
        suites = SUITES if version == V12 else (None,)
        for suite in suites:
            yield (
                f"blocking, {version.name}, {suite or 'AES-256-GCM'}",
                functools.partial(blocking, version, suite),
            )
        for selector in (
            selectors.SelectSelector,
            selectors.PollSelector,
            selectors.EpollSelector,
        ):
            yield (
                f"both ways, {version.name}, {selector.__name__}",
                functools.partial(both_ways_selector, version, selector),
            )
        for test in (
            idle_is_not_readable,
            makefile,
            sendfile,
            fork,
            threads,
            asyncio_peer,
            without_ktls,
        ):
            yield f"{test.__name__}, {version.name}", functools.partial(test, version)


def main():
    inside.enter()
    sys.exit(inside.run(tests()))


main()
