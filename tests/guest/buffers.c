// SPDX-License-Identifier: GPL-2.0-or-later
/* Store and hold buffer at their limits: exactly full, too small, no space. */
#include "guest.h"

#define FULL	(8 * 128)	/* eight packets of 96 bytes fill it exactly */

static uint8_t buf[65536];

static uint32_t seq_at(size_t off)
{
	return ntohl(packet_frame((struct bpf_hdr *)(buf + off))->seq);
}

/* Frames for tests that send and wait for their capture. */
static void fill(int fd, uint32_t first, unsigned int n, size_t len)
{
	uint64_t before = stats(fd).bs_capt;

	send_frames("eth0", first, n, len);
	if (stats(fd).bs_capt != before + n)
		bail("frames are missing");
}

static void test_exactly_full(void)
{
	int fd = listen_on("eth0", FULL, O_RDWR);

	fill(fd, 0, 7, 96);
	ok(!readable(fd, 0),
	   "store buffer with room for one packet more: not readable [BPF-POLL-6]");
	fill(fd, 7, 1, 96);
	ok(readable(fd, 0),
	   "store buffer exactly full: readable [BPF-INPUT-19]");
	equal(get(fd, FIONREAD), FULL,
	      "store buffer exactly full: rotated at once, FIONREAD gives its length"
	      " [BPF-INPUT-19]");
	fill(fd, 8, 8, 96);
	equal(get(fd, FIONREAD), FULL,
	      "store buffer exactly full, hold buffer occupied: not rotated [BPF-INPUT-20]");
	equal(stats(fd).bs_drop, 0,
	      "both buffers exactly full: no packet was dropped");
	equal(read(fd, buf, FULL), FULL,
	      "both buffers exactly full: the first read gets a whole buffer");
	equal(seq_at(0), 0,
	      "both buffers exactly full: the first read begins with packet 0");
	ok(readable(fd, 20000),
	   "after the first read the full store buffer is readable [BPF-READ-22]");
	equal(read(fd, buf, FULL), FULL,
	      "the second read gets it without waiting [BPF-READ-22]");
	equal(seq_at(7 * 128), 15, "the second read ends with packet 15");
	ok(!readable(fd, 0), "after both reads the descriptor is not readable");
	close(fd);
}

/* A packet one byte too long for the space rotates the buffers. */
static void test_does_not_fit(void)
{
	int fd = listen_on("eth0", FULL, O_RDWR);

	fill(fd, 0, 7, 96);
	fill(fd, 7, 1, 97);
	equal(get(fd, FIONREAD), 7 * 128,
	      "a packet a byte too long for the room left rotates the buffers [BPF-INPUT-13]");
	equal(read(fd, buf, FULL), 7 * 128,
	      "read gets the packets before the one that did not fit [BPF-INPUT-14]");
	fill(fd, 8, 6, 96);
	ok(!readable(fd, 0),
	   "the packet that did not fit and six more: not readable");
	set(fd, BIOCIMMEDIATE, 1);
	equal(read(fd, buf, FULL), 136 + 6 * 128,
	      "read gets the packet that did not fit, and those after it");
	equal(((struct bpf_hdr *)buf)->bh_caplen, 97,
	      "the packet that did not fit has all its bytes");
	close(fd);
}

static void test_cut(void)
{
	int fd = listen_on("eth0", FULL, O_RDWR | O_NONBLOCK);
	struct bpf_hdr *h = (struct bpf_hdr *)buf;
	struct frame f;

	make_frame(&f, 1, 1400);
	fill(fd, 0, 1, 60);
	fill(fd, 1, 1, 1400);
	equal(get(fd, FIONREAD), 96,
	      "a packet longer than a buffer does not take the rest of one [BPF-INPUT-7]");
	equal(read(fd, buf, FULL), 96,
	      "read gets the packet before the one longer than a buffer");
	equal(read(fd, buf, FULL), FULL,
	      "the packet longer than a buffer gets a whole buffer");
	equal(h->bh_caplen, FULL - 32,
	      "the packet longer than a buffer is cut to the buffer [BPF-INPUT-7]");
	equal(h->bh_datalen, 1400,
	      "the packet longer than a buffer has its original length in the header");
	ok(!memcmp(packet_frame(h), &f, FULL - 32),
	   "the packet longer than a buffer has its first bytes");
	close(fd);

	fd = listen_on("eth0", 32, O_RDWR | O_NONBLOCK);
	fill(fd, 0, 1, 60);
	equal(read(fd, buf, 32), 32,
	      "buffer of 32 bytes: a packet is a header [BPF-INPUT-8]");
	equal(h->bh_caplen, 0, "buffer of 32 bytes: the captured length is 0");
	equal(h->bh_datalen, 60,
	      "buffer of 32 bytes: the original length is 60");
	close(fd);
}

