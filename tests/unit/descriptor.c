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

/* A whole read; returns the bytes that a program would get. */
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
	equal(d.size, 32768, "default buffer size");
	ok(vcap_desc_readable(&d), "an unattached descriptor is readable");
	equal(vcap_desc_clamp(0, 262144), 32, "size below the minimum");
	equal(vcap_desc_clamp(1 << 30, 262144), 262144, "above the maximum");
	equal(vcap_desc_clamp(4096, 262144), 4096, "a valid size is kept");
	equal(vcap_desc_clamp(4001, 262144), 4001, "even an odd one");

	d = new_desc(SIZE);
	store = d.store;
	ok(!vcap_desc_readable(&d), "attached and empty: not readable");
	equal(vcap_desc_available(&d), 0, "FIONREAD of empty buffers");
	equal(take(&d, true), 0, "nothing to read");
	ok(d.store == store, "empty buffers are not rotated");
	free_desc(&d);
}

static void test_rotation(void)
{
	struct vcap_desc d = new_desc(SIZE);
	int i;

	/* 32 + 68 -> 104 bytes each: nine fit, the tenth does not. */
	for (i = 0; i < 9; i++)
		ok(!input(&d, 68), "packet %d wakes nobody", i);
	equal(d.store_len, 9 * 104, "all in the store buffer");
	ok(!vcap_desc_readable(&d), "not readable yet");
	equal(take(&d, false), 0, "a blocking read would wait");
	ok(input(&d, 68), "the tenth does not fit: rotation wakes");
	equal(d.hold_len, 9 * 104, "nine packets are held");
	equal(d.store_len, 104, "the tenth is stored");
	ok(vcap_desc_readable(&d), "readable");
	equal(vcap_desc_available(&d), 9 * 104, "FIONREAD is the hold buffer");
	for (i = 0; i < 8; i++)
		input(&d, 68);
	equal(d.drop, 0, "nothing dropped so far");
	ok(!input(&d, 68), "both full: a drop wakes nobody");
	equal(d.drop, 1, "and is counted");
	equal(d.recv, 19, "received: all");
	equal(d.capt, 19, "captured: all that the filter accepted");
	ok(!input(&d, 0), "a smaller one still fits");
	equal(d.drop, 1, "so it is not dropped");
	equal(take(&d, false), 9 * 104, "the held packets are read");
	equal(take(&d, false), 0, "the stored ones are not full yet");
	equal(take(&d, true), 9 * 104 + 32, "unless the read may not wait");
	free_desc(&d);
}

static void test_exactly_full(void)
{
	struct vcap_desc d = new_desc(SIZE);

	ok(input(&d, SIZE - 32), "exactly full: rotated at once");
	equal(d.hold_len, SIZE, "held");
	ok(!input(&d, SIZE - 32), "full again, but the hold buffer is occupied");
	equal(d.store_len, SIZE, "so it stays");
	equal(take(&d, false), SIZE, "first read");
	ok(vcap_desc_readable(&d), "the full store buffer was rotated by it");
	equal(take(&d, false), SIZE, "second read");
	ok(!vcap_desc_readable(&d), "empty");
	free_desc(&d);
}

static void test_cut(void)
{
	struct vcap_desc d = new_desc(SIZE);
	struct bpf_hdr *hdr;

	input(&d, 100);
	ok(input(&d, 5000), "a packet larger than the buffer");
	equal(d.hold_len, 136, "does not get the rest of the store buffer");
	equal(d.store_len, SIZE, "but a whole one");
	hdr = (struct bpf_hdr *)d.store;
	equal(hdr->bh_caplen, SIZE - 32, "cut to the buffer");
	equal(hdr->bh_datalen, 5000, "with its original length");
	free_desc(&d);

	d = new_desc(1001);
	ok(input(&d, 5000), "a buffer of odd size");
	equal(d.hold_len, 1000, "is used up to the alignment");
	equal(take(&d, false), 1000, "and read");
	free_desc(&d);

	d = new_desc(32);
	ok(input(&d, 5000), "the smallest buffer");
	hdr = (struct bpf_hdr *)d.hold;
	equal(hdr->bh_caplen, 0, "has room for a header only");
	free_desc(&d);
}

