// SPDX-License-Identifier: GPL-2.0-or-later
/* read(2): sizes, blocking, timeouts, signals, and one read at a time. */
#define _GNU_SOURCE
#include <pthread.h>
#include <time.h>

#include "guest.h"

#define SIZE	4096	/* 30 packets of 100 bytes take 4080 */

static uint8_t buf[SIZE + 1];
static void *volatile nowhere = (void *)1;

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

static void set_timeout(int fd, long usec)
{
	struct timeval tv = { usec / 1000000, usec % 1000000 };

	if (ioctl(fd, BIOCSRTIMEOUT, &tv) < 0)
		bail("BIOCSRTIMEOUT");
}

static void test_sizes(void)
{
	int fd = listen_on("eth0", SIZE, O_RDWR | O_NONBLOCK);

	equal(error_of(read(fd, buf, SIZE - 1)), EINVAL,
	      "read of a byte less than the buffer's size is EINVAL [BPF-READ-4]");
	equal(error_of(read(fd, buf, SIZE + 1)), EINVAL,
	      "read of a byte more than the buffer's size is EINVAL [BPF-READ-5]");
	equal(error_of(read(fd, buf, SIZE)), EAGAIN,
	      "read of the buffer's size is accepted: EAGAIN without packets");
	send_frames("eth1", 0, 1, 100);
	await_received(fd, 1);
	equal(error_of(read(fd, nowhere, SIZE)), EFAULT,
	      "read to a bad address is EFAULT [BPF-READ-20]");
	equal(read(fd, buf, SIZE), 136,
	      "the packet is still there after a read to a bad address [BPF-READ-20]");
	close(fd);
}

static volatile pid_t reader_tid;

static void *reader(void *arg)
{
	reader_tid = gettid();
	return (void *)(long)read(*(int *)arg, buf, SIZE);
}

static void test_blocking(void)
{
	int fd = listen_on("eth0", SIZE, O_RDWR);
	pthread_t thread;
	static uint8_t other[SIZE];
	void *len;

	pthread_create(&thread, NULL, reader, &fd);
	await_sleep(&reader_tid);
	equal(error_of(read(fd, other, SIZE)), EIO,
	      "a second read while one is pending is EIO [BPF-READ-1]");
	equal(get(fd, BIOCGBLEN), SIZE,
	      "BIOCGBLEN is served while a read is pending [BPF-IOCTL-1]");
	equal(get(fd, FIONREAD), 0,
	      "FIONREAD is served while a read is pending [BPF-IOCTL-1]");
	send_frames("eth1", 0, 30, 100);
	await_received(fd, 30);
	equal(error_of(read(fd, other, SIZE)), EIO,
	      "30 packets do not fill the buffer: the read is still pending"
	      " [BPF-INPUT-25 BPF-READ-8]");
	send_frames("eth1", 30, 1, 100);
	pthread_join(thread, &len);
	equal((long)len, 4080,
	      "the 31st packet does not fit: the pending read gets the 30 before it"
	      " [BPF-INPUT-13]");
	equal(get(fd, FIONREAD), 0,
	      "FIONREAD is 0: the 31st packet is in the store buffer [BPF-FIONREAD-4]");
	close(fd);
}

static void test_exactly_full(void)
{
	int fd = listen_on("eth0", 40 * 128, O_RDWR);
	uint8_t full[40 * 128];

	send_frames("eth1", 0, 40, 96);
	equal(read(fd, full, sizeof(full)), sizeof(full),
	      "a buffer exactly full is read without another packet [BPF-INPUT-21]");
	close(fd);
}

static void test_timeout(void)
{
	int fd = listen_on("eth0", SIZE, O_RDWR);
	double start;

	set_timeout(fd, 50000);
	start = now();
	equal(error_of(read(fd, buf, SIZE)), EAGAIN,
	      "read with a timeout and no packets is EAGAIN [BPF-READ-17]");
	ok(now() - start >= 0.05,
	   "read with a timeout of 50 ms does not return earlier [BPF-READ-17]");
	send_frames("eth1", 0, 2, 100);
	await_received(fd, 2);
	equal(read(fd, buf, SIZE), 2 * 136,
	      "read whose timeout expires gets the stored packets [BPF-READ-16]");
	set_timeout(fd, 1);
	equal(error_of(read(fd, buf, SIZE)), EAGAIN,
	      "read with a timeout of a microsecond is EAGAIN");
	set_timeout(fd, 60000000);
	send_frames("eth0", 0, 31, 100);
	equal(read(fd, buf, SIZE), 4080,
	      "read of a full buffer does not wait for the timeout [BPF-READ-9]");
	fcntl(fd, F_SETFL, O_NONBLOCK);
	equal(read(fd, buf, SIZE), 136,
	      "non-blocking read does not wait for the timeout [BPF-READ-15]");
	equal(error_of(read(fd, buf, SIZE)), EAGAIN,
	      "non-blocking read with a timeout and no packets is EAGAIN");
	close(fd);
}

