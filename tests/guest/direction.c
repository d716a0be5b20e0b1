// SPDX-License-Identifier: GPL-2.0-or-later
/* Directions, frames to other hosts, and the formats of times. */
#include "guest.h"

#define SIZE	65536

static uint8_t buf[SIZE];

/* Send a frame in each direction; return a bit mask: 1 in, 2 out. */
static int seen(int fd)
{
	struct bpf_hdr *h;
	size_t off = 0;
	ssize_t len;
	int result = 0, witness = listen_on("eth0", SIZE, O_RDWR);

	send_frames("eth1", 1, 1, 100);
	send_frames("eth0", 2, 1, 100);
	await_received(witness, 2);
	close(witness);
	len = read(fd, buf, SIZE);
	while ((h = next_packet(buf, len, &off)))
		result |= ntohl(packet_frame(h)->seq);
	return result;
}

static void test_directions(void)
{
	int fd = listen_on("eth0", SIZE, O_RDWR | O_NONBLOCK);

	equal(seen(fd), 3,
	      "frames of both directions are captured by default [BPF-INPUT-27]");
	set(fd, BIOCSDIRECTION, BPF_D_IN);
	equal(seen(fd), 1,
	      "BPF_D_IN: received frames are captured, sent ones are not [BPF-SDIRECTION-1]");
	set(fd, BIOCSDIRECTION, BPF_D_OUT);
	equal(seen(fd), 2,
	      "BPF_D_OUT: sent frames are captured, received ones are not [BPF-SDIRECTION-1]");
	set(fd, BIOCSDIRECTION, BPF_D_INOUT);
	equal(seen(fd), 3,
	      "BPF_D_INOUT: frames of both directions are captured [BPF-SDIRECTION-1]");
	set(fd, BIOCSSEESENT, 0);
	equal(seen(fd), 1,
	      "BIOCSSEESENT 0: received frames are captured, sent ones are not"
	      " [BPF-INPUT-28 BPF-SSEESENT-1]");
	close(fd);
}

/* Send a frame to another host's address, and one that ends the waiting. */
static uint64_t captured_of_other(int fd)
{
	uint64_t before = stats(fd).bs_capt;
	int witness = listen_on("eth0", SIZE, O_RDWR);
	struct frame f;

	make_frame(&f, 1, 100);
	memcpy(f.dst, "\x52\x54\x00\x77\x77\x77", 6);
	send_raw("eth1", &f, 100);
	send_frames("eth1", 2, 1, 100);
	await_received(witness, 1);
	close(witness);
	return stats(fd).bs_capt - before - 1;
}

static void test_promiscuous(void)
{
	int fd = listen_on("eth0", SIZE, O_RDWR);
	int other = listen_on("eth0", SIZE, O_RDWR);

	equal(captured_of_other(fd), 0,
	      "not promiscuous: a frame for another host is not captured");
	equal(ioctl(other, BIOCPROMISC, NULL), 0, "BIOCPROMISC succeeds");
	equal(ioctl(other, BIOCPROMISC, NULL), 0,
	      "BIOCPROMISC a second time succeeds [BPF-PROMISC-3]");
	equal(captured_of_other(other), 1,
	      "promiscuous: a frame for another host is captured [BPF-PROMISC-2]");
	equal(captured_of_other(fd), 0,
	      "the other descriptor does not capture a frame for another host [BPF-PROMISC-2]");
	close(other);
	equal(captured_of_other(fd), 0,
	      "closing the promiscuous descriptor: a frame for another host is not captured"
	      " [BPF-CLOSE-5]");
	close(fd);
}

/* The device applies the settings of the only listener, and no others. */
static void test_alone(void)
{
	int fd = listen_on("eth0", SIZE, O_RDWR);
	struct frame f;

	set(fd, BIOCSDIRECTION, BPF_D_IN);
	send_frames("eth0", 1, 1, 100);
	equal(stats(fd).bs_capt, 0,
	      "only descriptor, BPF_D_IN: a sent frame is not captured");
	set(fd, BIOCSDIRECTION, BPF_D_OUT);
	send_frames("eth0", 2, 1, 100);
	equal(stats(fd).bs_capt, 1,
	      "only descriptor, BPF_D_OUT: a sent frame is captured");
	send_frames("eth0", 3, 1, 100);
	set(fd, BIOCSDIRECTION, BPF_D_IN);
	equal(stats(fd).bs_capt, 2,
	      "BIOCSDIRECTION: a frame sent before it is judged by the old direction"
	      " [BPF-SDIRECTION-3]");
	ioctl(fd, BIOCFLUSH, NULL);
	set(fd, BIOCSDIRECTION, BPF_D_INOUT);
	make_frame(&f, 1, 100);
	memcpy(f.dst, "\x52\x54\x00\x77\x77\x77", 6);
	send_raw("eth1", &f, 100);
	send_frames("eth1", 3, 1, 100);
	await_received(fd, 1);
	equal(stats(fd).bs_capt, 1,
	      "only descriptor, BPF_D_INOUT: a frame for another host is not captured");
	ioctl(fd, BIOCPROMISC, NULL);
	send_raw("eth1", &f, 100);
	ok(await_received(fd, 2),
	   "only descriptor, promiscuous: a frame for another host is captured");
	close(fd);
}

static void test_times(void)
{
	int fd = listen_on("eth0", SIZE, O_RDWR | O_NONBLOCK);
	struct bpf_xhdr *x = (struct bpf_xhdr *)buf;
	struct timespec before, after, ts;
	struct bintime bt;

	set(fd, BIOCSTSTAMP, BPF_T_NANOTIME);
	clock_gettime(CLOCK_REALTIME, &before);
	send_frames("eth0", 1, 1, 100);
	stats(fd);
	clock_gettime(CLOCK_REALTIME, &after);
	equal(read(fd, buf, SIZE), 136, "BPF_T_NANOTIME: read gets a packet");
	ok(x->bh_tstamp.bt_sec >= before.tv_sec - 1 &&
	   x->bh_tstamp.bt_sec <= after.tv_sec + 1,
	   "BPF_T_NANOTIME: the seconds are those of CLOCK_REALTIME");
	ok(x->bh_tstamp.bt_frac < 1000000000,
	   "BPF_T_NANOTIME: the fraction is below a billion nanoseconds");

	set(fd, BIOCSTSTAMP, BPF_T_BINTIME);
	clock_gettime(CLOCK_REALTIME, &before);
	send_frames("eth0", 1, 1, 100);
	stats(fd);
	equal(read(fd, buf, SIZE), 136, "BPF_T_BINTIME: read gets a packet");
	bt.sec = x->bh_tstamp.bt_sec;
	bt.frac = x->bh_tstamp.bt_frac;
	bintime2timespec(&bt, &ts);
	ok(ts.tv_sec >= before.tv_sec - 1 && ts.tv_sec <= before.tv_sec + 60,
	   "BPF_T_BINTIME: the seconds are those of CLOCK_REALTIME");
	equal(x->bh_caplen, 100,
	      "BPF_T_BINTIME: the captured length is in the header");
	close(fd);
}

int main(void)
{
	test_directions();
	test_promiscuous();
	test_alone();
	test_times();
	return done_testing();
}