static void test_filter_result(void)
{
	struct vcap_desc d = new_desc(SIZE);
	struct vcap_record rec = record(100);

	d.immediate = true;
	ok(!vcap_desc_input(&d, &rec, 0), "rejected: wakes nobody");
	equal(d.recv, 1, "counted as received");
	equal(d.capt, 0, "not as captured");
	equal(d.store_len, 0, "not stored");
	ok(vcap_desc_input(&d, &rec, 10), "accepted with 10 bytes");
	equal(((struct bpf_hdr *)d.store)->bh_caplen, 10, "cut to them");
	ok(vcap_desc_input(&d, &rec, KEEP), "accepted with more than it has");
	equal(((struct bpf_hdr *)(d.store + 48))->bh_caplen, 100,
	      "cut to the frame");
	vcap_desc_add_drops(&d, 5);
	equal(d.recv, 8, "the device's drops are received");
	equal(d.drop, 5, "and dropped");
	equal(d.capt, 2, "but not captured");
	free_desc(&d);
}

static void test_immediate(void)
{
	struct vcap_desc d = new_desc(SIZE);

	d.immediate = true;
	ok(input(&d, 60), "immediate: one packet wakes");
	ok(vcap_desc_readable(&d), "readable");
	equal(vcap_desc_available(&d), 96, "FIONREAD is the store buffer");
	equal(take(&d, false), 96, "read without waiting");
	ok(!vcap_desc_readable(&d), "empty");
	d.immediate = false;
	input(&d, 60);
	ok(!vcap_desc_readable(&d), "not immediate: one packet is not enough");
	d.immediate = true;
	ok(vcap_desc_readable(&d), "until immediate mode is set");
	free_desc(&d);
}

/* As in immediate mode, until a read has ended. */
static void test_timed_out(void)
{
	struct vcap_desc d = new_desc(SIZE);

	ok(!input(&d, 60), "the time is not up: a packet wakes nobody");
	d.timed_out = true;
	ok(vcap_desc_readable(&d), "time is up: readable");
	equal(vcap_desc_available(&d), 96, "FIONREAD is the store buffer");
	equal(take(&d, false), 96, "read without waiting");
	ok(!vcap_desc_readable(&d), "time is up, and nothing there");
	equal(vcap_desc_available(&d), 0, "FIONREAD is 0");
	equal(take(&d, false), 0, "a read would wait");
	ok(input(&d, 60), "then a packet wakes");
	vcap_desc_flush(&d);
	ok(!vcap_desc_readable(&d), "a flush takes it away");
	ok(input(&d, 60), "the next one wakes, too");
	d.timed_out = false;
	ok(!vcap_desc_readable(&d), "a read has ended: not readable");
	equal(vcap_desc_available(&d), 0, "in FIONREAD neither");
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
	equal(d.recv + d.capt + d.drop, 0, "flush resets the counters");
	ok(!vcap_desc_readable(&d), "and empties the hold buffer");
	equal(take(&d, true), 0, "and the store buffer");

	/* A flush while a read copies: the read came first. */
	input(&d, SIZE - 32);
	equal(vcap_desc_read_begin(&d, false), SIZE, "a read begins");
	vcap_desc_flush(&d);
	equal(d.hold_len, SIZE, "its packets stay while it copies");
	vcap_desc_read_end(&d, false);
	equal(d.hold_len, 0, "a failed read does not bring them back");
	ok(!vcap_desc_readable(&d), "empty after both");
	free_desc(&d);
}

static void test_failed_read(void)
{
	struct vcap_desc d = new_desc(SIZE);

	input(&d, SIZE - 32);
	equal(vcap_desc_read_begin(&d, false), SIZE, "a read begins");
	input(&d, SIZE - 32);
	ok(!input(&d, 60), "no rotation while it copies");
	equal(d.drop, 1, "so a packet too many is dropped");
	vcap_desc_read_end(&d, false);
	equal(take(&d, false), SIZE, "a failed read loses nothing");
	equal(take(&d, false), SIZE, "and what came meanwhile follows");
	free_desc(&d);
}

static void test_gone(void)
{
	struct vcap_desc d = new_desc(SIZE);

	input(&d, SIZE - 32);
	input(&d, 60);
	vcap_desc_detach(&d);
	ok(vcap_desc_readable(&d), "interface gone: readable");
	equal(take(&d, false), SIZE, "the held packets first");
	equal(take(&d, false), 96, "then the stored ones, without waiting");
	equal(take(&d, false), 0, "then nothing");
	ok(vcap_desc_readable(&d), "still readable: the read gets EIO");
	free_desc(&d);

	d = new_desc(SIZE);
	input(&d, 60);
	vcap_desc_detach(&d);
	equal(vcap_desc_available(&d), 96, "stored packets are held at once");
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
