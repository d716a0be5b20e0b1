// SPDX-License-Identifier: GPL-2.0-or-later
/* The read timeout applies to poll, select and epoll without a pending read. */
#define _GNU_SOURCE
#include <pthread.h>
#include <time.h>
#include <sys/epoll.h>

#include "guest.h"

#define SIZE		4096
#define POLLTIMEOUT	"/proc/sys/net/bpf/polltimeout"
#define LONG		20000	/* ms: for what must happen */
#define SHORT		300	/* ms: for what must not */

static uint8_t buf[SIZE];

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

static void set_timeout(int fd, int ms)
{
	struct timeval tv = { ms / 1000, ms % 1000 * 1000 };

	if (ioctl(fd, BIOCSRTIMEOUT, &tv) < 0)
		bail("BIOCSRTIMEOUT");
}

static int set_polltimeout(const char *text)
{
	int fd = open(POLLTIMEOUT, O_WRONLY), result;

	result = error_of(write(fd, text, strlen(text)));
	close(fd);
	return result;
}

/* Open a descriptor with a timeout and @n stored packets. */
static int with_packets(unsigned int n, int timeout_ms)
{
	int fd = listen_on("eth0", SIZE, O_RDWR | O_NONBLOCK);

	set_timeout(fd, timeout_ms);
	send_frames("eth0", 0, n, 100);
	if (stats(fd).bs_capt != n)
		bail("stats");
	return fd;
}

static void test_expiry(void)
{
	int fd = with_packets(2, 100);
	double start = now();

	ok(readable(fd, LONG),
	   "poll: stored packets are readable when the timeout expires [BPF-POLL-7]");
	ok(now() - start >= 0.1,
	   "poll: the timeout of 100 ms does not expire earlier [BPF-POLL-7]");
	equal(get(fd, FIONREAD), 2 * 136,
	      "timeout expired: FIONREAD gives the stored packets' length");
	ok(readable(fd, 0),
	   "timeout expired: readable until the packets are read");
	fcntl(fd, F_SETFL, 0);
	equal(read(fd, buf, SIZE), 2 * 136,
	      "timeout expired: a blocking read gets the stored packets");
	ok(!readable(fd, 0), "timeout expired: not readable after the read");
	close(fd);

	fd = with_packets(1, 50);
	equal(selected(fd, LONG), 1,
	      "select: stored packets are readable when the timeout expires");
	close(fd);

	fd = listen_on("eth0", SIZE, O_RDWR);
	set_timeout(fd, 50);
	send_frames("eth0", 0, 1, 100);
	ok(readable(fd, LONG),
	   "poll: packets that only the device has are readable when the timeout expires"
	   " [BPF-POLL-7]");
	close(fd);

	fd = with_packets(1, 0);
	ok(!readable(fd, SHORT),
	   "no timeout: stored packets do not become readable");
	close(fd);
}

/* The timeout expires without packets: the next one is readable at once. */
static void test_late_packet(void)
{
	int fd = with_packets(0, 10);

	ok(!readable(fd, SHORT),
	   "timeout expires without packets: not readable [BPF-POLL-8]");
	equal(get(fd, FIONREAD), 0,
	      "timeout expired without packets: FIONREAD is 0");
	send_frames("eth0", 0, 1, 100);
	ok(readable(fd, LONG),
	   "timeout expired without packets: the next packet is readable at once [BPF-POLL-8]");
	equal(get(fd, FIONREAD), 136,
	      "timeout expired without packets: FIONREAD gives the next packet's length");
	equal(read(fd, buf, SIZE), 136,
	      "timeout expired without packets: read gets the next packet");
	send_frames("eth0", 0, 1, 100);
	stats(fd);
	/* In this order, as a poll starts the timeout, which is short. */
	equal(get(fd, FIONREAD), 0,
	      "after that read: FIONREAD is 0 with a packet stored [BPF-POLL-8]");
	ok(!readable(fd, 0),
	   "after that read: a packet stored is not readable");
	close(fd);
}

/* Short polls in a loop, each shorter than the timeout. */
static void test_short_polls(void)
{
	int fd = with_packets(1, 1000), polls;

	for (polls = 0; polls < 1000 && !readable(fd, 20); polls++)
		;
	ok(polls < 1000,
	   "short polls one after the other: the timeout of the first expires");
	close(fd);
}

