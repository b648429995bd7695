/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_session.c: who owns a TLS socket's state: descriptors, calls, threads, processes;
 * and what is left when one of them dies.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "real.h"
#include "session_fixture.h"
#include "shm.h"
#include "so.h"
#include "sockopt.h"

enum {
	SLAB_SHIFT = 22, /* slabs are 4 MiB and aligned to that */
	SLAB_SOCKETS = 64,
	MANY = 70, /* sockets: more than a slab has */
};

static uint8_t text[1000];

static void
set_up(void)
{
	prepare_library();
	fill_pattern(text, sizeof(text), 0);
}

TestSuite(session, .init = set_up, .timeout = 120);

static ssize_t
send_text(struct tls_end *end, size_t from, size_t n, int flags)
{
	struct iovec iov = {text + from, n};

	return so_send(end->so, end->fd, &iov, 1, NULL, flags);
}

static ssize_t
receive(struct tls_end *end, void *buf, size_t n, int flags)
{
	struct iovec iov = {buf, n};

	return so_receive(end->so, end->fd, &iov, 1, NULL, flags);
}

/* The peer reads `n` bytes of plaintext, which are text[from..], in any records. */
static bool
peer_reads(struct tls_end *end, size_t from, size_t n)
{
	static struct oracle_opened opened;
	uint8_t wire[2000];
	size_t used;

	while (n > 0) {
		ssize_t len = recv(end->peer, wire, 5, MSG_WAITALL);
		size_t rest = ((size_t)wire[3] << 8) + wire[4];
		if (len != 5 || rest > sizeof(wire) - 5)
			return false;
		len = recv(end->peer, wire + 5, rest, MSG_WAITALL);
		ssize_t got =
			len < 0 ? -1 : peer_opens(end, wire, 5 + rest, &used, &opened);
		if (got <= 0 || (size_t)got > n ||
		    memcmp(opened.payload, text + from, (size_t)got) != 0)
			return false;
		from += (size_t)got;
		n -= (size_t)got;
	}
	return true;
}

static bool
all_zero(const void *p, size_t n)
{
	const uint8_t *bytes = p;

	while (n > 0 && bytes[n - 1] == 0)
		n--;
	return n == 0;
}

/* How the forked child ended: 0 when all was well there. */
static int
wait_for(pid_t child)
{
	int status = -1;

	cr_assert_eq(waitpid(child, &status, 0), child);
	return status;
}

/* Slots, references, and the wipe when the last one goes. */
Test(session, slots)
{
	struct tls_end end;
	struct tls_socket *sock;
	int copy = 900;

	cr_expect_null(session_get(-1));
	cr_expect_null(session_get(FDTAB_SIZE));
	cr_expect_null(session_get(5));
	cr_expect_null(session_make(-1, RULES_LINUX));
	cr_expect_null(session_make(FDTAB_SIZE, RULES_LINUX));
	cr_expect(!sessions_seen && sessions_live == 0);

	open_alone(&end, "AES-256-GCM", TLS_V12, RULES_FREEBSD, WITH_TX);
	sock = end.so->sock;
	cr_expect(sessions_seen && sessions_live == 1);
	cr_expect_eq(sock->magic, TLS_SOCKET_MAGIC);
	struct session *again = session_make(end.fd, RULES_LINUX);
	cr_expect_eq(again, end.so, "the one there is");
	cr_expect_eq(sock->rules, RULES_FREEBSD);
	session_put(again);
	cr_expect_null(session_with(end.fd, RX));
	cr_expect_eq(session_with(end.fd, TX), end.so);
	session_put(end.so);
	cr_expect_eq(end.so->refs, 2);

	session_copy_slot(end.fd, copy);
	session_copy_slot(end.fd, FDTAB_SIZE);
	session_copy_slot(700, 701);
	cr_expect_eq(end.so->refs, 3);
	cr_expect_eq(session_next_fd(0, FDTAB_SIZE - 1), end.fd);
	cr_expect_eq(session_next_fd((unsigned)end.fd + 1, UINT32_MAX), copy);
	cr_expect_eq(session_next_fd((unsigned)end.fd + 1, 899), -1);
	cr_expect_eq(session_next_fd(901, FDTAB_SIZE - 1), -1);
	cr_expect_eq(session_next_fd(900, 900), copy);

	/* A close that fails leaves everything. */
	struct session *detached = session_detach(end.fd);
	cr_expect_eq(detached, end.so);
	session_detached(end.fd, detached, false);
	cr_expect_eq(session_get(end.fd), end.so);
	session_put(end.so);
	session_forget(end.fd);
	cr_expect_null(session_get(end.fd));
	cr_expect_null(session_detach(end.fd));
	session_detached(end.fd, NULL, true);
	session_forget(copy);
	cr_expect_eq(session_next_fd(0, FDTAB_SIZE - 1), -1);
	/* The call in progress still has it, keys and all. */
	cr_expect(sessions_live == 1 && sock->tx.on);
	cr_expect(!all_zero(sock->tx.cipher.key, 32));
	session_put(end.so);
	cr_expect_eq(sessions_live, 0);
	cr_expect(all_zero(sock, sizeof(*sock)), "keys stay behind");
	close(end.fd);
}

