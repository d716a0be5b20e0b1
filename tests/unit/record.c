// SPDX-License-Identifier: GPL-2.0-or-later
/* Records in a buffer: valid ones, and those of a misbehaving device. */
#include <stdlib.h>

#include "bsd.h"
#include "header.h"
#include "record.h"
#include "tap.h"
#include "virtio_capture.h"

/* Write a record as a device does; return the offset of the next. */
static u32 put(u8 *buf, u32 off, u32 caplen, u32 datalen, u16 flags)
{
	struct virtio_capture_record wire = {
		.sec = htole64(1700000000), .subsec = htole64(123456),
		.caplen = htole32(caplen), .datalen = htole32(datalen),
		.hdrlen = htole16(VIRTIO_CAPTURE_RECORD_HDRLEN),
		.flags = htole16(flags), .dropped = htole32(7),
	};

	memcpy(buf + off, &wire, sizeof(wire));
	memset(buf + off + sizeof(wire), 0xaa, caplen);
	return off + VIRTIO_CAPTURE_RECORD_SIZE(caplen);
}

static void test_walk(void)
{
	struct vcap_record rec;
	u32 len, off = 0;
	u8 *buf = calloc(1, 4096);

	len = put(buf, 0, 60, 60, 0);
	len = put(buf, len, 61, 1514, VIRTIO_CAPTURE_R_SENT);
	len = put(buf, len, 0, 9, VIRTIO_CAPTURE_R_NANOSECONDS);
	equal(vcap_record_next(buf, len, &off, &rec), 1,
	      "buffer of three records: there is a first");
	ok(rec.sec == 1700000000 && rec.nsec == 123456000,
	   "first record: a time in microseconds [CAP-DRV-LSN-1]");
	ok(rec.caplen == 60 && rec.datalen == 60, "first record: its lengths");
	equal(rec.dropped, 7, "first record: its count of drops");
	ok(rec.data == buf + 32 && rec.data[59] == 0xaa,
	   "first record: its frame");
	equal(vcap_record_next(buf, len, &off, &rec), 1,
	      "buffer of three records: there is a second");
	ok(rec.caplen == 61 && rec.datalen == 1514 &&
	   rec.flags == VIRTIO_CAPTURE_R_SENT,
	   "second record: a frame that was cut, and a flag");
	equal(vcap_record_next(buf, len, &off, &rec), 1,
	      "buffer of three records: there is a third");
	equal(rec.nsec, 123456,
	      "third record: a time in nanoseconds [CAP-DRV-LSN-1]");
	equal(vcap_record_next(buf, len, &off, &rec), 0,
	      "buffer of three records: there is no fourth");
	off = 0;
	equal(vcap_record_next(buf, 0, &off, &rec), 0,
	      "empty buffer: there is no record");
	free(buf);
}

/* Check that a malformed record in exactly @len bytes is rejected. */
static void reject(const char *name, u32 len,
		   void (*spoil)(struct virtio_capture_record *wire))
{
	u8 *whole = calloc(1, 4096), *buf = malloc(len);
	struct vcap_record rec;
	u32 off = 0;

	put(whole, 0, 60, 60, 0);
	spoil((struct virtio_capture_record *)whole);
	memcpy(buf, whole, len);
	equal(vcap_record_next(buf, len, &off, &rec), -EPROTO,
	      "malformed record, %s: -EPROTO", name);
	free(whole);
	free(buf);
}

static void nothing(struct virtio_capture_record *wire) { (void)wire; }
static void hdrlen(struct virtio_capture_record *wire) { wire->hdrlen = htole16(40); }
static void no_hdrlen(struct virtio_capture_record *wire) { wire->hdrlen = 0; }
static void caplen(struct virtio_capture_record *wire) { wire->caplen = htole32(65); }
static void huge(struct virtio_capture_record *wire) { wire->caplen = ~0U; wire->datalen = ~0U; }
static void wrap(struct virtio_capture_record *wire)
{
	wire->caplen = htole32(0xffffffe0U);
	wire->datalen = ~0U;
}

static void datalen(struct virtio_capture_record *wire) { wire->datalen = htole32(59); }
static void usec(struct virtio_capture_record *wire) { wire->subsec = htole64(1000000); }
static void usec_huge(struct virtio_capture_record *wire) { wire->subsec = ~0ULL; }
static void nsec(struct virtio_capture_record *wire)
{
	wire->flags = htole16(VIRTIO_CAPTURE_R_NANOSECONDS);
	wire->subsec = htole64(1000000000);
}

static void test_malformed(void)
{
	reject("a header cut short [CAP-DRV-REC-2]", 31, nothing);
	reject("one byte", 1, nothing);
	reject("a frame cut short [CAP-DRV-REC-2]", 32 + 59, nothing);
	reject("another header length [CAP-DRV-REC-2]", 96, hdrlen);
	reject("no header length", 96, no_hdrlen);
	reject("a frame that ends outside [CAP-DRV-BUF-4 CAP-DRV-SEC-1]", 96,
	       caplen);
	reject("the largest length", 96, huge);
	reject("a length that wraps", 96, wrap);
	reject("more captured than there was [CAP-DRV-REC-3]", 96, datalen);
	reject("a million microseconds [CAP-DRV-REC-3]", 96, usec);
	reject("microseconds that overflow", 96, usec_huge);
	reject("a billion nanoseconds [CAP-DRV-REC-3]", 96, nsec);
}

