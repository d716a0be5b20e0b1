// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Drops of the capture device: it has one buffer to fill, and while this
 * program sends, no other code gets a processor to empty it.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <time.h>
#include <sys/wait.h>

#include "guest.h"

#define SIZE		1048576	/* takes all that the device can keep */
#define COUNT		220	/* frames of 1514 bytes: a buffer has 84, */
				/* and the ring of virtio-net 256 */
#define MAX_CPUS	8

static void be_alone(int cpu)
{
	struct sched_param param = { .sched_priority = 50 };
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(cpu, &cpus);
	if (sched_setaffinity(0, sizeof(cpus), &cpus) ||
	    sched_setscheduler(0, SCHED_FIFO, &param))
		bail("sched_setscheduler");
}

static void be_one_of_many(void)
{
	struct sched_param param = { .sched_priority = 0 };

	sched_setscheduler(0, SCHED_OTHER, &param);
}

/* Open a socket whose send buffer has room for many frames. */
static int open_socket(void)
{
	int s = socket(AF_PACKET, SOCK_RAW, 0), size = 1 << 24, on = 1;

	/* The queueing discipline drops what waits in it for too long. */
	if (setsockopt(s, SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof(on)))
		bail("PACKET_QDISC_BYPASS");
	if (setsockopt(s, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)))
		bail("SO_SNDBUFFORCE");
	return s;
}

static void send_at_once(int s, unsigned int n)
{
	struct sockaddr_ll to = {
		.sll_family = AF_PACKET,
		.sll_ifindex = if_nametoindex("eth0"),
	};
	struct frame f;

	make_frame(&f, 0, 1514);
	while (n--)
		if (sendto(s, &f, 1514, MSG_DONTWAIT, (struct sockaddr *)&to,
			   sizeof(to)) != 1514)
			bail("sendto");
}

/* Keep the processor busy while the NIC sends what was queued. */
static void spin(void)
{
	struct timespec now, end;

	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec++;
	do {
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while ((end.tv_sec - now.tv_sec) * 1000000000LL + end.tv_nsec -
		 now.tv_nsec > 800000000LL);
}

/* Send while busy loops occupy all other processors. */
static void send_alone(void)
{
	int n = sysconf(_SC_NPROCESSORS_ONLN), s = open_socket(), i;
	pid_t hogs[MAX_CPUS];

	for (i = 1; i < n && i < MAX_CPUS; i++) {
		hogs[i] = fork();
		if (hogs[i] == 0) {
			be_alone(i);
			for (;;)
				;
		}
	}
	usleep(50000);
	be_alone(0);
	send_at_once(s, COUNT);
	spin();
	be_one_of_many();
	for (i = 1; i < n && i < MAX_CPUS; i++) {
		kill(hogs[i], SIGKILL);
		waitpid(hogs[i], NULL, 0);
	}
	close(s);
}

static void load(const char *parameters)
{
	char command[128];

	snprintf(command, sizeof(command), "rmmod virtio_capture && "
		 "modprobe virtio_capture %s", parameters);
	if (system(command))
		bail("modprobe");
}

/* Load the driver with one capture buffer; allow larger ones for readers. */
static void load_for_large(void)
{
	load("buffers=1 offload=0");
	if (system("echo 1048576 >/proc/sys/net/bpf/maxbufsize"))
		bail("maxbufsize");
}

static void test_drops(const char *what, int more)
{
	static uint8_t buf[SIZE];
	struct bpf_stat st;
	size_t off = 0;
	unsigned int n = 0, i;
	ssize_t len;
	int fd, small;

	/* With this reader alone the capture buffer would be larger. */
	load_for_large();
	small = listen_on("eth0", 4096, O_RDWR | O_NONBLOCK);
	fd = listen_on("eth0", SIZE, O_RDWR | O_NONBLOCK);
	send_alone();
	if (more) {
		/* Let the device get its buffer back and continue. */
		usleep(200000);
		send_frames("eth0", COUNT, more, 1514);
	}
	/* The last frames may still be in the NIC's queue. */
	for (i = 0; i < 1000; i++) {
		st = stats(fd);
		if (st.bs_recv >= (unsigned int)(COUNT + more))
			break;
		usleep(10000);
	}
	ok(st.bs_drop > 0, "%s: the device drops frames", what);
	equal(st.bs_recv, COUNT + more,
	      "%s: dropped frames count as received [BPF-INPUT-11]", what);
	equal(st.bs_capt, COUNT + more - st.bs_drop,
	      "%s: dropped frames do not count as captured [BPF-INPUT-11]",
	      what);
	len = read(fd, buf, SIZE);
	while (next_packet(buf, len, &off))
		n++;
	equal(n, st.bs_capt, "%s: read gets every captured packet", what);
	equal(stats(fd).bs_drop, st.bs_drop,
	      "%s: dropped frames are counted once", what);
	close(fd);
	close(small);
}

/*
 * The device gets half as much of a buffer as the smallest buffer of a listener
 * has. A new size applies only after a frame, as the buffer is then made
 * available again.
 */
static unsigned int drops_beside(int fd)
{
	struct bpf_stat before, st = stats(fd);
	int i;

	before = st;
	send_frames("eth0", 0, 1, 1514);
	for (i = 0; i < 1000 && st.bs_recv == before.bs_recv; i++) {
		usleep(5000);
		st = stats(fd);
	}
	before = st;
	send_alone();
	for (i = 0; i < 1000; i++) {
		st = stats(fd);
		if (st.bs_recv >= before.bs_recv + COUNT)
			break;
		usleep(10000);
	}
	return st.bs_drop - before.bs_drop;
}

static void test_sizes(void)
{
	unsigned int drops = 1;
	int large, small, i;

	load_for_large();
	large = listen_on("eth0", SIZE, O_RDWR | O_NONBLOCK);
	/* On a busy host the buffer's age may have ended it: try again. */
	for (i = 0; i < 20 && drops; i++) {
		ioctl(large, BIOCFLUSH);
		drops = drops_beside(large);
	}
	if (time_scale() > 1)
		ok(true, "one listener with a large buffer: no drops "
		   "# SKIP a slow guest's buffers are ended by their age");
	else
		equal(drops, 0,
		      "one listener with a large buffer: the device drops nothing");
	small = listen_on("eth0", 131072, O_RDWR);
	ok(drops_beside(large) > 0,
	   "a second listener with a small buffer: the device drops frames");
	close(small);
	close(large);
}

int main(void)
{
	test_drops("at the end", 0);
	test_drops("in between", 1);
	test_sizes();
	load("");
	return done_testing();
}