/* The thread that is in close(2) finds a closed descriptor, as a signal handler may. */
Test(session, closing_by_itself)
{
	struct tls_end end;
	int value = 0, len = 4;

	open_alone(&end, "AES-128-GCM", TLS_V12, RULES_LINUX, WITH_TX | WITH_RX);
	struct session *so = session_detach(end.fd), *mine = end.so;
	cr_expect_eq(session_get(end.fd), &session_closing);
	cr_expect_eq(session_with(end.fd, RX), &session_closing);
	end.so = &session_closing;
	cr_expect_eq(send_text(&end, 0, 5, MSG_NOSIGNAL), -EBADF);
	cr_expect_eq(receive(&end, &value, 4, 0), -EBADF);
	cr_expect_eq(so_setsockopt(end.fd, SOL_TLS, 1, &value, 4), -EBADF);
	cr_expect_eq(so_getsockopt(end.fd, SOL_TLS, 1, &value, (socklen_t *)&len),
		     -EBADF);
	cr_expect_eq(session_lock(&session_closing, -1, TX), -EBADF);
	session_put(&session_closing);
	end.so = mine;
	session_detached(end.fd, so, false);
	close_end(&end);
	cr_expect_eq(sessions_live, 0);
}

struct lookup {
	int fd;
	_Atomic bool entered, done;
	struct session *found;
};

static void *
look_up(void *arg)
{
	struct lookup *l = arg;

	l->entered = true;
	l->found = session_get(l->fd);
	l->done = true;
	return NULL;
}

/* Another thread waits for the end of the close and sees what came of it. */
Test(session, tombstone)
{
	struct tls_end end;

	for (int closed = 0; closed < 2; closed++) {
		pthread_t thread;
		open_alone(&end, "AES-128-GCM", TLS_V12, RULES_LINUX, WITH_TX);
		struct lookup l = {.fd = end.fd};
		struct session *so = session_detach(end.fd);
		cr_assert_eq(pthread_create(&thread, NULL, look_up, &l), 0);
		while (!l.entered)
			sched_yield();
		for (int i = 0; i < 100; i++)
			sched_yield();
		cr_expect(!l.done, "it must not get past the close");
		session_detached(end.fd, so, closed != 0);
		cr_assert_eq(pthread_join(thread, NULL), 0);
		cr_expect_eq(l.found, closed ? NULL : end.so);
		if (l.found != NULL)
			session_put(l.found);
		session_put(end.so);
		session_forget(end.fd);
		close(end.fd);
		cr_expect_eq(sessions_live, 0);
	}
}

enum {
	CROWD_FD = 500,
	ROUNDS = 20000,
};
static _Atomic bool crowd_over;

/* Looks at slots that come and go; what it finds must be what it is. */
static void *
crowd_look(void *arg)
{
	_Atomic long *bad = arg;

	while (!crowd_over) {
		for (int fd = CROWD_FD; fd < CROWD_FD + 3; fd++) {
			struct session *so = session_get(fd);
			if (so == NULL)
				continue;
			if (so->refs < 1 || so->sock->magic != TLS_SOCKET_MAGIC)
				(*bad)++;
			session_put(so);
		}
	}
	return NULL;
}

static void *
crowd_close(void *arg)
{
	while (!crowd_over) {
		session_copy_slot(CROWD_FD, CROWD_FD + 1);
		session_forget(CROWD_FD + 1);
	}
	return arg;
}

/* Sessions made, copied and closed under the eyes of other threads: none is lost, none
 * used after its end. */
