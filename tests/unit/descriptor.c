// SPDX-License-Identifier: GPL-2.0-or-later
/* The state of a descriptor: store, hold, rotation, read, poll, flush. */
#include <stdlib.h>

#include "bsd.h"
#include "catch.h"
#include "descriptor.h"
#include "header.h"
#include "tap.h"
#include "virtio_capture.h"

#define SIZE	1024
#define KEEP	0xffffffffU

static u8 frame[8192];

/* A descriptor with buffers of their own size, so that ASan sees overruns. */
static struct vcap_desc new_desc(u32 size)
{
	struct vcap_desc d;

	vcap_desc_init(&d);
	d.size = size;
	vcap_desc_attach(&d, malloc(size), malloc(size));
	return d;
}

static void free_desc(struct vcap_desc *d)
{
	free(d->store);
	free(d->hold);
}

static struct vcap_record record(u32 len)
{
	struct vcap_record rec = {
		.sec = 1, .nsec = 2000, .caplen = len, .datalen = len,
		.data = frame,
	};

	return rec;
}

static bool input(struct vcap_desc *d, u32 len)
{
	struct vcap_record rec = record(len);

	return vcap_desc_input(d, &rec, KEEP);
}

/* Do a whole read; return the number of bytes that a program would get. */
static u32 take(struct vcap_desc *d, bool now)
{
	u32 len = vcap_desc_read_begin(d, now);

	vcap_desc_read_end(d, len > 0);
	return len;
}

static void test_fresh(void)
{
	struct vcap_desc d;
	u8 *store;

	vcap_desc_init(&d);
	equal(d.size, 32768, "a new descriptor has buffers of 32768 bytes");
	ok(vcap_desc_readable(&d), "an unattached descriptor is readable");
	equal(vcap_desc_clamp(0, 262144), 32, "size 0 becomes the minimum, 32");
	equal(vcap_desc_clamp(1 << 30, 262144), 262144,
	      "size 2^30 becomes the maximum");
	equal(vcap_desc_clamp(4096, 262144), 4096, "size 4096 is kept");
	equal(vcap_desc_clamp(4001, 262144), 4001, "size 4001 is kept");

	d = new_desc(SIZE);
	store = d.store;
	ok(!vcap_desc_readable(&d), "attached and empty: not readable");
	equal(vcap_desc_available(&d), 0, "attached and empty: FIONREAD is 0");
	equal(take(&d, true), 0,
	      "attached and empty: a read that does not wait gets nothing");
	ok(d.store == store,
	   "attached and empty: a read does not rotate the buffers");
	free_desc(&d);
}

static void test_rotation(void)
{
	struct vcap_desc d = new_desc(SIZE);
	int i;

	/* 32 + 68 -> 104 bytes each: nine fit, the tenth does not. */
	for (i = 0; i < 9; i++)
		ok(!input(&d, 68),
		   "store buffer not full: packet %d wakes nobody", i);
	equal(d.store_len, 9 * 104,
	      "store buffer not full: it has nine packets");
	ok(!vcap_desc_readable(&d), "store buffer not full: not readable");
	equal(take(&d, false), 0,
	      "store buffer not full: a blocking read gets nothing");
	ok(input(&d, 68), "the tenth packet does not fit: the rotation wakes");
	equal(d.hold_len, 9 * 104,
	      "the tenth packet does not fit: nine are in the hold buffer");
	equal(d.store_len, 104,
	      "the tenth packet does not fit: it is in the store buffer");
	ok(vcap_desc_readable(&d), "hold buffer occupied: readable");
	equal(vcap_desc_available(&d), 9 * 104,
	      "hold buffer occupied: FIONREAD gives its length");
	for (i = 0; i < 8; i++)
		input(&d, 68);
	equal(d.drop, 0, "hold buffer occupied: no packet was dropped");
	ok(!input(&d, 68), "no room in either buffer: a drop wakes nobody");
	equal(d.drop, 1, "no room in either buffer: the drop is counted");
	equal(d.recv, 19,
	      "no room in either buffer: bs_recv counts all packets");
	equal(d.capt, 19,
	      "no room in either buffer: bs_capt counts all accepted packets");
	ok(!input(&d, 0), "after a drop: a smaller packet wakes nobody");
	equal(d.drop, 1,
	      "after a drop: a smaller packet that fits is not dropped");
	equal(take(&d, false), 9 * 104,
	      "after a drop: a read gets the hold buffer");
	equal(take(&d, false), 0,
	      "after a drop: a blocking read does not get the store buffer");
	equal(take(&d, true), 9 * 104 + 32,
	      "after a drop: a read that does not wait gets the store buffer");
	free_desc(&d);
}

