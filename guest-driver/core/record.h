/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Validation of the records that the device has written into a capture buffer.
 * Inline, as it is called for each frame.
 */
#ifndef VCAP_RECORD_H
#define VCAP_RECORD_H

#include "shim.h"
#include "virtio_capture.h"

static_assert(sizeof(struct virtio_capture_record) ==
	      VIRTIO_CAPTURE_RECORD_HDRLEN, "the wire format has no padding");

/**
 * struct vcap_record - a captured frame, checked and in CPU byte order
 * @sec: time when it crossed the tap, seconds
 * @nsec: time when it crossed the tap, nanoseconds below 10^9
 * @caplen: bytes of the frame at @data
 * @datalen: length of the frame on the wire, at least @caplen
 * @dropped: low 32 bits of the device's drop count at that time
 * @flags: VIRTIO_CAPTURE_R_*
 * @data: the frame, inside the buffer
 */
struct vcap_record {
	u64 sec;
	u32 nsec;
	u32 caplen;
	u32 datalen;
	u32 dropped;
	u16 flags;
	const u8 *data;
};

/**
 * vcap_record_next() - get the next record of a buffer
 * @buf: the buffer, aligned to 8 bytes
 * @len: length that the device reports as used
 * @off: offset of the record; advanced to the next one
 * @rec: filled in
 *
 * The buffer is untrusted. Each field of it is read once, as the device could
 * still write to it (spec/capture-device.md, security considerations).
 *
 * Return: 1 with a record, 0 at the end, -EPROTO if the buffer is malformed.
 */
static inline int vcap_record_next(const void *buf, u32 len, u32 *off,
				   struct vcap_record *rec)
{
	const struct virtio_capture_record *wire;
	u32 left = len - *off;
	u64 subsec;
	bool nano;

	if (*off >= len)
		return 0;
	if (left < sizeof(*wire))
		return -EPROTO;
	left -= sizeof(*wire);

	wire = (const void *)((const u8 *)buf + *off);
	subsec = le64_to_cpu(READ_ONCE(wire->subsec));
	rec->sec = le64_to_cpu(READ_ONCE(wire->sec));
	rec->caplen = le32_to_cpu(READ_ONCE(wire->caplen));
	rec->datalen = le32_to_cpu(READ_ONCE(wire->datalen));
	rec->flags = le16_to_cpu(READ_ONCE(wire->flags));
	rec->dropped = le32_to_cpu(READ_ONCE(wire->dropped));
	rec->data = (const u8 *)(wire + 1);

	nano = rec->flags & VIRTIO_CAPTURE_R_NANOSECONDS;
	if (unlikely(le16_to_cpu(READ_ONCE(wire->hdrlen)) != sizeof(*wire)) ||
	    unlikely(rec->caplen > left) ||
	    unlikely(rec->datalen < rec->caplen) ||
	    unlikely(subsec >= (nano ? 1000000000U : 1000000U)))
		return -EPROTO;
	rec->nsec = nano ? (u32)subsec : (u32)subsec * 1000;

	/*
	 * The end of the buffer may cut off the padding; then this is the last
	 * record. No sum can wrap around: caplen is at most len.
	 */
	*off += VIRTIO_CAPTURE_RECORD_SIZE(rec->caplen);
	return 1;
}

#endif /* VCAP_RECORD_H */