Test(session, crowd)
{
	_Atomic long bad = 0;
	pthread_t threads[3];

	cr_assert_eq(pthread_create(&threads[0], NULL, crowd_look, &bad), 0);
	cr_assert_eq(pthread_create(&threads[1], NULL, crowd_look, &bad), 0);
	cr_assert_eq(pthread_create(&threads[2], NULL, crowd_close, NULL), 0);
	for (int i = 0; i < ROUNDS; i++) {
		struct session *so = session_make(CROWD_FD, RULES_LINUX);
		cr_assert_not_null(so);
		session_put(so);
		if (i % 3 == 0) {
			session_copy_slot(CROWD_FD, CROWD_FD + 2);
			session_forget(CROWD_FD + 2);
		}
		session_forget(CROWD_FD);
	}
	crowd_over = true;
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	cr_expect_eq(bad, 0);
	cr_expect_eq(sessions_live, 0);
	cr_expect_eq(session_next_fd(0, FDTAB_SIZE - 1), -1);
}

/* Each socket has room for two buffers, its own; more sockets than a slab has go to the
 * next. What is given back is used again. */
Test(session, shared_memory)
{
	struct tls_socket *socks[MANY];
	uint8_t *buffers[2 * MANY];
	int first_slab = 0;

	for (int i = 0; i < MANY; i++) {
		socks[i] = shm_socket_alloc();
		cr_assert_not_null(socks[i]);
		cr_expect(all_zero(socks[i], sizeof(*socks[i])));
		first_slab += (uintptr_t)socks[i] >> SLAB_SHIFT ==
			      (uintptr_t)socks[0] >> SLAB_SHIFT;
	}
	cr_expect(first_slab < MANY && first_slab > 1);
	for (int i = 0; i < 2 * MANY; i++) {
		buffers[i] = shm_buffer_alloc(socks[i / 2]);
		cr_assert_not_null(buffers[i], "buffer %d", i);
		memset(buffers[i], i, SHM_BUFFER_LEN);
	}
	cr_expect_null(shm_buffer_alloc(socks[0]), "no more than two each");
	for (int i = 0; i < 2 * MANY; i++)
		cr_expect(buffers[i][0] == i && buffers[i][SHM_BUFFER_LEN - 1] == i);
	for (int i = 0; i < MANY; i++)
		cr_expect(all_zero(socks[i], sizeof(*socks[i])), "overwritten");
	shm_buffer_free(socks[3], buffers[7]);
	cr_expect_eq(shm_buffer_alloc(socks[5]), buffers[7]);
	/* A socket gives its buffers back when it goes. */
	socks[1]->tx.buffer = buffers[2];
	socks[1]->rx.buffer = buffers[3];
	shm_socket_free(socks[1]);
	cr_expect_eq(shm_buffer_alloc(socks[0]), buffers[2]);
	cr_expect_eq(shm_buffer_alloc(socks[0]), buffers[3]);
	/* Its place is taken again before a third slab is. */
	int freed = 1, found = 0;
	for (int i = 0; i < 2 * SLAB_SOCKETS - MANY + freed; i++)
		found += shm_socket_alloc() == socks[1];
	cr_expect_eq(found, 1);
}

/* Parent and child use one socket in turns: one sequence of records, one rest of a
 * record, one open record, and keys that either may replace. */
