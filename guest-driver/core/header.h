/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The header of packets that programs read: struct bpf_hdr, struct bpf_xhdr. */
#ifndef VCAP_HEADER_H
#define VCAP_HEADER_H

#include "bsd.h"
#include "record.h"

/**
 * struct vcap_format - format of the packets that a program reads
 * @tstamp: BPF_T_*, format of timestamps (BIOCSTSTAMP)
 * @compat: for a 32-bit program: long and time_t have 4 bytes
 */
struct vcap_format {
	u32 tstamp;
	bool compat;
};

/** vcap_header_align() - return BPF_ALIGNMENT of the program, bytes */
static inline u32 vcap_header_align(const struct vcap_format *format)
{
	return format->compat ? sizeof(u32) : sizeof(u64);
}

/** vcap_header_len() - return the length of a header, bytes */
u32 vcap_header_len(const struct vcap_format *format);

/**
 * vcap_header_convert() - convert the times of a buffer to binary fractions
 * @buf: packets of a 64-bit program with headers in BPF_T_NANOTIME
 * @len: length of @buf, bytes
 *
 * The device has written the buffer, so its contents are untrusted.
 *
 * Return: 0, or -EPROTO if it is malformed.
 */
int vcap_header_convert(void *buf, u32 len);

/** vcap_header_total() - return the size of a packet in a buffer, bytes */
u32 vcap_header_total(const struct vcap_format *format, u32 caplen);

/**
 * vcap_header_write() - write header, packet and padding
 * @dst: vcap_header_total(@caplen) bytes
 * @rec: the record of the packet
 * @caplen: bytes of the packet to copy, at most @rec->caplen
 * @format: format of the header
 */
void vcap_header_write(u8 *dst, const struct vcap_record *rec, u32 caplen,
		       const struct vcap_format *format);

/**
 * vcap_header_fraction() - convert a time below a second for BIOCSTSTAMP
 * @tstamp: BPF_T_*
 * @nsec: nanoseconds, below 10^9
 *
 * Of a binary fraction, only the upper 32 bits are set, rounded up: rounding
 * down in bintime2timespec() then gives the original nanoseconds.
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
 * @rec: the record of the packet
 * @caplen: bytes of the packet to copy, at most @rec->caplen
 * @total: bytes of header, packet and padding
 * @tstamp: BPF_T_*
 *
 * Inline, as it is called for each frame. struct bpf_hdr and struct bpf_xhdr
 * have the same layout for these programs.
 */
static inline void vcap_header_write_native(u8 *dst,
					    const struct vcap_record *rec,
					    u32 caplen, u32 total, u32 tstamp)
{
	struct bpf_xhdr *hdr = (struct bpf_xhdr *)dst;

	/* Zero the padding of packet and header, which programs see. */
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
