// SPDX-License-Identifier: GPL-2.0-or-later
/* The header of packets that programs read: struct bpf_hdr, struct bpf_xhdr. */
#include "header.h"
#include "bsd.h"

/*
 * The headers of i386 programs: struct timeval has 32-bit members, and 64-bit
 * numbers are aligned to 4 bytes.
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

union compat_header {
	struct compat_hdr hdr;
	struct compat_xhdr xhdr;
};

#define SAME_PLACE(hdr, xhdr) \
	static_assert(offsetof(struct bpf_hdr, hdr) == \
		      offsetof(struct bpf_xhdr, xhdr), #hdr " is where " #xhdr)

SAME_PLACE(bh_tstamp.tv_sec, bh_tstamp.bt_sec);
SAME_PLACE(bh_tstamp.tv_usec, bh_tstamp.bt_frac);
SAME_PLACE(bh_caplen, bh_caplen);
SAME_PLACE(bh_datalen, bh_datalen);
SAME_PLACE(bh_hdrlen, bh_hdrlen);
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

/* Fill in a 32-bit header. Returns its length. */
static u32 fill_compat(union compat_header *h, const struct vcap_record *rec,
		       u32 caplen, u32 tstamp)
{
	u64 frac = vcap_header_fraction(tstamp, rec->nsec);

	memset(h, 0, sizeof(*h));
	if (tstamp == BPF_T_MICROTIME) {
		h->hdr.sec = (u32)rec->sec;
		h->hdr.usec = (u32)frac;
		h->hdr.caplen = caplen;
		h->hdr.datalen = rec->datalen;
		h->hdr.hdrlen = sizeof(h->hdr);
		return sizeof(h->hdr);
	}
	memcpy(h->xhdr.sec, &rec->sec, sizeof(rec->sec));
	memcpy(h->xhdr.frac, &frac, sizeof(frac));
	h->xhdr.caplen = caplen;
	h->xhdr.datalen = rec->datalen;
	h->xhdr.hdrlen = sizeof(h->xhdr);
	return sizeof(h->xhdr);
}

void vcap_header_write(u8 *dst, const struct vcap_record *rec, u32 caplen,
		       const struct vcap_format *format)
{
	u32 total = vcap_header_total(format, caplen), hdrlen;
	union compat_header h;

	if (!format->compat) {
		vcap_header_write_native(dst, rec, caplen, total,
					 format->tstamp);
		return;
	}
	hdrlen = fill_compat(&h, rec, caplen, format->tstamp);
	memcpy(dst, &h, hdrlen);
	memcpy(dst + hdrlen, rec->data, caplen);
	/* Zero the padding, which programs see. */
	memset(dst + hdrlen + caplen, 0, total - hdrlen - caplen);
}

int vcap_header_convert(void *buf, u32 len)
{
	u32 off = 0;

	while (off < len) {
		struct bpf_xhdr *hdr = (void *)((u8 *)buf + off);
		u32 left = len - off, caplen;
		u64 nsec;

		if (left < sizeof(*hdr))
			return -EPROTO;
		caplen = READ_ONCE(hdr->bh_caplen);
		nsec = READ_ONCE(hdr->bh_tstamp.bt_frac);
		if (caplen > left - sizeof(*hdr) || nsec >= 1000000000)
			return -EPROTO;
		hdr->bh_tstamp.bt_frac =
			vcap_header_fraction(BPF_T_BINTIME, (u32)nsec);
		off += BPF_WORDALIGN(sizeof(*hdr) + caplen);
	}
	return 0;
}