static void test_tail(void)
{
	u8 *buf = malloc(32 + 60);
	u8 *whole = calloc(1, 128);
	struct vcap_record rec;
	u32 off = 0;

	put(whole, 0, 60, 60, 0);
	memcpy(buf, whole, 32 + 60);
	equal(vcap_record_next(buf, 92, &off, &rec), 1,
	      "last record without its padding is taken");
	equal(vcap_record_next(buf, 92, &off, &rec), 0,
	      "last record without its padding ends the buffer");
	free(buf);
	free(whole);
}

static void test_header(void)
{
	static const u8 data[] = "abcdefgh";
	struct vcap_format micro = { BPF_T_MICROTIME, false };
	struct vcap_format nano = { BPF_T_NANOTIME, false };
	struct vcap_format binary = { BPF_T_BINTIME, false };
	struct vcap_record rec = { .sec = 5, .nsec = 987654321, .caplen = 9,
				   .datalen = 1000, .data = data };
	struct timespec ts;
	struct bintime bt;
	struct bpf_xhdr *x;
	struct bpf_hdr *h;
	u8 *dst = malloc(48);
	u32 i, bad = 0;

	memset(dst, 0xff, 48);
	equal(vcap_header_total(&micro, 9), 48,
	      "struct bpf_hdr: a packet's size includes its padding");
	vcap_header_write(dst, &rec, 9, &micro);
	h = (struct bpf_hdr *)dst;
	ok(h->bh_tstamp.tv_sec == 5 && h->bh_tstamp.tv_usec == 987654,
	   "struct bpf_hdr: microseconds are rounded down");
	ok(h->bh_caplen == 9 && h->bh_datalen == 1000 && h->bh_hdrlen == 32,
	   "struct bpf_hdr: captured, original and header length");
	ok(!memcmp(dst + 32, data, 9),
	   "struct bpf_hdr: the packet is behind it");
	for (i = 26; i < 32; i++)
		bad += dst[i] != 0;
	for (i = 41; i < 48; i++)
		bad += dst[i] != 0;
	equal(bad, 0,
	      "struct bpf_hdr: the padding of header and packet is zeros");
	x = (struct bpf_xhdr *)dst;
	vcap_header_write(dst, &rec, 9, &nano);
	equal(x->bh_tstamp.bt_frac, 987654321, "struct bpf_xhdr: nanoseconds");

	/* Every nanosecond is preserved by conversion to a binary fraction. */
	for (bad = 0, rec.nsec = 0; rec.nsec < 1000000000; rec.nsec += 9973) {
		vcap_header_write(dst, &rec, 9, &binary);
		bt.sec = x->bh_tstamp.bt_sec;
		bt.frac = x->bh_tstamp.bt_frac;
		bintime2timespec(&bt, &ts);
		bad += ts.tv_nsec != rec.nsec || ts.tv_sec != 5;
	}
	equal(bad, 0,
	      "struct bpf_xhdr: binary fractions give the nanoseconds back");
	free(dst);
}

/* The header that an i386 program expects, by offsets. */
static void test_compat_header(void)
{
	static const u8 data[] = "abcdefgh";
	struct vcap_record rec = { .sec = 5, .nsec = 987654321, .caplen = 9,
				   .datalen = 1000, .data = data };
	struct vcap_format micro = { BPF_T_MICROTIME, true };
	struct vcap_format nano = { BPF_T_NANOTIME, true };
	u32 words[16];
	u8 *bytes = (u8 *)words;
	u64 frac;

	equal(vcap_header_align(&micro), 4,
	      "i386, struct bpf_hdr: packets are aligned to 4 bytes");
	equal(vcap_header_len(&micro), 20,
	      "i386, struct bpf_hdr: it has 20 bytes");
	equal(vcap_header_total(&micro, 9), 32,
	      "i386, struct bpf_hdr: packets are padded to 4 bytes");
	memset(words, 0xff, sizeof(words));
	vcap_header_write(bytes, &rec, 9, &micro);
	ok(words[0] == 5 && words[1] == 987654,
	   "i386, struct bpf_hdr: its time");
	ok(words[2] == 9 && words[3] == 1000,
	   "i386, struct bpf_hdr: captured and original length");
	equal(words[4], 20,
	      "i386, struct bpf_hdr: its own length, zeros behind it");
	ok(!memcmp(bytes + 20, data, 9),
	   "i386, struct bpf_hdr: the packet is behind it");
	ok(!bytes[29] && !bytes[30] && !bytes[31] && bytes[32] == 0xff,
	   "i386, struct bpf_hdr: padding of zeros, nothing written behind it");

	equal(vcap_header_len(&nano), 28,
	      "i386, struct bpf_xhdr: it has 28 bytes");
	vcap_header_write(bytes, &rec, 9, &nano);
	memcpy(&frac, bytes + 8, sizeof(frac));
	ok(words[0] == 5 && words[1] == 0 && frac == 987654321,
	   "i386, struct bpf_xhdr: nanoseconds");
	equal(words[6], 28,
	      "i386, struct bpf_xhdr: its own length, zeros behind it");
	ok(!memcmp(bytes + 28, data, 9),
	   "i386, struct bpf_xhdr: the packet is behind it");
}

int main(void)
{
	test_walk();
	test_malformed();
	test_tail();
	test_header();
	test_compat_header();
	return done_testing();
}
