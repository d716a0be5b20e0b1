// SPDX-License-Identifier: GPL-2.0-or-later
/* Programs that write to zero-copy buffers what and when they must not. */
#include <pthread.h>
#include <stdatomic.h>

#include "zbuf.h"

#define LEN	(4 * PAGE)

/* Send enough frames to overfill both buffers. */
static void flood(const struct zero *z)
{
	int i;

	for (i = 0; i < 4; i++) {
		send_frames("eth0", 0, 20, 1000);
		stats(z->fd);
	}
}

/* A program that writes wrong values to headers and to all of the memory. */
static void test_lies(void)
{
	struct zero z = zero_listen(LEN);
	struct bpf_zbuf zbuf;
	uint32_t seq = 0;
	unsigned int i;

	for (i = 0; i < 300; i++) {
		memset(z.buf[i & 1], i * 37, i % 3 ? ZHEADER : LEN);
		send_frames("eth0", 0, 3, 1000);
		rotate(&z);
		readable(z.fd, 0);
	}
	ok(stats(z.fd).bs_capt == 900,
	   "program writes wrong lengths: capture goes on [BPF-ZBUF-13]");
	/* The right number is among these: acknowledge both buffers. */
	for (i = 0; i < 4; i++) {
		unsigned int gen;

		for (gen = 0; gen < 400; gen++) {
			zheader(&z, i & 1)->bzh_user_gen = gen;
			get(z.fd, FIONREAD);
		}
	}
	ioctl(z.fd, BIOCFLUSH);
	send_frames("eth0", 0, 1, 100);
	zbuf = rotate(&z);
	ok(zbuf.bz_buflen == 136,
	   "program wrote wrong lengths: BIOCROTZBUF gives the right one afterwards");
	z.next = zbuf.bz_bufa == z.buf[1];
	ok(check_next(&z, &seq) && seq == 1,
	   "program wrote wrong lengths: the next packets are right");
	zero_close(&z);
}

static atomic_bool enough;

/* Keep overwriting the contents of both buffers. */
static void *spoil(void *arg)
{
	struct zero *z = arg;
	unsigned int i;

	for (i = 0; !enough; i++) {
		memset(packets(z, i & 1), i * 37, LEN - ZHEADER);
		usleep(i % 8 * 20);
	}
	return NULL;
}

/*
 * With formats of times that the device does not support, the kernel converts
 * what the device wrote, which the program may have overwritten in between.
 */
static void test_spoilt_times(void)
{
	struct zero z = zero_listen(LEN), other = zero_listen(LEN);
	struct bpf_xhdr *h;
	pthread_t thread;
	int i;

	set(z.fd, BIOCSTSTAMP, BPF_T_BINTIME);
	for (i = 0; i < 50; i++) {
		send_frames("eth0", 0, 2, 100);
		memset(packets(&z, 0), i * 5, LEN - ZHEADER);
		memset(packets(&z, 1), i * 5, LEN - ZHEADER);
		rotate(&z);
		finish_next(&z);
	}
	pthread_create(&thread, NULL, spoil, &z);
	for (i = 0; i < 300; i++) {
		send_frames("eth0", 0, 3, 1000);
		rotate(&z);
		if (available(&z))
			finish_next(&z);
	}
	enough = true;
	pthread_join(thread, NULL);
	equal(stats(z.fd).bs_capt, 1000,
	      "program spoils times in a buffer: capture goes on");
	equal(stats(other.fd).bs_capt, 1000,
	      "program spoils times in a buffer: another descriptor's capture goes on"
	      " [BPF-ZBUF-13]");
	ioctl(z.fd, BIOCFLUSH);
	for (i = 0; i < 2; i++)
		acknowledge(&z, i);
	send_frames("eth0", 7, 1, 100);
	z.next = rotate(&z).bz_bufa == z.buf[1];
	h = (struct bpf_xhdr *)packets(&z, z.next);
	ok(available(&z) == 136 && zseq(&z, z.next, 0) == 7 &&
	   h->bh_caplen == 100 && !(uint32_t)h->bh_tstamp.bt_frac,
	   "program spoilt times in a buffer: the next packet is right");
	zero_close(&other);
	zero_close(&z);
}

static void test_two_descriptors(void)
{
	struct zero z = zero_listen(LEN), other;
	uint32_t seq = 0;

	other = zero_at(z.buf[0], z.buf[1], LEN);
	flood(&z);
	equal(stats(z.fd).bs_capt, 80,
	      "two descriptors with the same buffers: the first goes on");
	equal(stats(other.fd).bs_capt, 80,
	      "two descriptors with the same buffers: the second goes on");
	close(other.fd);
	zero_close(&z);
	z = zero_listen(LEN);
	send_frames("eth0", 0, 3, 100);
	rotate(&z);
	ok(check_next(&z, &seq) && seq == 3,
	   "after that a descriptor with buffers of its own gets its packets");
	zero_close(&z);
}

int main(void)
{
	test_lies();
	test_spoilt_times();
	test_two_descriptors();
	return done_testing();
}
