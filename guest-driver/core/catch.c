// SPDX-License-Identifier: GPL-2.0-or-later
/* Catch packet: the slow path, with rotation and 32-bit formats. */
#include "catch.h"

/*
 * vcap_desc_catch() for any format and any amount of free space: rotates the
 * buffers if the packet does not fit, and drops it if they cannot be rotated.
 */
bool vcap_desc_catch_any(struct vcap_desc *d, const struct vcap_record *rec,
			 u32 caplen)
{
	u32 room = vcap_desc_usable(d), hdrlen = vcap_header_len(&d->format);
	bool rotated = false;
	u32 total;

	/* Truncate it to the size of the buffer, never to the free space. */
	if (caplen > room - hdrlen)
		caplen = room - hdrlen;
	total = vcap_header_total(&d->format, caplen);

	if (total > room - d->store_len) {
		if (d->hold_len > 0) {
			d->drop++;
			return false;
		}
		vcap_desc_rotate(d);
		rotated = true;
	}
	vcap_header_write(d->store + d->store_len, rec, caplen, &d->format);
	d->store_len += total;

	/*
	 * The buffer is exactly full: rotate now, so that a reader need not
	 * wait for the next packet.
	 */
	if (d->hold_len == 0 && d->store_len == room) {
		vcap_desc_rotate(d);
		rotated = true;
	}
	return rotated;
}