static void test_exactly_full(void)
{
	struct vcap_desc d = new_desc(SIZE);

	ok(input(&d, SIZE - 32), "exactly full: the rotation wakes");
	equal(d.hold_len, SIZE, "exactly full: the hold buffer has all");
	ok(!input(&d, SIZE - 32),
	   "exactly full, hold buffer occupied: no rotation");
	equal(d.store_len, SIZE,
	      "exactly full, hold buffer occupied: the store buffer keeps its packet");
	equal(take(&d, false), SIZE,
	      "both exactly full: the first read gets a whole buffer");
	ok(vcap_desc_readable(&d),
	   "both exactly full: after the first read readable");
	equal(take(&d, false), SIZE,
	      "both exactly full: the second read gets a whole buffer");
	ok(!vcap_desc_readable(&d),
	   "both exactly full: after the second read not readable");
	free_desc(&d);
}

static void test_cut(void)
{
	struct vcap_desc d = new_desc(SIZE);
	struct bpf_hdr *hdr;

	input(&d, 100);
	ok(input(&d, 5000),
	   "packet larger than the buffer: the rotation wakes");
	equal(d.hold_len, 136,
	      "packet larger than the buffer: the hold buffer has the packet before it");
	equal(d.store_len, SIZE,
	      "packet larger than the buffer: it fills the store buffer");
	hdr = (struct bpf_hdr *)d.store;
	equal(hdr->bh_caplen, SIZE - 32,
	      "packet larger than the buffer: the captured length is cut to the buffer");
	equal(hdr->bh_datalen, 5000,
	      "packet larger than the buffer: it has its original length");
	free_desc(&d);

	d = new_desc(1001);
	ok(input(&d, 5000), "buffer of odd size: a packet that fills it wakes");
	equal(d.hold_len, 1000,
	      "buffer of odd size: it is used up to the alignment");
	equal(take(&d, false), 1000, "buffer of odd size: a read gets that");
	free_desc(&d);

	d = new_desc(32);
	ok(input(&d, 5000), "buffer of 32 bytes: a packet fills it, and wakes");
	hdr = (struct bpf_hdr *)d.hold;
	equal(hdr->bh_caplen, 0,
	      "buffer of 32 bytes: it has room for a header only");
	free_desc(&d);
}

static void test_filter_result(void)
{
	struct vcap_desc d = new_desc(SIZE);
	struct vcap_record rec = record(100);

	d.immediate = true;
	ok(!vcap_desc_input(&d, &rec, 0), "rejected packet: it wakes nobody");
	equal(d.recv, 1, "rejected packet: bs_recv counts it");
	equal(d.capt, 0, "rejected packet: bs_capt does not count it");
	equal(d.store_len, 0, "rejected packet: it is not stored");
	ok(vcap_desc_input(&d, &rec, 10),
	   "filter keeps 10 bytes: the packet wakes");
	equal(((struct bpf_hdr *)d.store)->bh_caplen, 10,
	      "filter keeps 10 bytes: the captured length is 10");
	ok(vcap_desc_input(&d, &rec, KEEP),
	   "filter keeps more than the packet has: it wakes");
	equal(((struct bpf_hdr *)(d.store + 48))->bh_caplen, 100,
	      "filter keeps more than the packet has: the captured length is the frame's");
	vcap_desc_add_drops(&d, 5);
	equal(d.recv, 8, "drops of the device: bs_recv counts them");
	equal(d.drop, 5, "drops of the device: bs_drop counts them");
	equal(d.capt, 2, "drops of the device: bs_capt does not count them");
	free_desc(&d);
}

static void test_immediate(void)
{
	struct vcap_desc d = new_desc(SIZE);

	d.immediate = true;
	ok(input(&d, 60), "immediate mode: a packet wakes");
	ok(vcap_desc_readable(&d),
	   "immediate mode: a stored packet is readable");
	equal(vcap_desc_available(&d), 96,
	      "immediate mode: FIONREAD gives the store buffer's length");
	equal(take(&d, false), 96,
	      "immediate mode: a blocking read gets the stored packet");
	ok(!vcap_desc_readable(&d),
	   "immediate mode: after the read not readable");
	d.immediate = false;
	input(&d, 60);
	ok(!vcap_desc_readable(&d),
	   "not immediate: a stored packet is not readable");
	d.immediate = true;
	ok(vcap_desc_readable(&d),
	   "immediate mode set: a stored packet is readable");
	free_desc(&d);
}