/* A size that is not a multiple of the alignment. */
static void test_odd_size(void)
{
	int fd = listen_on("eth0", 7 * 136 + 5, O_RDWR);

	fill(fd, 0, 7, 100);
	ok(readable(fd, 0),
	   "buffer of 957 bytes: readable when no further header fits");
	equal(error_of(read(fd, buf, 7 * 136)), EINVAL,
	      "buffer of 957 bytes: read of a multiple of the packet's size is EINVAL");
	equal(read(fd, buf, 7 * 136 + 5), 7 * 136,
	      "buffer of 957 bytes: read of that size gets all packets");
	close(fd);
}

static void test_drops(void)
{
	int fd = listen_on("eth0", FULL, O_RDWR | O_NONBLOCK);

	fill(fd, 0, 8, 96);
	fill(fd, 8, 7, 96);
	fill(fd, 15, 1, 97);
	equal(stats(fd).bs_drop, 1,
	      "a packet with no room in either buffer is dropped [BPF-INPUT-10]");
	fill(fd, 16, 1, 96);
	equal(stats(fd).bs_drop, 1,
	      "a shorter packet is stored after a drop [BPF-INPUT-12]");
	fill(fd, 17, 1, 60);
	equal(stats(fd).bs_drop, 2, "a packet is dropped when nothing fits");
	equal(stats(fd).bs_capt, 18,
	      "dropped packets count as captured [CAP-DRV-FLT-2 BPF-INPUT-9]");
	equal(read(fd, buf, FULL), FULL,
	      "drops leave the hold buffer as it was [BPF-INPUT-10]");
	equal(seq_at(7 * 128), 7, "drops: the hold buffer ends with packet 7");
	fill(fd, 18, 1, 60);
	equal(stats(fd).bs_drop, 2, "a read makes room: no further drop");
	equal(read(fd, buf, FULL), FULL,
	      "drops leave the stored packets as they were");
	equal(seq_at(7 * 128), 16,
	      "drops: the stored packets end with packet 16");
	equal(read(fd, buf, FULL), 96,
	      "read gets the packet stored after the drops");
	equal(seq_at(0), 18, "the packet stored after the drops is packet 18");
	close(fd);
}

/* Frames that the filter rejects only count as received. */
static void test_rejected(void)
{
	int fd = listen_on("eth0", FULL, O_RDWR | O_NONBLOCK);
	struct frame f;
	uint64_t before;

	fill(fd, 0, 8, 96);
	fill(fd, 8, 8, 96);
	set(fd, BIOCIMMEDIATE, 1);
	before = stats(fd).bs_recv;
	make_frame(&f, 1, 100);
	f.type = htons(ETHERTYPE + 1);
	send_raw("eth0", &f, 100);
	ok(stats(fd).bs_recv > before,
	   "a frame that the filter rejects counts as received [BPF-INPUT-1]");
	equal(stats(fd).bs_capt, 16,
	      "a frame that the filter rejects does not count as captured [BPF-INPUT-4]");
	equal(stats(fd).bs_drop, 0,
	      "a frame that the filter rejects is no drop when there is no room");
	close(fd);
	fd = listen_on("eth0", FULL, O_RDWR | O_NONBLOCK);
	set(fd, BIOCIMMEDIATE, 1);
	send_raw("eth0", &f, 100);
	stats(fd);
	ok(!readable(fd, 0),
	   "immediate mode: a frame that the filter rejects makes nothing readable [BPF-INPUT-4]");
	close(fd);
}

/* With a hold buffer, a read returns only that, in any mode. */
static void test_held_first(void)
{
	int fd = listen_on("eth0", FULL, O_RDWR | O_NONBLOCK);

	fill(fd, 0, 10, 96);
	equal(read(fd, buf, FULL), FULL,
	      "non-blocking read gets the hold buffer first [BPF-READ-10]");
	equal(read(fd, buf, FULL), 2 * 128,
	      "non-blocking read gets the stored packets next");
	fill(fd, 10, 10, 96);
	set(fd, BIOCIMMEDIATE, 1);
	equal(get(fd, FIONREAD), FULL,
	      "immediate mode: FIONREAD gives the hold buffer's length [BPF-FIONREAD-2]");
	equal(read(fd, buf, FULL), FULL,
	      "immediate mode: read gets the hold buffer first [BPF-READ-10]");
	equal(get(fd, FIONREAD), 2 * 128,
	      "immediate mode: FIONREAD gives the store buffer's length next");
	equal(read(fd, buf, FULL), 2 * 128,
	      "immediate mode: read gets the store buffer next");
	equal(seq_at(128), 19,
	      "immediate mode: the store buffer ends with packet 19");
	close(fd);
}

int main(void)
{
	test_exactly_full();
	test_does_not_fit();
	test_cut();
	test_odd_size();
	test_drops();
	test_rejected();
	test_held_first();
	return done_testing();
}