Test(session, fork_shares)
{
	struct cipher_params params = {.version = TLS_V13, .iv_len = 12};
	uint8_t wire[300], got[100], reply;
	struct tls_end end;
	int pipes[2];

	cr_assert_eq(pipe(pipes), 0);
	open_pair(&end, "CHACHA20-POLY1305", TLS_V13, RULES_LINUX, WITH_TX | WITH_RX);
	struct tls_end sender = end; /* the peer as a sender has its own count */
	cr_expect_eq(send_text(&end, 0, 10, 0), 10);
	cr_expect_eq(send_text(&end, 10, 10, MSG_MORE), 10);
	size_t n = peer_seals(&sender, 23, text, 90, wire);
	cr_assert_eq(write(end.peer, wire, n), (ssize_t)n);
	cr_expect_eq(receive(&end, got, 30, 0), 30);

	pid_t child = fork();
	if (child == 0) {
		bool good = send_text(&end, 20, 15, 0) == 15 &&
			    receive(&end, got, 25, 0) == 25 &&
			    memcmp(got, text + 30, 25) == 0;
		_exit(good ? 0 : 1);
	}
	cr_expect_eq(wait_for(child), 0);
	cr_expect_eq(send_text(&end, 35, 15, 0), 15);
	cr_expect_eq(receive(&end, got, 100, 0), 35);
	cr_expect_eq(memcmp(got, text + 55, 35), 0);
	cr_expect(peer_reads(&end, 0, 50));

	/* The child replaces both keys; the parent's engine follows. */
	params.suite = suite_by_id(SUITE_CHACHA20_POLY1305);
	end.oracle.key[0] ^= 1;
	params.key = end.oracle.key;
	params.iv = end.oracle.iv;
	end.seq = 0;
	child = fork();
	if (child == 0) {
		bool good = sockopt_set_key(end.so, end.fd, TX, &params) == 0 &&
			    sockopt_set_key(end.so, end.fd, RX, &params) == 0 &&
			    send_text(&end, 50, 1, 0) == 1;
		_exit(good && read(pipes[0], &reply, 1) == 1 ? 0 : 1);
	}
	cr_expect(peer_reads(&end, 50, 1));
	cr_expect_eq(send_text(&end, 51, 20, 0), 20);
	cr_expect(peer_reads(&end, 51, 20));
	sender.oracle = end.oracle;
	sender.seq = 0;
	n = peer_seals(&sender, 23, text, 90, wire);
	cr_assert_eq(write(end.peer, wire, n), (ssize_t)n);
	cr_expect_eq(receive(&end, got, 90, 0), 90);
	cr_expect_eq(memcmp(got, text, 90), 0);
	cr_assert_eq(write(pipes[1], "", 1), 1);
	cr_expect_eq(wait_for(child), 0);
	close_end(&end);
	close(pipes[0]);
	close(pipes[1]);
}

/* A child that closes what it inherited takes nothing from its parent; and after a fork
 * neither puts a new socket to where the other could come upon it. */
Test(session, fork_separates)
{
	struct tls_end end, later;

	open_pair(&end, "CHACHA20-POLY1305", TLS_V12, RULES_FREEBSD, WITH_TX);
	struct tls_socket *shared = end.so->sock;
	pid_t child = fork();
	if (child == 0) {
		open_pair(&later, "CHACHA20-POLY1305", TLS_V12, RULES_LINUX, WITH_TX);
		bool good = (uintptr_t)later.so->sock >> SLAB_SHIFT !=
			    (uintptr_t)shared >> SLAB_SHIFT;
		good = good && sessions_live == 2;
		close_end(&end);
		good = good && sessions_live == 1 && send_text(&later, 0, 9, 0) == 9 &&
		       peer_reads(&later, 0, 9);
		close_end(&later);
		_exit(good && sessions_live == 0 ? 0 : 1);
	}
	cr_expect_eq(wait_for(child), 0);
	cr_expect_eq(send_text(&end, 0, 100, 0), 100);
	cr_expect(peer_reads(&end, 0, 100));
	open_pair(&later, "CHACHA20-POLY1305", TLS_V12, RULES_LINUX, WITH_TX);
	cr_expect_neq((uintptr_t)later.so->sock >> SLAB_SHIFT,
		      (uintptr_t)shared >> SLAB_SHIFT);
	close_end(&end);
	cr_expect_eq(send_text(&later, 0, 100, 0), 100);
	cr_expect(peer_reads(&later, 0, 100));
	close_end(&later);
	cr_expect_eq(sessions_live, 0);
}

/* A process that dies with a lock may have left half a record: nobody can trust the state
 * any more, in either direction, for ever. */
Test(session, owner_dies)
{
	struct tls_end end;
	uint8_t byte;

	for (enum engine_direction dir = TX; dir <= RX; dir++) {
		open_pair(&end, "CHACHA20-POLY1305", TLS_V13, RULES_LINUX,
			  WITH_TX | WITH_RX);
		pid_t child = fork();
		if (child == 0)
			_exit(session_lock(end.so, -1, dir) == 0 ? 0 : 1);
		cr_expect_eq(wait_for(child), 0);
		for (int i = 0; i < 2; i++) {
			if (dir == TX) {
				cr_expect_eq(send_text(&end, 0, 9, 0), -EIO);
				cr_expect_eq(receive(&end, &byte, 1, 0), -EIO);
			} else {
				cr_expect_eq(receive(&end, &byte, 1, 0), -EIO);
				cr_expect_eq(send_text(&end, 0, 9, 0), -EIO);
			}
		}
		cr_expect(end.so->sock->poisoned);
		cr_expect_eq(recv(end.peer, &byte, 1, MSG_DONTWAIT), -1,
			     "nothing may be sent");
		close_end(&end);
	}
}

