// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A libFuzzer target for the driver's processing of a used buffer: from the
 * device's records to the packets that programs read. An input is eight bytes
 * that set a descriptor up, and the buffer.
 */
#include <stddef.h>
#include <stdlib.h>

#include "bsd.h"
#include "catch.h"
#include "descriptor.h"
#include "virtio_capture.h"

#define SETUP	8

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

static void demand(bool condition)
{
	if (!condition)
		abort();
}

/* Check that a program can iterate over the packets that it reads. */
static void check_packets(const struct vcap_desc *d, const u8 *packets, u32 len)
{
	u32 align = vcap_header_align(&d->format);
	u32 head = vcap_header_len(&d->format), at = 0, caplen;
	bool extended = d->format.tstamp != BPF_T_MICROTIME;
	u16 hdrlen;

	demand(len <= d->size);
	while (at < len) {
		u32 where = d->format.compat && !extended ? 8 : 16;

		demand(len - at >= head);
		memcpy(&caplen, packets + at + where, sizeof(caplen));
		memcpy(&hdrlen, packets + at + where + 8, sizeof(hdrlen));
		demand(hdrlen == head && caplen <= len - at - head);
		at += (head + caplen + align - 1) & ~(align - 1);
	}
	demand(at == len);
}

static void read_packets(struct vcap_desc *d, bool now, bool taken)
{
	u32 len = vcap_desc_read_begin(d, now);

	if (!len)
		return;
	check_packets(d, d->hold, len);
	vcap_desc_read_end(d, taken);
}

/* Like the driver's walk(), with reads in between. */
static void walk(struct vcap_desc *d, const u8 *buffer, u32 len, u8 reads,
		 u32 accept)
{
	struct vcap_record rec;
	u32 off = 0, before = 0, count = 0;
	int more;

	while ((more = vcap_record_next(buffer, len, &off, &rec)) > 0) {
		/* The padding of the last record may be missing. */
		demand(off > before && off < len + VIRTIO_CAPTURE_RECORD_ALIGN);
		demand(rec.data == buffer + before + 32);
		demand(rec.caplen <= len - before - 32);
		demand(rec.caplen <= rec.datalen && rec.nsec < 1000000000);
		before = off;
		if (vcap_desc_wants(d, &rec))
			vcap_desc_input(d, &rec, accept);
		if (reads && ++count % reads == 0)
			read_packets(d, count & 1, count & 6);
		demand(d->store_len <= d->size && d->hold_len <= d->size);
		demand(d->capt <= d->recv && d->drop <= d->capt);
	}
	demand(more == 0 || more == -EPROTO);
	demand(more || before >= len);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct vcap_desc d;
	u8 *buffer, *store, *hold;
	u32 len, accept;

	if (size < SETUP)
		return 0;
	len = size - SETUP;
	vcap_desc_init(&d);
	d.size = vcap_desc_clamp(data[0] | (u32)data[1] << 8, 1 << 18);
	d.format.tstamp = data[2] % 3;
	d.format.compat = data[2] & 0x80;
	d.direction = data[3] % 3;
	d.promisc = data[3] & 0x80;
	d.immediate = data[3] & 0x40;
	accept = data[4] & 0x80 ? 0xffffffff : data[4];

	/* Of the exact size, so that a sanitizer detects overruns. */
	buffer = malloc(len);
	store = malloc(d.size);
	hold = malloc(d.size);
	memcpy(buffer, data + SETUP, len);
	vcap_desc_attach(&d, store, hold);
	walk(&d, buffer, len, data[5], accept);
	if (data[6] & 1)
		vcap_desc_detach(&d);
	read_packets(&d, true, true);
	read_packets(&d, true, true);
	free(d.store);
	free(d.hold);
	free(buffer);
	return 0;
}
