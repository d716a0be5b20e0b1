// SPDX-License-Identifier: GPL-2.0
/* The header before each packet that a program reads: bpf_hdr, bpf_xhdr. */
#include "header.h"
#include "bsd.h"

/*
 * The headers as i386 programs know them: their struct timeval is of 32 bits,
 * and their 64-bit numbers are aligned to 4 bytes.
 */
struct compat_hdr {
	u32 sec;
	u32 usec;
	u32 caplen;
	u32 datalen;
	u16 hdrlen;
};

struct compat_xhdr {
	u32 sec[2];
	u32 frac[2];
	u32 caplen;
	u32 datalen;
	u16 hdrlen;
};

/* Of whichever of the formats that are not native. */
union header {
	struct bpf_xhdr xhdr;
	struct compat_hdr compat_hdr;
	struct compat_xhdr compat_xhdr;
};

static_assert(sizeof(struct bpf_hdr) == 32, "LP64 bpf_hdr");
static_assert(sizeof(struct bpf_xhdr) == 32, "LP64 bpf_xhdr");
static_assert(sizeof(struct compat_hdr) == 20, "i386 bpf_hdr");
static_assert(sizeof(struct compat_xhdr) == 28, "i386 bpf_xhdr");

u32 vcap_header_len(const struct vcap_format *format)
{
	if (!format->compat)
		return sizeof(struct bpf_hdr);
	return format->tstamp == BPF_T_MICROTIME ? sizeof(struct compat_hdr)
						 : sizeof(struct compat_xhdr);
}

u32 vcap_header_total(const struct vcap_format *format, u32 caplen)
{
	u32 align = vcap_header_align(format);

	return (vcap_header_len(format) + caplen + align - 1) & ~(align - 1);
}

/*
 * The upper half of a binary fraction, rounded up: rounded down, as
 * bintime2timespec() does, it gives back the nanoseconds it was made of.
 */
static u64 binary_fraction(u32 nsec)
{
	return ((((u64)nsec << 32) + 999999999) / 1000000000) << 32;
}

static void fill_bpf_xhdr(union header *h, const struct vcap_record *rec,
			  u32 caplen, u64 frac)
{
	h->xhdr.bh_tstamp.bt_sec = (s64)rec->sec;
	h->xhdr.bh_tstamp.bt_frac = frac;
	h->xhdr.bh_caplen = caplen;
	h->xhdr.bh_datalen = rec->datalen;
	h->xhdr.bh_hdrlen = sizeof(h->xhdr);
}

static void fill_compat_hdr(union header *h, const struct vcap_record *rec,
			    u32 caplen)
{
	h->compat_hdr.sec = (u32)rec->sec;
	h->compat_hdr.usec = rec->nsec / 1000;
	h->compat_hdr.caplen = caplen;
	h->compat_hdr.datalen = rec->datalen;
	h->compat_hdr.hdrlen = sizeof(h->compat_hdr);
}

static void fill_compat_xhdr(union header *h, const struct vcap_record *rec,
			     u32 caplen, u64 frac)
{
	memcpy(h->compat_xhdr.sec, &rec->sec, sizeof(rec->sec));
	memcpy(h->compat_xhdr.frac, &frac, sizeof(frac));
	h->compat_xhdr.caplen = caplen;
	h->compat_xhdr.datalen = rec->datalen;
	h->compat_xhdr.hdrlen = sizeof(h->compat_xhdr);
}

void vcap_header_write(u8 *dst, const struct vcap_record *rec, u32 caplen,
		       const struct vcap_format *format)
{
	u32 hdrlen = vcap_header_len(format), end = hdrlen + caplen;
	union header h;
	u64 frac;

	if (vcap_header_is_native(format)) {
		vcap_header_write_native(dst, rec, caplen,
					 vcap_header_total(format, caplen));
		return;
	}
	/* Programs see the padding. */
	memset(&h, 0, sizeof(h));
	if (format->tstamp == BPF_T_MICROTIME) {
		fill_compat_hdr(&h, rec, caplen);
	} else {
		frac = format->tstamp == BPF_T_NANOTIME ?
			       rec->nsec : binary_fraction(rec->nsec);
		if (format->compat)
			fill_compat_xhdr(&h, rec, caplen, frac);
		else
			fill_bpf_xhdr(&h, rec, caplen, frac);
	}
	memcpy(dst, &h, hdrlen);
	memcpy(dst + hdrlen, rec->data, caplen);
	memset(dst + end, 0, vcap_header_total(format, caplen) - end);
}
