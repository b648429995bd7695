#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""linux_api.py: Linux's kernel TLS interface used by hand: TCP_ULP, SOL_TLS, TLS_TX and
TLS_RX with keys of our own, both ends inside the library.
"""

import contextlib
import errno
import functools
import hashlib
import os
import select
import socket
import struct
import sys
import tempfile
import threading

sys.dont_write_bytecode = True
# pylint: disable=wrong-import-position
import inside  # noqa: E402
import stats  # noqa: E402

# <linux/tls.h>, <linux/tcp.h>
TCP_ULP, SOL_TLS = 31, 282
TLS_TX, TLS_RX, TLS_SET_RECORD_TYPE, TLS_GET_RECORD_TYPE = 1, 2, 1, 2
ALERT, HANDSHAKE, DATA = 21, 22, 23
KEY_UPDATE = bytes([24, 0, 0, 1, 0])
V12, V13 = 0x0303, 0x0304
RECORD = 16384
# name: TLS_CIPHER_*, lengths of iv, key, salt
SUITES = {
    "AES-128-GCM": (51, 8, 16, 4),
    "AES-256-GCM": (52, 8, 32, 4),
    "AES-128-CCM": (53, 8, 16, 4),
    "CHACHA20-POLY1305": (54, 12, 32, 0),
    "SM4-GCM": (55, 8, 16, 4),
    "SM4-CCM": (56, 8, 16, 4),
    "ARIA-128-GCM": (57, 8, 16, 4),
    "ARIA-256-GCM": (58, 8, 32, 4),
}
SUITES_AND_VERSIONS = [
    (suite, version)
    for suite in SUITES
    for version in (V12, V13)
    if version == V12 or not suite.startswith("ARIA")
]


def crypto_info(suite, version, generation):
    """struct tls12_crypto_info_*; the keys depend on the generation only."""
    cipher, *lengths = SUITES[suite]
    parts = [
        hashlib.shake_128(f"{suite} {generation} {i}".encode()).digest(n)
        for i, n in enumerate(lengths)
    ]
    return struct.pack("=HH", version, cipher) + b"".join(parts) + bytes(8)


@contextlib.contextmanager
def tls_pair(suite="AES-128-GCM", version=V13):
    """Two sockets with keys for both directions."""
    one, two = inside.tcp_pair()
    with one, two:
        one_to_two = crypto_info(suite, version, 0)
        two_to_one = crypto_info(suite, version, 1)
        for sock in (one, two):
            sock.setsockopt(socket.IPPROTO_TCP, TCP_ULP, b"tls")
        one.setsockopt(SOL_TLS, TLS_TX, one_to_two)
        two.setsockopt(SOL_TLS, TLS_RX, one_to_two)
        two.setsockopt(SOL_TLS, TLS_TX, two_to_one)
        one.setsockopt(SOL_TLS, TLS_RX, two_to_one)
        yield one, two


@contextlib.contextmanager
def wire(suite="AES-128-GCM", version=V13):
    """A sender inside TLS and a receiver that sees what is on the wire."""
    one, two = inside.tcp_pair()
    with one, two:
        one.setsockopt(socket.IPPROTO_TCP, TCP_ULP, b"tls")
        one.setsockopt(SOL_TLS, TLS_TX, crypto_info(suite, version, 0))
        yield one, two


def wire_record(sock):
    """The type and the body of the next record on the wire."""
    kind, version, length = struct.unpack("!BHH", inside.receive(sock, 5))
    assert version == V12, version
    return kind, inside.receive(sock, length)


def send_record(sock, kind, data, flags=0):
    return sock.sendmsg(
        [data], [(SOL_TLS, TLS_SET_RECORD_TYPE, bytes([kind]))], flags
    )


def receive_record(sock, size=RECORD, flags=0):
    """The type and the content, as recvmsg(2) tells them."""
    data, messages, _, _ = sock.recvmsg(size, socket.CMSG_SPACE(1), flags)
    kind = None
    for level, name, value in messages:
        assert (level, name) == (SOL_TLS, TLS_GET_RECORD_TYPE)
        kind = value[0]
    return kind, data


@contextlib.contextmanager
def fails_with(code):
    try:
        yield
    except OSError as error:
        got = errno.errorcode[error.errno]
        assert error.errno == code, f"{got}, not {errno.errorcode[code]}"
    else:
        raise AssertionError(f"success, not {errno.errorcode[code]}")


@contextlib.contextmanager
def counted(**wanted):
    """What the library must count meanwhile."""
    before = stats.own()
    yield
    after = stats.own()
    for name, value in wanted.items():
        name = f"shim.{name}"
        got = after[name] - before[name]
        assert got == value, f"{name}: {got}, not {value}"


def readable(sock, timeout=0.0):
    return bool(select.select([sock], [], [], timeout)[0])


def send_in_thread(sock, data):
    thread = threading.Thread(target=sock.sendall, args=(data,))
    thread.start()
    return thread


def transfers(suite, version):
    """Data of each size in both directions, and the counters agree."""
    before = stats.own()
    total = 0
    with tls_pair(suite, version) as (one, two):
        for size in (1, 2, RECORD - 1, RECORD, RECORD + 1, 3 << 20):
            data = os.urandom(size)
            for source, sink in ((one, two), (two, one)):
                thread = send_in_thread(source, data)
                assert inside.receive(sink, size) == data, size
                thread.join()
                total += size
        assert one.send(b"") == 0 and not readable(two)
        one.shutdown(socket.SHUT_WR)
        assert two.recv(1) == b""
    after = stats.own()
    for name, wanted in {
        f"tx.{suite}": 2,
        f"rx.{suite}": 2,
        "shim.tx_bytes": total,
        "shim.rx_bytes": total,
    }.items():
        assert after[name] - before[name] == wanted, (name, after[name] - before[name])


def framing(suite, version):
    """Records on the wire: their number, type and length; no plaintext in them."""
    explicit = 8 if version == V12 and SUITES[suite][1] == 8 else 0
    overhead = explicit + 16 + (version == V13)
    text = b"a secret " * 4000
    with wire(suite, version) as (sender, sink):
        sender.sendall(text)
        for size in (RECORD, RECORD, len(text) - 2 * RECORD):
            kind, body = wire_record(sink)
            assert (kind, len(body)) == (DATA, size + overhead)
            assert b"secret" not in body
        assert send_record(sender, ALERT, b"\1\0") == 2
        kind, body = wire_record(sink)
        assert (kind, len(body)) == (ALERT if version == V12 else DATA, 2 + overhead)
        sender.close()
        assert sink.recv(1) == b""


def control_records():
    """A record that is not data comes alone, with its type, and only to recvmsg(2)."""
    for version in (V12, V13):
        with tls_pair(version=version) as (one, two):
            one.send(b"before")
            send_record(one, ALERT, b"\1\0")
            send_record(one, HANDSHAKE, b"hello")
            one.send(b"after")
            assert receive_record(two) == (DATA, b"before")
            with fails_with(errno.EIO):
                two.recv(100)
            assert readable(two)
            assert receive_record(two, flags=socket.MSG_PEEK) == (ALERT, b"\1\0")
            assert receive_record(two) == (ALERT, b"\1\0")
            assert receive_record(two, 2) == (HANDSHAKE, b"he")
            assert receive_record(two) == (HANDSHAKE, b"llo")
            assert two.recv(100) == b"after"
            with fails_with(errno.EINVAL):
                one.sendmsg([b"x"], [(SOL_TLS, TLS_GET_RECORD_TYPE, b"\x17")])
            with fails_with(errno.EOPNOTSUPP):
                one.send(b"x", socket.MSG_OOB)


def option_errors():
    """What is refused, and that it changes nothing."""
    info = crypto_info("AES-128-GCM", V12, 0)
    one, two = inside.tcp_pair()
    with one, two:
        with fails_with(errno.ENOPROTOOPT):
            one.setsockopt(SOL_TLS, TLS_TX, info)
        with fails_with(errno.ENOENT):
            one.setsockopt(socket.IPPROTO_TCP, TCP_ULP, b"nonesuch")
        one.setsockopt(socket.IPPROTO_TCP, TCP_ULP, b"tls")
        with fails_with(errno.EEXIST):
            one.setsockopt(socket.IPPROTO_TCP, TCP_ULP, b"tls")
        for bad in (
            info[:-1],
            info + b"\0",
            info[:3],
            struct.pack("=HH", 0x0302, 51) + info[4:],
            struct.pack("=HH", V12, 50) + info[4:],
            crypto_info("ARIA-128-GCM", V13, 0),
        ):
            with fails_with(errno.EINVAL):
                one.setsockopt(SOL_TLS, TLS_TX, bad)
        with fails_with(errno.EBUSY):
            one.getsockopt(SOL_TLS, TLS_TX, len(info))
        one.setsockopt(SOL_TLS, TLS_TX, info)
        with fails_with(errno.EBUSY):
            one.setsockopt(SOL_TLS, TLS_TX, info)
        with fails_with(errno.EINVAL):
            one.setsockopt(SOL_TLS, TLS_RX, crypto_info("AES-256-GCM", V12, 0))
        assert one.getsockopt(SOL_TLS, TLS_TX, len(info)) == info
        assert one.getsockopt(socket.IPPROTO_TCP, TCP_ULP, 16).rstrip(b"\0") == b"tls"
    with socket.socket() as unconnected, fails_with(errno.ENOTCONN):
        unconnected.setsockopt(socket.IPPROTO_TCP, TCP_ULP, b"tls")


def bad_records():
    """A changed record is not delivered, what came before it is."""
    for version in (V12, V13):
        with wire(version=version) as (sender, middle):
            forger, victim = inside.tcp_pair()
            with forger, victim:
                victim.setsockopt(socket.IPPROTO_TCP, TCP_ULP, b"tls")
                info = crypto_info("AES-128-GCM", version, 0)
                victim.setsockopt(SOL_TLS, TLS_RX, info)
                sender.send(b"good")
                sender.send(b"evil")
                for change in (0, 1):
                    kind, body = wire_record(middle)
                    body = body[:-1] + bytes([body[-1] ^ change])
                    head = struct.pack("!BHH", kind, V12, len(body))
                    forger.send(head + body)
                assert victim.recv(100) == b"good"
                for _ in range(2):
                    with fails_with(errno.EBADMSG):
                        victim.recv(100)
    with tls_pair() as (one, _):
        plain, other = inside.tcp_pair()
        with plain, other:
            other.setsockopt(socket.IPPROTO_TCP, TCP_ULP, b"tls")
            other.setsockopt(SOL_TLS, TLS_RX, crypto_info("AES-128-GCM", V13, 0))
            plain.send(b"\x17\x03\x03\xff\xff")
            with fails_with(errno.EMSGSIZE):
                other.recv(100)
        assert one.send(b"x") == 1


def keys_after_data():
    """TLS_RX when records wait in the receive queue already; one direction only."""
    info = crypto_info("AES-256-GCM", V13, 7)
    one, two = inside.tcp_pair()
    with one, two:
        one.setsockopt(socket.IPPROTO_TCP, TCP_ULP, b"tls")
        one.setsockopt(SOL_TLS, TLS_TX, info)
        one.send(b"early")
        assert readable(two, inside.PATIENCE)
        two.setsockopt(socket.IPPROTO_TCP, TCP_ULP, b"tls")
        two.setsockopt(SOL_TLS, TLS_RX, info)
        assert two.recv(100) == b"early"
        two.send(b"in the clear")
        assert one.recv(100) == b"in the clear"


def key_update():
    """TLS 1.3: after a KeyUpdate nothing is readable until the new key is there."""
    old = crypto_info("AES-128-GCM", V13, 0)
    new = crypto_info("AES-128-GCM", V13, 2)
    with tls_pair() as (one, two), counted(rekeys_tx=1, rekeys_rx=1):
        one.send(b"old")
        send_record(one, HANDSHAKE, KEY_UPDATE)
        one.setsockopt(SOL_TLS, TLS_TX, new)
        one.send(b"new")
        assert receive_record(two) == (DATA, b"old")
        assert receive_record(two) == (HANDSHAKE, KEY_UPDATE)
        assert not readable(two)
        for _ in range(2):
            with fails_with(errno.EKEYEXPIRED):
                two.recv(100)
        with fails_with(errno.EINVAL):
            two.setsockopt(SOL_TLS, TLS_RX, crypto_info("AES-256-GCM", V13, 2))
        assert two.getsockopt(SOL_TLS, TLS_RX, 40)[:-8] == old[:-8]
        # A child that sleeps in poll must be woken by our setsockopt.
        child = inside.in_child(receive_when_readable, two, b"new")
        two.setsockopt(SOL_TLS, TLS_RX, new)
        inside.await_child(child)
        two.send(b"back")
        assert one.recv(100) == b"back"


def receive_when_readable(sock, wanted):
    assert readable(sock, inside.PATIENCE)
    assert sock.recv(100) == wanted


def msg_more():
    """Pieces with MSG_MORE become one record."""
    with wire() as (sender, sink):
        for piece in (b"one ", b"two "):
            sender.send(piece, socket.MSG_MORE)
        sender.send(b"three")
        assert len(wire_record(sink)[1]) == len("one two three") + 17
        sender.send(b"open", socket.MSG_MORE)
        send_record(sender, ALERT, b"\1\0")
        assert [len(wire_record(sink)[1]) for _ in range(2)] == [4 + 17, 2 + 17]
    with tls_pair() as (one, two):
        one.sendmsg([b"a" * 9000], [], socket.MSG_MORE)
        one.sendmsg([b"b" * 9000])
        assert inside.receive(two, 18000) == b"a" * 9000 + b"b" * 9000


def receive_semantics():
    """Data records merge; MSG_PEEK repeats; MSG_WAITALL waits; nothing is no error."""
    with tls_pair() as (one, two):
        for piece in (b"one", b"two", b"three"):
            one.send(piece)
        assert two.recv(4, socket.MSG_WAITALL) == b"onet"
        assert inside.receive(two, 7) == b"wothree"
        assert not readable(two)
        with fails_with(errno.EAGAIN):
            two.recv(1, socket.MSG_DONTWAIT)
        one.send(b"peek")
        for _ in range(3):
            assert two.recv(100, socket.MSG_PEEK) == b"peek"
        assert two.recv(2) == b"pe" and readable(two) and two.recv(9) == b"ek"
        thread = send_in_thread(one, b"x" * 100000)
        assert two.recv(100000, socket.MSG_WAITALL) == b"x" * 100000
        thread.join()
        buffers = [bytearray(3), bytearray(5)]
        one.send(b"scatter!")
        assert two.recvmsg_into(buffers)[0] == 8 and b"".join(buffers) == b"scatter!"


def partial_records():
    """Half a record is not readable, in any of poll, select and epoll."""
    with wire() as (sender, middle):
        one, two = inside.tcp_pair()
        with one, two, select.epoll() as epoll:
            two.setsockopt(socket.IPPROTO_TCP, TCP_ULP, b"tls")
            two.setsockopt(SOL_TLS, TLS_RX, crypto_info("AES-128-GCM", V13, 0))
            epoll.register(two, select.EPOLLIN)
            poll = select.poll()
            poll.register(two, select.POLLIN)
            sender.send(b"whole")
            record = inside.receive(middle, 5 + 5 + 17)
            for piece in (record[:3], record[3:10], record[10:-1], record[-1:]):
                assert not poll.poll(20)
                assert not readable(two, 0.02)
                assert not epoll.poll(0.02)
                one.send(piece)
            assert poll.poll(1000 * inside.PATIENCE)
            assert readable(two)
            assert epoll.poll(inside.PATIENCE)
            assert two.recv(100) == b"whole"


def sendfile():
    """sendfile(2) with and without an offset, beyond the end, and nonblocking."""
    data = os.urandom(1 << 20)
    with tempfile.TemporaryFile() as file, tls_pair() as (one, two):
        file.write(data)
        file.flush()
        for offset in (0, 1, 4096, 100000, len(data)):
            with counted(sendfile_calls=1, sendfile_bytes=len(data[offset:])):
                sent = []
                thread = threading.Thread(
                    target=lambda at: sent.append(
                        os.sendfile(one.fileno(), file.fileno(), at, 1 << 21)
                    ),
                    args=(offset,),
                )
                thread.start()
                wanted = data[offset:]
                assert inside.receive(two, len(wanted)) == wanted
                thread.join()
                assert sent == [len(wanted)]
        one.setblocking(False)
        at, got = 0, bytearray()
        while at < len(data):
            try:
                at += os.sendfile(one.fileno(), file.fileno(), at, len(data) - at)
            except BlockingIOError:
                got += two.recv(1 << 16)
        got += inside.receive(two, len(data) - len(got))
        assert got == data


def splice():
    """A pipe into the socket, and the socket into a pipe."""
    data = os.urandom(40000)
    reader, writer = os.pipe()
    with tls_pair() as (one, two):
        os.write(writer, data)
        left = len(data)
        while left > 0:
            left -= os.splice(reader, one.fileno(), left)
        got = bytearray()
        while len(got) < len(data):
            n = os.splice(two.fileno(), writer, 1 << 16)
            assert 0 < n <= RECORD
            got += os.read(reader, n)
        assert got == data
        send_record(one, ALERT, b"\1\0")
        with fails_with(errno.EINVAL):
            os.splice(two.fileno(), writer, 100)
        assert receive_record(two) == (ALERT, b"\1\0")
    os.close(reader)
    os.close(writer)


def dup():
    """A duplicate is the same TLS socket, also after the first one is closed."""
    with tls_pair() as (one, two):
        other = one.dup()
        with other:
            one.send(b"1")
            other.send(b"2")
            one.close()
            other.send(b"3")
            assert inside.receive(two, 3) == b"123"
            two.send(b"back")
            copy = os.dup2(other.fileno(), 200)
            assert os.read(copy, 100) == b"back"
            os.write(copy, b"4")
            os.close(copy)
            assert two.recv(100) == b"4"
        assert two.recv(1) == b""


def descriptor_calls():
    """read, write, readv, writev and a file object on the descriptor."""
    with tls_pair() as (one, two):
        os.write(one.fileno(), b"written")
        assert os.read(two.fileno(), 100) == b"written"
        assert os.writev(one.fileno(), [b"a" * 10000, b"", b"b" * 10000]) == 20000
        parts = [bytearray(10000), bytearray(10000)]
        got = os.readv(two.fileno(), parts)
        if got < 20000:  # the second record was not there yet
            rest = inside.receive(two, 20000 - got)
            parts = [(b"".join(parts)[:got] + rest)]
        assert b"".join(parts) == b"a" * 10000 + b"b" * 10000
        with one.makefile("wb") as out, two.makefile("rb") as lines:
            out.write(b"line 1\nline 2\n")
            out.flush()
            assert [lines.readline(), lines.readline()] == [b"line 1\n", b"line 2\n"]
        with fails_with(errno.ESPIPE):
            os.pread(two.fileno(), 1, 0)


def fork():
    """Parent and child take turns on one socket, both ways."""
    rounds = 50

    def turns(sock, token, mine, theirs):
        for i in range(rounds):
            assert os.read(token[0], 1) == mine
            sock.send(mine + bytes([i]))
            assert sock.recv(1) == b"k"
            os.write(token[1], theirs)

    with tls_pair("CHACHA20-POLY1305") as (one, two):
        to_child, to_parent = os.pipe(), os.pipe()
        child = inside.in_child(
            turns, one, (to_child[0], to_parent[1]), b"c", b"p"
        )
        os.write(to_parent[1], b"p")

        def answer():
            for i in range(rounds):
                for who in b"p", b"c":
                    assert inside.receive(two, 2) == who + bytes([i])
                    two.send(b"k")

        thread = threading.Thread(target=answer)
        thread.start()
        turns(one, (to_parent[0], to_child[1]), b"p", b"c")
        thread.join()
        inside.await_child(child)
        for end in (*to_child, *to_parent):
            os.close(end)


def processes():
    """Sender and receiver in processes of their own; nothing is lost at _exit."""
    data = os.urandom(8 << 20)
    with tls_pair("AES-256-GCM", V12) as (one, two):
        child = inside.in_child(one.sendall, data)
        one.close()
        assert inside.receive(two, len(data)) == data
        assert two.recv(1) == b""
        inside.await_child(child)


def both_ways():
    """16 MiB in each direction at the same time, nonblocking, by epoll with edges."""
    size = 16 << 20
    data = os.urandom(size)
    for suite, version in (("AES-128-GCM", V13), ("CHACHA20-POLY1305", V12)):
        with tls_pair(suite, version) as (one, two), select.epoll() as epoll:
            sent = {one.fileno(): 0, two.fileno(): 0}
            got = {one.fileno(): bytearray(), two.fileno(): bytearray()}
            for sock in (one, two):
                sock.setblocking(False)
                epoll.register(sock, select.EPOLLIN | select.EPOLLOUT | select.EPOLLET)
            while min(*sent.values(), *map(len, got.values())) < size:
                events = epoll.poll(inside.PATIENCE)
                assert events, "nothing happens any more"
                for fd, _ in events:
                    with contextlib.suppress(BlockingIOError):
                        while sent[fd] < size:
                            piece = data[sent[fd] : sent[fd] + 300000]
                            sent[fd] += os.write(fd, piece)
                    with contextlib.suppress(BlockingIOError):
                        while len(got[fd]) < size:
                            got[fd] += os.read(fd, 100000)
            assert all(bytes(part) == data for part in got.values())


def main():
    inside.enter()
    tests = []
    for suite, version in SUITES_AND_VERSIONS:
        label = f"{suite}, TLS 1.{version - 0x0301}"
        for test in (transfers, framing):
            tests.append(
                (f"{test.__name__}: {label}", functools.partial(test, suite, version))
            )
    for test in (
        control_records,
        option_errors,
        bad_records,
        keys_after_data,
        key_update,
        msg_more,
        receive_semantics,
        partial_records,
        sendfile,
        splice,
        dup,
        descriptor_calls,
        fork,
        processes,
        both_ways,
    ):
        tests.append((test.__name__, test))
    sys.exit(inside.run(tests))


main()
