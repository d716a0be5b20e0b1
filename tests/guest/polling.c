// SPDX-License-Identifier: GPL-2.0-or-later
/* poll, select, epoll: when a descriptor becomes ready. */
#include <pthread.h>
#include <sys/epoll.h>

#include "guest.h"

#define SIZE	4096

static uint8_t buf[SIZE];

static int writable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };

	return poll(&p, 1, 0) == 1 && (p.revents & POLLOUT);
}

/* Return all events of poll(2) for a descriptor. */
static int events(int fd)
{
	struct pollfd p = { .fd = fd, .events = 0x7fff };

	return poll(&p, 1, 0) < 0 ? -1 : p.revents;
}

static int selected_for_writing(int fd)
{
	struct timeval tv = { 0, 0 };
	fd_set set, other;

	FD_ZERO(&set);
	FD_SET(fd, &set);
	other = set;
	return select(fd + 1, NULL, &set, &other, &tv);
}

static void *poller(void *arg)
{
	return (void *)(long)readable(*(int *)arg, 20000);
}

static void test_states(void)
{
	int fd = open_bpf(O_RDWR);

	ok(readable(fd, 0) && writable(fd),
	   "poll, unattached: readable and writable [BPF-POLL-1]");
	ok(selected(fd, 0) == 1 && selected_for_writing(fd) == 1,
	   "select, unattached: readable and writable");
	set(fd, BIOCSBLEN, SIZE);
	attach(fd, "eth0");
	filter_test_frames(fd);
	ok(!readable(fd, 0),
	   "poll, attached and empty: not readable [BPF-SETIF-6]");
	ok(writable(fd), "poll, attached and empty: writable [BPF-POLL-10]");
	equal(events(fd), POLLOUT | POLLWRNORM,
	      "poll, attached and empty: no other event");
	equal(selected_for_writing(fd), 1,
	      "select, attached and empty: writable, no exceptional condition"
	      " [BPF-POLL-10 BPF-POLL-11]");
	equal(selected(fd, 0), 0, "select, attached and empty: not readable");
	send_frames("eth1", 0, 30, 100);
	await_received(fd, 30);
	ok(!readable(fd, 100),
	   "poll, store buffer not filled: not readable [BPF-INPUT-25]");
	send_frames("eth1", 30, 1, 100);
	ok(readable(fd, 20000), "poll, buffer filled: readable [BPF-POLL-3]");
	equal(events(fd), POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM,
	      "poll, buffer filled: POLLIN, POLLRDNORM, POLLOUT and POLLWRNORM");
	equal(selected(fd, 0), 1, "select, buffer filled: readable");
	equal(read(fd, buf, SIZE), 4080, "read gets the filled buffer");
	ok(!readable(fd, 0), "poll after the read: not readable [BPF-READ-21]");
	set(fd, BIOCIMMEDIATE, 1);
	ok(readable(fd, 0),
	   "poll, immediate mode with a stored packet: readable [BPF-POLL-4]");
	read(fd, buf, SIZE);
	ok(!readable(fd, 0),
	   "poll, immediate mode after a read: not readable [BPF-POLL-5]");
	close(fd);
}

static void test_wakeup(void)
{
	int fd = listen_on("eth0", SIZE, O_RDWR);
	pthread_t thread;
	void *woken;

	set(fd, BIOCIMMEDIATE, 1);
	pthread_create(&thread, NULL, poller, &fd);
	usleep(50000);
	send_frames("eth1", 0, 1, 100);
	pthread_join(thread, &woken);
	ok(woken, "poll, immediate mode: a packet wakes it [BPF-INPUT-24]");
	read(fd, buf, SIZE);

	set(fd, BIOCIMMEDIATE, 0);
	send_frames("eth1", 0, 1, 100);
	await_received(fd, 2);
	pthread_create(&thread, NULL, poller, &fd);
	usleep(50000);
	set(fd, BIOCIMMEDIATE, 1);
	pthread_join(thread, &woken);
	ok(woken,
	   "poll: BIOCIMMEDIATE wakes it when a packet is stored [BPF-IMMEDIATE-1]");
	close(fd);
}

/* Without immediate mode poll waits for a full buffer. */
static void test_full_buffer(void)
{
	int fd = listen_on("eth0", 8 * 128, O_RDWR);
	pthread_t thread;
	void *woken;

	pthread_create(&thread, NULL, poller, &fd);
	usleep(50000);
	send_frames("eth1", 0, 8, 96);
	pthread_join(thread, &woken);
	ok(woken,
	   "poll: a buffer that gets exactly full wakes it [BPF-INPUT-22]");
	equal(get(fd, FIONREAD), 8 * 128,
	      "poll: the buffer exactly full has all packets");
	close(fd);
}

static void *epoll_waiter(void *arg)
{
	struct epoll_event event;

	return (void *)(long)epoll_wait(*(int *)arg, &event, 1, 20000);
}

/* Edge-triggered: an event for each wake-up, not for remaining packets. */
static void test_edges(void)
{
	int fd = listen_on("eth0", SIZE, O_RDWR), ep = epoll_create1(0);
	struct epoll_event event = { .events = EPOLLIN | EPOLLET };
	pthread_t thread;
	void *events;

	epoll_ctl(ep, EPOLL_CTL_ADD, fd, &event);
	send_frames("eth0", 0, 1, 100);
	stats(fd);
	equal(epoll_wait(ep, &event, 1, 0), 0,
	      "epoll, edge-triggered: a stored packet is no event");
	pthread_create(&thread, NULL, epoll_waiter, &ep);
	usleep(50000);
	send_frames("eth0", 1, 30, 100);
	pthread_join(thread, &events);
	equal((long)events, 1,
	      "epoll, edge-triggered: a full buffer wakes it [BPF-POLL-13]");
	equal(epoll_wait(ep, &event, 1, 0), 0,
	      "epoll, edge-triggered: a full buffer is an event once [BPF-POLL-14]");
	ok(readable(fd, 0), "poll: the descriptor is readable after the edge");
	event.events = EPOLLOUT;
	epoll_ctl(ep, EPOLL_CTL_MOD, fd, &event);
	equal(epoll_wait(ep, &event, 1, 0), 1, "epoll for EPOLLOUT: an event");
	equal(event.events, EPOLLOUT,
	      "epoll for EPOLLOUT: no other event is reported [BPF-POLL-12]");
	close(ep);
	close(fd);
}

static void test_epoll(void)
{
	int fd = listen_on("eth0", SIZE, O_RDWR), ep = epoll_create1(0);
	struct epoll_event event = { .events = EPOLLIN };

	set(fd, BIOCIMMEDIATE, 1);
	epoll_ctl(ep, EPOLL_CTL_ADD, fd, &event);
	equal(epoll_wait(ep, &event, 1, 0), 0,
	      "epoll, level-triggered, no packet: no event");
	send_frames("eth1", 0, 1, 100);
	equal(epoll_wait(ep, &event, 1, 20000), 1,
	      "epoll, level-triggered: a packet is an event");
	ok(event.events & EPOLLIN,
	   "epoll, level-triggered: the event is EPOLLIN");
	close(ep);
	close(fd);
}

int main(void)
{
	test_states();
	test_wakeup();
	test_full_buffer();
	test_epoll();
	test_edges();
	return done_testing();
}