/*
 * Return the shortest delay of a read after its timeout. A busy host does not
 * change that, but the resolution of the driver's clock does.
 */
static double best_delay(int fd, double timeout)
{
	double start, late, best = 1;
	int i;

	set_timeout(fd, timeout * 1e6);
	for (i = 0; i < 100; i++) {
		start = now();
		if (read(fd, buf, SIZE) >= 0 || errno != EAGAIN)
			bail("read");
		late = now() - start - timeout;
		best = late < best ? late : best;
	}
	return best;
}

static void test_resolution(void)
{
	static const double timeouts[] = { 100e-6, 1300e-6, 2600e-6 };
	int fd = listen_on("eth0", SIZE, O_RDWR);
	double late;
	unsigned int i;

	for (i = 0; i < 3; i++) {
		late = best_delay(fd, timeouts[i]);
		ok(late >= 0 && late < 1e-3 * time_scale(),
		   "read with a timeout of %.0f us returns within a millisecond of it"
		   " [BPF-READ-18]",
		   timeouts[i] * 1e6);
		printf("# late by %.0f us\n", late * 1e6);
	}
	close(fd);
}

static void test_nonblocking(void)
{
	int fd = listen_on("eth0", SIZE, O_RDWR);

	fcntl(fd, F_SETFL, O_NONBLOCK);
	equal(error_of(read(fd, buf, SIZE)), EAGAIN,
	      "non-blocking read without packets is EAGAIN [BPF-READ-14]");
	send_frames("eth1", 0, 2, 100);
	await_received(fd, 2);
	equal(read(fd, buf, SIZE), 2 * 136,
	      "non-blocking read gets a store buffer that is not full [CAP-DRV-FLS-1 BPF-READ-13]");
	equal(error_of(read(fd, buf, SIZE)), EAGAIN,
	      "non-blocking read after that is EAGAIN");
	send_frames("eth0", 2, 1, 100);
	equal(read(fd, buf, SIZE), 136,
	      "non-blocking read gets a frame that was just sent [BPF-READ-13]");
	close(fd);
}

static void handler(int sig) { (void)sig; }

static void test_signal(void)
{
	struct sigaction sa = { .sa_handler = handler, .sa_flags = SA_RESTART };
	int fd = listen_on("eth0", SIZE, O_RDWR);

	sigaction(SIGALRM, &sa, NULL);
	send_frames("eth1", 0, 2, 100);
	await_received(fd, 2);
	/* Repeatedly, as the first signal may come before the read. */
	ualarm(50000, 50000);
	equal(error_of(read(fd, buf, SIZE)), EINTR,
	      "a signal ends a read with EINTR [BPF-READ-24]");
	ualarm(0, 0);
	set_timeout(fd, 60000000);
	ualarm(50000, 50000);
	equal(error_of(read(fd, buf, SIZE)), EINTR,
	      "a signal ends a read with a timeout with EINTR [BPF-READ-25]");
	ualarm(0, 0);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	equal(read(fd, buf, SIZE), 2 * 136,
	      "read after signals gets all packets [BPF-READ-27]");
	close(fd);
}

static void test_immediate(void)
{
	int fd = listen_on("eth0", SIZE, O_RDWR);
	unsigned int first;

	set(fd, BIOCIMMEDIATE, 1);
	send_frames("eth1", 0, 1, 100);
	equal(read(fd, buf, SIZE), 136,
	      "immediate mode: read gets one packet [BPF-INPUT-23]");
	send_frames("eth1", 1, 2, 100);
	await_received(fd, 3);
	/*
	 * If the device fills the buffers, the first one can be held alone: the
	 * length of what is stored in the other is known only when it is read.
	 */
	first = get(fd, FIONREAD);
	ok(first == 2 * 136 || (device_fills() && first == 136),
	   "immediate mode: FIONREAD gives the store buffer's length [BPF-FIONREAD-3]");
	equal(read(fd, buf, SIZE), 2 * 136,
	      "immediate mode: read gets the packets that came since");
	set(fd, BIOCIMMEDIATE, 0);
	send_frames("eth1", 3, 1, 100);
	await_received(fd, 4);
	equal(get(fd, FIONREAD), 0,
	      "immediate mode off: FIONREAD is 0 with a stored packet [BPF-IMMEDIATE-2]");
	set(fd, BIOCIMMEDIATE, 0x100);
	equal(read(fd, buf, SIZE), 136,
	      "immediate mode on again: read gets the stored packet at once"
	      " [BPF-READ-11 BPF-IMMEDIATE-1]");
	close(fd);
}

int main(void)
{
	test_sizes();
	test_blocking();
	test_exactly_full();
	test_timeout();
	test_resolution();
	test_nonblocking();
	test_signal();
	test_immediate();
	return done_testing();
}
