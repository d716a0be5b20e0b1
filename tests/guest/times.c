// SPDX-License-Identifier: GPL-2.0-or-later
/* The time of each packet: the guest's clock, in the chosen format. */
#include <time.h>

#include "guest.h"

#define SIZE	65536
#define SECOND	1000000000LL
#define SLACK	(SECOND / 20)	/* the clocks are compared, not identical */

static uint8_t buf[SIZE];

static long long clock_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return ts.tv_sec * SECOND + ts.tv_nsec;
}

static void shift_clock(long long ns)
{
	long long to = clock_now() + ns;
	struct timespec ts = { to / SECOND, to % SECOND };

	if (clock_settime(CLOCK_REALTIME, &ts))
		bail("clock_settime");
}

/* Return the time of a packet in nanoseconds. */
static long long packet_time(const void *packet, unsigned int tstamp)
{
	const struct bpf_xhdr *x = packet;
	const struct bpf_hdr *h = packet;
	struct bintime bt = { x->bh_tstamp.bt_sec, x->bh_tstamp.bt_frac };
	struct timespec ts;

	switch (tstamp) {
	case BPF_T_MICROTIME:
		return h->bh_tstamp.tv_sec * SECOND +
		       h->bh_tstamp.tv_usec * 1000LL;
	case BPF_T_NANOTIME:
		return x->bh_tstamp.bt_sec * SECOND + x->bh_tstamp.bt_frac;
	default:
		bintime2timespec(&bt, &ts);
		return ts.tv_sec * SECOND + ts.tv_nsec;
	}
}

/*
 * Capture frames between two reads of the clock, and check that the packets'
 * times are between them. Returns how many are not whole microseconds.
 */
static int capture(unsigned int tstamp, const char *what)
{
	int fd = listen_on("eth0", SIZE, O_RDWR | O_NONBLOCK), fine = 0, bad = 0;
	long long before, after, t, last = 0;
	struct bpf_hdr *h;
	size_t off = 0;
	unsigned int n = 0;
	ssize_t len;

	set(fd, BIOCSTSTAMP, tstamp);
	before = clock_now();
	send_frames("eth0", 0, 50, 100);
	stats(fd);
	after = clock_now();
	len = read(fd, buf, SIZE);
	while ((h = next_packet(buf, len, &off))) {
		t = packet_time(h, tstamp);
		bad += t < before - SLACK || t > after + SLACK || t < last;
		last = t;
		fine += t % 1000 != 0;
		n++;
	}
	equal(n, 50, "%s: 50 packets are captured", what);
	equal(bad, 0,
	      "%s: times are between before and after sending, in order"
	      " [CAP-DRV-CLK-2 BPF-INPUT-15]",
	      what);
	close(fd);
	return fine;
}

/* Return true if a packet's time is close to now. Reads without a barrier. */
static int is_right(int fd)
{
	long long before = clock_now(), t;

	send_frames("eth0", 0, 1, 100);
	if (read(fd, buf, SIZE) != 136)
		bail("read");
	t = packet_time(buf, BPF_T_MICROTIME);
	return t > before - SLACK && t < clock_now() + SLACK;
}

/* A read never returns packets of two formats. */
static void test_format_change(void)
{
	int fd = listen_on("eth0", SIZE, O_RDWR | O_NONBLOCK);

	send_frames("eth0", 1, 2, 100);
	equal(stats(fd).bs_capt, 2,
	      "two packets with microseconds are captured");
	set(fd, BIOCSTSTAMP, BPF_T_MICROTIME);
	set(fd, BIOCSTSTAMP, BPF_T_NANOTIME);
	equal(error_of(read(fd, buf, SIZE)), EAGAIN,
	      "BIOCSTSTAMP of another format empties the buffers [BPF-STSTAMP-3]");
	equal(stats(fd).bs_capt, 2,
	      "BIOCSTSTAMP of another format keeps the counts [BPF-STSTAMP-3]");
	send_frames("eth0", 3, 1, 100);
	set(fd, BIOCSTSTAMP, BPF_T_BINTIME);
	equal(error_of(read(fd, buf, SIZE)), EAGAIN,
	      "BIOCSTSTAMP discards packets that only the device has [BPF-STSTAMP-3]");
	equal(stats(fd).bs_capt, 3,
	      "BIOCSTSTAMP counts packets that only the device had [BPF-STSTAMP-3]");
	close(fd);
}

/* The clock is set while a descriptor captures. */
static void test_clock_set(void)
{
	int fd = listen_on("eth0", SIZE, O_RDWR), i, right = 0;

	set(fd, BIOCIMMEDIATE, 1);
	ok(is_right(fd),
	   "a packet from before the clock is set has the right time");
	shift_clock(1000 * SECOND);
	stats(fd);
	ok(is_right(fd),
	   "clock set forward: BIOCGSTATS compares the clocks, and the next time is right"
	   " [BPF-INPUT-15]");
	shift_clock(-1000 * SECOND);
	/* The clocks are compared once a second, some time after a packet. */
	for (i = 0; i < 100 && !right; i++) {
		usleep(100000);
		right = is_right(fd);
	}
	ok(right,
	   "clock set back: packets have the right time after some seconds [BPF-INPUT-15]");
	close(fd);
}

int main(void)
{
	equal(capture(BPF_T_MICROTIME, "microseconds"), 0,
	      "BPF_T_MICROTIME: times are whole microseconds [BPF-STSTAMP-1]");
	ok(capture(BPF_T_NANOTIME, "nanoseconds") > 25,
	   "BPF_T_NANOTIME: times are not rounded to microseconds [BPF-STSTAMP-1]");
	ok(capture(BPF_T_BINTIME, "binary fractions") > 25,
	   "BPF_T_BINTIME: times are not rounded to microseconds [BPF-STSTAMP-1]");
	shift_clock(1000 * SECOND);
	capture(BPF_T_MICROTIME, "the clock was set forward");
	shift_clock(-1000 * SECOND);
	capture(BPF_T_NANOTIME, "the clock was set back");
	test_clock_set();
	test_format_change();
	return done_testing();
}