/* As in immediate mode, until a read has ended. */
static void test_timed_out(void)
{
	struct vcap_desc d = new_desc(SIZE);

	ok(!input(&d, 60), "timeout not expired: a packet wakes nobody");
	d.timed_out = true;
	ok(vcap_desc_readable(&d),
	   "timeout expired: a stored packet is readable");
	equal(vcap_desc_available(&d), 96,
	      "timeout expired: FIONREAD gives the store buffer's length");
	equal(take(&d, false), 96,
	      "timeout expired: a blocking read gets the stored packet");
	ok(!vcap_desc_readable(&d),
	   "timeout expired without packets: not readable");
	equal(vcap_desc_available(&d), 0,
	      "timeout expired without packets: FIONREAD is 0");
	equal(take(&d, false), 0,
	      "timeout expired without packets: a blocking read gets nothing");
	ok(input(&d, 60),
	   "timeout expired without packets: the next packet wakes");
	vcap_desc_flush(&d);
	ok(!vcap_desc_readable(&d), "timeout expired, flush: not readable");
	ok(input(&d, 60), "timeout expired, flush: the next packet wakes");
	d.timed_out = false;
	ok(!vcap_desc_readable(&d),
	   "timeout expired, read ended: a packet is not readable");
	equal(vcap_desc_available(&d), 0,
	      "timeout expired, read ended: FIONREAD is 0");
	free_desc(&d);
}

static void test_direction(void)
{
	static const struct {
		u32 direction;
		bool promisc;
		u16 flags;
		bool wants;
	} cases[] = {
		{ BPF_D_INOUT, false, 0, true },
		{ BPF_D_INOUT, false, VIRTIO_CAPTURE_R_SENT, true },
		{ BPF_D_INOUT, false, VIRTIO_CAPTURE_R_OTHERHOST, false },
		{ BPF_D_INOUT, true, VIRTIO_CAPTURE_R_OTHERHOST, true },
		{ BPF_D_IN, false, 0, true },
		{ BPF_D_IN, true, VIRTIO_CAPTURE_R_SENT, false },
		{ BPF_D_OUT, true, 0, false },
		{ BPF_D_OUT, false, VIRTIO_CAPTURE_R_SENT, true },
	};
	struct vcap_desc d = new_desc(SIZE);
	struct vcap_record rec = record(60);
	unsigned int i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		d.direction = cases[i].direction;
		d.promisc = cases[i].promisc;
		rec.flags = cases[i].flags;
		equal(vcap_desc_wants(&d, &rec), cases[i].wants,
		      "direction %u, promiscuous %d, record flags %x",
		      d.direction, d.promisc, rec.flags);
	}
	free_desc(&d);
}

static void test_flush(void)
{
	struct vcap_desc d = new_desc(SIZE);

	input(&d, SIZE - 32);
	input(&d, 60);
	vcap_desc_flush(&d);
	equal(d.recv + d.capt + d.drop, 0, "flush: the counters are zero");
	ok(!vcap_desc_readable(&d), "flush: not readable");
	equal(take(&d, true), 0, "flush: the store buffer is empty");

	/* A flush during a read's copying: the read came first. */
	input(&d, SIZE - 32);
	equal(vcap_desc_read_begin(&d, false), SIZE,
	      "read with a flush: it begins with the hold buffer");
	vcap_desc_flush(&d);
	equal(d.hold_len, SIZE,
	      "read with a flush: the hold buffer stays while it copies");
	vcap_desc_read_end(&d, false);
	equal(d.hold_len, 0,
	      "read with a flush that fails: the hold buffer is empty");
	ok(!vcap_desc_readable(&d),
	   "read with a flush that fails: not readable");
	free_desc(&d);
}

static void test_failed_read(void)
{
	struct vcap_desc d = new_desc(SIZE);

	input(&d, SIZE - 32);
	equal(vcap_desc_read_begin(&d, false), SIZE,
	      "read with a new packet: it begins with the hold buffer");
	input(&d, SIZE - 32);
	ok(!input(&d, 60),
	   "read with a new packet: no rotation while it copies");
	equal(d.drop, 1,
	      "read with a new packet: a packet without room is dropped");
	vcap_desc_read_end(&d, false);
	equal(take(&d, false), SIZE,
	      "read that fails: the next one gets the same packets");
	equal(take(&d, false), SIZE,
	      "read that fails: the store buffer is read after them");
	free_desc(&d);
}

static void test_gone(void)
{
	struct vcap_desc d = new_desc(SIZE);

	input(&d, SIZE - 32);
	input(&d, 60);
	vcap_desc_detach(&d);
	ok(vcap_desc_readable(&d), "interface gone: readable");
	equal(take(&d, false), SIZE,
	      "interface gone: a read gets the hold buffer first");
	equal(take(&d, false), 96,
	      "interface gone: a blocking read gets the store buffer next");
	equal(take(&d, false), 0, "interface gone: a third read gets nothing");
	ok(vcap_desc_readable(&d), "interface gone, nothing left: readable");
	free_desc(&d);

	d = new_desc(SIZE);
	input(&d, 60);
	vcap_desc_detach(&d);
	equal(vcap_desc_available(&d), 96,
	      "interface goes with stored packets: FIONREAD gives their length");
	free_desc(&d);
}

int main(void)
{
	test_fresh();
	test_rotation();
	test_exactly_full();
	test_cut();
	test_filter_result();
	test_immediate();
	test_timed_out();
	test_direction();
	test_flush();
	test_failed_read();
	test_gone();
	return done_testing();
}
