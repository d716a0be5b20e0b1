// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The code that takes frames out of the device's buffers: in immediate mode
 * the waiting reader does, without a work item of the kernel, for all
 * descriptors; if it does not run, a work item does.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/mount.h>

#include "guest.h"

#define TRACING	"/sys/kernel/tracing/"
#define EVENT	TRACING "events/workqueue/workqueue_queue_work/"
#define FRAMES	50
#define FULL	(8 * 128)	/* eight packets of 96 bytes fill it exactly */

static uint8_t buf[65536];

/* Return how often the driver's work was queued since the trace was cleared. */
static int works(void)
{
	FILE *f = fopen(TRACING "trace", "r");
	char line[1024];
	int n = 0;

	while (f && fgets(line, sizeof(line), f))
		if (strstr(line, "[virtio_capture]"))
			n++;
	if (!f)
		bail("trace");
	fclose(f);
	return n;
}

struct reader {
	int fd;
	int poll;		/* poll first, and read without waiting */
	unsigned int want;
	volatile unsigned int got;
	volatile pid_t tid;
	pthread_t thread;
};

static void *read_all(void *opaque)
{
	struct reader *r = opaque;
	static __thread uint8_t mine[65536];
	unsigned int size = get(r->fd, BIOCGBLEN);

	r->tid = gettid();
	while (r->got < r->want) {
		size_t off = 0;
		ssize_t len;

		if (r->poll && !readable(r->fd, -1))
			bail("poll");
		len = read(r->fd, mine, size);
		if (len < 0)
			bail("read");
		while (next_packet(mine, len, &off))
			r->got++;
	}
	return NULL;
}

static void start(struct reader *r, int fd, unsigned int want, int poll)
{
	*r = (struct reader){ .fd = fd, .want = want, .poll = poll };
	if (pthread_create(&r->thread, NULL, read_all, r))
		bail("pthread_create");
	while (!r->tid)
		usleep(1000);
	await_sleep(&r->tid);
}

static int immediate(unsigned int size)
{
	int fd = listen_on("eth0", size, O_RDWR);

	set(fd, BIOCIMMEDIATE, 1);
	return fd;
}

/* Send frames one by one, each after the previous one was read. */
static void one_by_one(struct reader *r, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		send_frames("eth0", i, 1, 100);
		while (r->got <= i)
			usleep(1000);
		await_sleep(&r->tid);
	}
}

static void test_no_work(const char *what, int poll)
{
	int fd = immediate(0), other = listen_on("eth0", 0, O_RDWR);
	struct reader r;
	int n;

	start(&r, fd, FRAMES, poll);
	write_file(TRACING "trace", "");
	one_by_one(&r, FRAMES - 1);
	n = works();
	/* Some compare clocks, or run if the reader got no processor. */
	ok(n < FRAMES / 2,
	   "%s, immediate mode: most frames are taken by the reader, not by a work item",
	   what);
	printf("# queued %d times\n", n);
	equal(stats(other).bs_capt, FRAMES - 1,
	      "%s, immediate mode: the reader takes the frames of another descriptor, too",
	      what);
	send_frames("eth0", FRAMES, 1, 100);
	pthread_join(r.thread, NULL);
	close(fd);
	close(other);
}

/* Without a waiter in immediate mode, a work item takes the frames. */
static void test_work(void)
{
	int fd = listen_on("eth0", FULL, O_RDWR);

	write_file(TRACING "trace", "");
	send_frames("eth0", 0, 8, 96);
	ok(readable(fd, 20000), "not immediate: a full buffer is readable");
	ok(works() > 0 || device_fills(),
	   "not immediate: a full buffer is reported by a work item or the device");
	close(fd);
}

static void test_several(void)
{
	int fds[3] = { immediate(0), immediate(0), immediate(FULL) }, i;
	int slow = listen_on("eth0", FULL, O_RDWR);
	struct reader r[3], last;

	for (i = 0; i < 3; i++)
		start(&r[i], fds[i], FRAMES, i == 1);
	start(&last, slow, 16, 0);
	for (i = 0; i < FRAMES; i++) {
		send_frames("eth0", i, 1, 96);
		usleep(500);
	}
	for (i = 0; i < 3; i++)
		pthread_join(r[i].thread, NULL);
	pthread_join(last.thread, NULL);
	for (i = 0; i < 3; i++)
		equal(r[i].got, FRAMES,
		      "four readers: reader %d in immediate mode gets all packets",
		      i);
	equal(last.got, 16,
	      "four readers: the one that waits for full buffers gets its packets");
	for (i = 0; i < 3; i++)
		close(fds[i]);
	close(slow);
}

/* The kernel expects the waiter to run, but it never does. */
static void test_absent(void)
{
	struct epoll_event event = { .events = EPOLLIN };
	int fd = immediate(0), ep = epoll_create1(0);
	int slow = listen_on("eth0", FULL, O_RDWR);
	struct reader r;

	if (epoll_ctl(ep, EPOLL_CTL_ADD, fd, &event))
		bail("epoll_ctl");
	start(&r, slow, 8, 0);
	send_frames("eth0", 0, 8, 96);
	pthread_join(r.thread, NULL);
	equal(r.got, 8,
	      "a waiter that does not return keeps no packets from another descriptor");
	ok(epoll_wait(ep, &event, 1, 20000) == 1,
	   "a waiter that does not return finds its packets later");
	equal(read(fd, buf, get(fd, BIOCGBLEN)), 8 * 128,
	      "a waiter that does not return finds all of its packets");
	close(ep);
	close(fd);
	close(slow);
}

int main(void)
{
	mount("tracefs", "/sys/kernel/tracing", "tracefs", 0, NULL);
	write_file(EVENT "enable", "1");
	test_no_work("read", 0);
	test_no_work("poll", 1);
	test_work();
	test_several();
	test_absent();
	write_file(EVENT "enable", "0");
	return done_testing();
}
