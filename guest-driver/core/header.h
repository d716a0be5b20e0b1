/* SPDX-License-Identifier: GPL-2.0 */
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

/** vcap_header_is_native() - is it what programs get that ask for no other? */
static inline bool vcap_header_is_native(const struct vcap_format *format)
{
	return format->tstamp == BPF_T_MICROTIME && !format->compat;
}

/**
 * vcap_header_write_native() - vcap_header_write() in the native format
 * @dst: @total bytes, aligned to 8
 * @rec: where the packet comes from
 * @caplen: bytes of it to copy, at most @rec->caplen
 * @total: bytes of header, packet and padding
 *
 * Inline, as this is done for each frame.
 */
static inline void vcap_header_write_native(u8 *dst,
					    const struct vcap_record *rec,
					    u32 caplen, u32 total)
{
	struct bpf_hdr *hdr = (struct bpf_hdr *)dst;

	/* Programs see the padding, the packet's and the header's own. */
	memset(dst + total - sizeof(u64), 0, sizeof(u64));
	memset(dst + sizeof(*hdr) - sizeof(u64), 0, sizeof(u64));
	hdr->bh_tstamp.tv_sec = (long)rec->sec;
	hdr->bh_tstamp.tv_usec = rec->nsec / 1000;
	hdr->bh_caplen = caplen;
	hdr->bh_datalen = rec->datalen;
	hdr->bh_hdrlen = sizeof(*hdr);
	memcpy(dst + sizeof(*hdr), rec->data, caplen);
}

#endif /* VCAP_HEADER_H */