/* Events that cancel a timeout leave no effect of it. */
static void test_ends(void)
{
	struct pollfd out = { .events = POLLOUT };
	double start;
	int fd, i;

	fd = with_packets(1, 50);
	out.fd = fd;
	poll(&out, 1, 0);
	usleep(SHORT * 1000);
	ok(!readable(fd, 0), "a poll for writing starts no timeout");
	close(fd);

	fd = with_packets(1, 200);
	readable(fd, 0);
	usleep(150000);
	equal(read(fd, buf, SIZE), 136,
	      "read before the timeout expires gets the packet");
	start = now();
	send_frames("eth0", 0, 1, 100);
	ok(readable(fd, LONG) && now() - start >= 0.2,
	   "read before the timeout expires: the next packet waits a whole timeout [BPF-POLL-9]");
	close(fd);

	fd = with_packets(1, 100);
	readable(fd, 0);
	set_timeout(fd, 0);
	ok(!readable(fd, SHORT),
	   "timeout set to none while it runs: it does not expire [BPF-POLL-9]");
	set_timeout(fd, 50);
	ok(readable(fd, LONG),
	   "timeout set again while a packet is stored: it expires");
	set_timeout(fd, 0);
	/* A device cannot take back a buffer that it used at the timeout. */
	ok(readable(fd, 0) == device_fills(),
	   "timeout set to none after it expired: not readable, but for what a device gave");
	close(fd);

	for (i = 0; i < 100; i++) {
		fd = with_packets(0, 1 + i / 10);
		readable(fd, i % 3);
		close(fd);
	}
	ok(!system("rmmod virtio_capture && modprobe virtio_capture"),
	   "descriptors closed with timeouts running: the module can be unloaded [BPF-POLL-9]");
}

static void *poller(void *arg)
{
	return (void *)(long)readable(*(int *)arg, LONG);
}

static void test_several(void)
{
	pthread_t threads[3];
	int fd, i;
	void *woken;

	fd = with_packets(1, 200);
	for (i = 0; i < 3; i++)
		pthread_create(&threads[i], NULL, poller, &fd);
	for (i = 0; i < 3; i++) {
		pthread_join(threads[i], &woken);
		ok(woken,
		   "three polls: poll %d is woken when the timeout expires",
		   i + 1);
	}
	close(fd);

	fd = with_packets(1, 1000000);
	pthread_create(&threads[0], NULL, poller, &fd);
	usleep(50000);
	set_timeout(fd, 50);
	pthread_join(threads[0], &woken);
	ok(woken, "a shorter timeout takes effect on a pending poll");
	close(fd);
}

static void test_epoll(unsigned int how)
{
	const char *name = how == EPOLLET ? "edges" : "levels";
	struct epoll_event event = { .events = EPOLLIN | how };
	int fd = with_packets(1, 50), ep = epoll_create1(0), i, times;

	epoll_ctl(ep, EPOLL_CTL_ADD, fd, &event);
	for (i = 0; i < 3; i++) {
		if (i)
			send_frames("eth0", i, 1, 100);
		equal(epoll_wait(ep, &event, 1, LONG), 1,
		      "epoll, %s: an event when the timeout expires, round %d",
		      name, i);
		for (times = 0; times < 3; times++)
			if (epoll_wait(ep, &event, 1, 0) != 1)
				break;
		/* Interrupt, packet and timeout are edges: a few events. */
		ok((how == EPOLLET) == (times < 3),
		   "epoll, %s: the event is reported %s", name,
		   how == EPOLLET ? "once" : "repeatedly");
		equal(read(fd, buf, SIZE), 136,
		      "epoll, %s: read gets the packet", name);
		equal(error_of(read(fd, buf, SIZE)), EAGAIN,
		      "epoll, %s: a second read is EAGAIN", name);
	}
	set_timeout(fd, 0);
	send_frames("eth0", i, 1, 100);
	equal(epoll_wait(ep, &event, 1, SHORT), 0,
	      "epoll, %s: no event without a timeout", name);
	close(ep);
	close(fd);
}

/* With net.bpf.polltimeout 0 the timeout applies only to read, as in MINIX. */
static void test_without(void)
{
	int fd = with_packets(1, 200);

	equal(set_polltimeout("2"), EINVAL, "net.bpf.polltimeout: 2 is EINVAL");
	equal(set_polltimeout("-1"), EINVAL,
	      "net.bpf.polltimeout: -1 is EINVAL");
	readable(fd, 0);
	equal(set_polltimeout("0"), 0,
	      "net.bpf.polltimeout: 0 is accepted while a timeout runs");
	ok(!readable(fd, 2 * SHORT),
	   "net.bpf.polltimeout 0: a timeout that runs makes nothing readable [BPF-POLL-9]");
	close(fd);
	fd = with_packets(1, 10);
	ok(!readable(fd, SHORT),
	   "net.bpf.polltimeout 0: the timeout has no effect on poll [BPF-POLL-7]");
	equal(selected(fd, SHORT), 0,
	      "net.bpf.polltimeout 0: the timeout has no effect on select");
	fcntl(fd, F_SETFL, 0);
	equal(read(fd, buf, SIZE), 136,
	      "net.bpf.polltimeout 0: the timeout has an effect on read");
	equal(set_polltimeout("1"), 0, "net.bpf.polltimeout: 1 is accepted");
	send_frames("eth0", 1, 1, 100);
	ok(readable(fd, LONG),
	   "net.bpf.polltimeout 1: the timeout has an effect on poll");
	close(fd);
}

int main(void)
{
	test_expiry();
	test_late_packet();
	test_short_polls();
	test_ends();
	test_several();
	test_epoll(0);
	test_epoll(EPOLLET);
	test_without();
	return done_testing();
}
