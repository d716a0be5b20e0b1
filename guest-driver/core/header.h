/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The header before each packet that a program reads: bpf_hdr, bpf_xhdr. */
#ifndef VCAP_HEADER_H
#define VCAP_HEADER_H

#include "bsd.h"
#include "record.h"

/**
 * struct vcap_format - how a program wants its packets
 * @tstamp: BPF_T_*, the format of times (BIOCSTSTAMP)
 * @compat: the program is a 32-bit one: long and time_t have 4 bytes
 */
struct vcap_format {
	u32 tstamp;
	bool compat;
};

/** vcap_header_align() - BPF_ALIGNMENT of the program, bytes */
static inline u32 vcap_header_align(const struct vcap_format *format)
{
	return format->compat ? sizeof(u32) : sizeof(u64);
}

/** vcap_header_len() - bytes from the start of a header to its packet */
u32 vcap_header_len(const struct vcap_format *format);

/**
 * vcap_header_convert() - make binary fractions of a buffer's nanoseconds
 * @buf: packets of a 64-bit program with headers in BPF_T_NANOTIME
 * @len: bytes of it
 *
 * Trusts nothing in the buffer: the device has written it.
 *
 * Return: 0, or -EPROTO when it is malformed.
 */
int vcap_header_convert(void *buf, u32 len);

/** vcap_header_total() - bytes that a packet takes in a buffer */
u32 vcap_header_total(const struct vcap_format *format, u32 caplen);

/**
 * vcap_header_write() - write header, packet and padding
 * @dst: vcap_header_total(@caplen) bytes
 * @rec: where the packet comes from
 * @caplen: bytes of it to copy, at most @rec->caplen
 * @format: what it is to look like
 */
void vcap_header_write(u8 *dst, const struct vcap_record *rec, u32 caplen,
		       const struct vcap_format *format);

/**
 * vcap_header_fraction() - a time's part below a second, as BIOCSTSTAMP wants it
 * @tstamp: BPF_T_*
 * @nsec: nanoseconds, below 10^9
 *
 * A binary fraction has its upper half only, and that rounded up: rounded down,
 * as bintime2timespec() does, it gives back the nanoseconds it was made of.
 */
static inline u64 vcap_header_fraction(u32 tstamp, u32 nsec)
{
	switch (tstamp) {
	case BPF_T_MICROTIME:
		return nsec / 1000;
	case BPF_T_NANOTIME:
		return nsec;
	default:
		return ((((u64)nsec << 32) + 999999999) / 1000000000) << 32;
	}
}

/**
 * vcap_header_write_native() - vcap_header_write() for a 64-bit program
 * @dst: @total bytes, aligned to 8
 * @rec: where the packet comes from
 * @caplen: bytes of it to copy, at most @rec->caplen
 * @total: bytes of header, packet and padding
 * @tstamp: BPF_T_*
 *
 * Inline, as this is done for each frame. struct bpf_hdr is laid out like
 * struct bpf_xhdr there.
 */
static inline void vcap_header_write_native(u8 *dst,
					    const struct vcap_record *rec,
					    u32 caplen, u32 total, u32 tstamp)
{
	struct bpf_xhdr *hdr = (struct bpf_xhdr *)dst;

	/* Programs see the padding, the packet's and the header's own. */
	memset(dst + total - sizeof(u64), 0, sizeof(u64));
	memset(dst + sizeof(*hdr) - sizeof(u64), 0, sizeof(u64));
	hdr->bh_tstamp.bt_sec = (s64)rec->sec;
	hdr->bh_tstamp.bt_frac = vcap_header_fraction(tstamp, rec->nsec);
	hdr->bh_caplen = caplen;
	hdr->bh_datalen = rec->datalen;
	hdr->bh_hdrlen = sizeof(*hdr);
	memcpy(dst + sizeof(*hdr), rec->data, caplen);
}

#endif /* VCAP_HEADER_H */
