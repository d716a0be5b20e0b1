// SPDX-License-Identifier: GPL-2.0-or-later
/* Zero-copy buffers: immediate mode, select, poll, epoll, the read timeout. */
#include <pthread.h>
#include <sys/epoll.h>

#include "zbuf.h"

static void test_immediate(void)
{
	struct zero z = zero_listen(PAGE);
	uint32_t seq = 0;

	set(z.fd, BIOCIMMEDIATE, 1);
	ok(!readable(z.fd, 0), "poll, immediate mode, no packet: not readable");
	send_frames("eth1", 0, 1, 100);
	ok(readable(z.fd, 20000),
	   "poll, immediate mode: a packet makes it readable");
	ok(owns(&z, 0) && check_next(&z, &seq) && seq == 1,
	   "poll, immediate mode: the buffer is the program's without another call [BPF-ZBUF-9]");
	fill(&z, 1, 2, 100);
	ok(!owns(&z, 1),
	   "poll, immediate mode: the next packets stay in the kernel's buffer");
	finish_next(&z);
	ok(readable(z.fd, 20000),
	   "poll, immediate mode: the next packets are readable after giving back");
	ok(owns(&z, 1) && check_next(&z, &seq) && seq == 3,
	   "poll, immediate mode: the second buffer has both next packets");
	finish_next(&z);
	ok(!readable(z.fd, 0),
	   "poll, immediate mode, both given back: not readable");
	zero_close(&z);
}

static void *send_later(void *unused)
{
	(void)unused;
	usleep(50000);
	send_frames("eth1", 0, 1, 100);
	return NULL;
}

static void test_select(void)
{
	struct zero z = zero_listen(PAGE);
	pthread_t sender;
	uint32_t seq = 0;

	set(z.fd, BIOCIMMEDIATE, 1);
	equal(selected(z.fd, 0), 0,
	      "select, immediate mode, no packet: not readable");
	pthread_create(&sender, NULL, send_later, NULL);
	equal(selected(z.fd, 20000), 1,
	      "select, immediate mode: a packet makes it readable [BPF-ZBUF-10]");
	pthread_join(sender, NULL);
	ok(owns(&z, 0) && check_next(&z, &seq) && seq == 1,
	   "select, immediate mode: the buffer is the program's");
	finish_next(&z);
	equal(selected(z.fd, 0), 0,
	      "select, immediate mode, given back: not readable");
	zero_close(&z);
}

static void test_poll(void)
{
	struct epoll_event event = { .events = EPOLLIN };
	struct zero z = zero_listen(PAGE);
	int epfd = epoll_create1(0);
	uint32_t seq = 0;

	epoll_ctl(epfd, EPOLL_CTL_ADD, z.fd, &event);
	send_frames("eth1", 0, FIT, 96);
	await_received(z.fd, FIT);
	equal(epoll_wait(epfd, &event, 1, 0), 0,
	      "epoll, buffer not filled: no event");
	send_frames("eth1", FIT, 1, LAST);
	equal(epoll_wait(epfd, &event, 1, 20000), 1,
	      "epoll, buffer filled: an event");
	equal(epoll_wait(epfd, &event, 1, 0), 1,
	      "epoll: an event again until the buffer is given back [BPF-ZBUF-8]");
	ok(check_next(&z, &seq) && seq == FIT + 1,
	   "epoll: the filled buffer has all packets");
	finish_next(&z);
	equal(epoll_wait(epfd, &event, 1, 0), 0,
	      "epoll, buffer given back: no event");
	close(epfd);
	zero_close(&z);
}

/* The read timeout in poll: stored packets are given to the program. */
static void test_timeout(void)
{
	/* Long enough for a frame to arrive in time on a busy machine. */
	unsigned int ms = 400 * time_scale();
	struct timeval tv = { ms / 1000, ms % 1000 * 1000 };
	struct zero z = zero_listen(PAGE);
	uint32_t seq = 0;

	ioctl(z.fd, BIOCSRTIMEOUT, &tv);
	fill(&z, 0, 3, 100);
	ok(readable(z.fd, 20000),
	   "poll, timeout expires: stored packets are readable");
	ok(owns(&z, 0) && check_next(&z, &seq) && seq == 3,
	   "poll, timeout expires: the buffer is the program's");
	finish_next(&z);
	ok(!readable(z.fd, 0),
	   "poll, timeout expired, given back: not readable");
	fill(&z, 3, 1, 100);
	ok(!owns(&z, 1),
	   "poll, next packet: the buffer is the kernel's before the timeout expires");
	ok(readable(z.fd, 20000),
	   "poll, next packet: readable when the timeout expires");
	ok(check_next(&z, &seq) && seq == 4,
	   "poll, next packet: it is in the buffer");
	finish_next(&z);
	readable(z.fd, 2 * ms);
	fill(&z, 4, 1, 100);
	ok(owns(&z, 0) && check_next(&z, &seq) && seq == 5,
	   "poll, timeout expired without packets: the next packet is given at once");
	zero_close(&z);
}

int main(void)
{
	test_immediate();
	test_select();
	test_poll();
	test_timeout();
	return done_testing();
}