/* A signal handler that interrupted the holder is told so, and what its calls then say
 * is what a nonblocking or an interrupted call would. */
Test(session, deadlock)
{
	struct tls_end end;
	uint8_t byte;

	open_pair(&end, "CHACHA20-POLY1305", TLS_V13, RULES_LINUX, WITH_TX | WITH_RX);
	for (int nonblock = 0; nonblock < 2; nonblock++) {
		cr_assert_eq(fcntl(end.fd, F_SETFL, nonblock ? O_NONBLOCK : 0), 0);
		cr_assert_eq(session_lock(end.so, -1, TX), 0);
		cr_expect_eq(session_lock(end.so, -1, TX), -EDEADLK);
		cr_expect_eq(send_text(&end, 0, 9, 0), nonblock ? -EAGAIN : -EINTR);
		cr_expect_eq(send_text(&end, 0, 9, MSG_DONTWAIT), -EAGAIN);
		session_unlock(end.so, TX);
		cr_assert_eq(session_lock(end.so, -1, RX), 0);
		cr_expect_eq(session_lock(end.so, -1, RX), -EDEADLK);
		cr_expect_eq(receive(&end, &byte, 1, 0), nonblock ? -EAGAIN : -EINTR);
		cr_expect_eq(receive(&end, &byte, 1, MSG_DONTWAIT), -EAGAIN);
		/* The other direction is free. */
		cr_expect_eq(send_text(&end, (size_t)nonblock * 9, 9, 0), 9);
		session_unlock(end.so, RX);
	}
	cr_expect(peer_reads(&end, 0, 18));
	close_end(&end);
}

static struct owner_lock counter_lock;
static long counter;

static void *
count(void *arg)
{
	for (int i = 0; i < ROUNDS; i++) {
		if (lock_take(&counter_lock) != 0)
			return NULL;
		long seen = counter;
		if (i % 64 == 0)
			sched_yield();
		counter = seen + 1;
		lock_drop(&counter_lock);
	}
	return arg;
}

Test(session, lock_excludes)
{
	pthread_t threads[4];
	void *good;

	for (int i = 0; i < 4; i++)
		cr_assert_eq(pthread_create(&threads[i], NULL, count, &counter), 0);
	for (int i = 0; i < 4; i++) {
		cr_assert_eq(pthread_join(threads[i], &good), 0);
		cr_expect_not_null(good);
	}
	cr_expect_eq(counter, 4L * ROUNDS);
	cr_expect_eq(counter_lock.word, 0);
}

/* Which process, which thread; and a vfork(2) child leaves its parent's table alone. */
Test(session, identity)
{
	uint32_t thread = self_thread(), generation = self_generation();
	struct tls_end end;

	cr_expect_eq(thread, (uint32_t)gettid());
	cr_expect_geq(generation, 1);
	cr_expect(!self_is_vfork_child());
	pid_t child = fork();
	if (child == 0)
		_exit(self_thread() == (uint32_t)gettid() &&
				      self_generation() == generation + 1 &&
				      !self_is_vfork_child()
			      ? 0
			      : 1);
	cr_expect_eq(wait_for(child), 0);
	cr_expect_eq(self_generation(), generation);

	open_alone(&end, "AES-128-GCM", TLS_V12, RULES_LINUX, WITH_TX);
	/* Under valgrind it is a fork(2), and the answers are another's. */
	volatile bool in_our_memory = false;
	child = vfork();
	if (child == 0) {
		in_our_memory = true;
		bool good = self_is_vfork_child() && session_detach(end.fd) == NULL;
		session_forget(end.fd);
		session_copy_slot(end.fd, 901);
		_exit(good ? 0 : 1);
	}
	cr_expect(wait_for(child) == 0 || !in_our_memory);
	cr_expect_eq(session_next_fd(0, FDTAB_SIZE - 1), end.fd);
	cr_expect_null(session_get(901));
	cr_expect_eq(end.so->refs, 2);
	close_end(&end);
}
