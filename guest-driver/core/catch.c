// SPDX-License-Identifier: GPL-2.0-or-later
/* A record's way into a descriptor's store buffer: where it is not short. */
#include "catch.h"

/*
 * vcap_desc_catch() for any format and buffer: rotates if the packet does not
 * fit, and drops it if that cannot be.
 */
bool vcap_desc_catch_any(struct vcap_desc *d, const struct vcap_record *rec,
			 u32 caplen)
{
	u32 room = vcap_desc_usable(d), hdrlen = vcap_header_len(&d->format);
	bool rotated = false;
	u32 total;

	/* Cut to the whole buffer, never to what is left of it. */
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
	 * Exactly full: nothing can be added, so a reader need not wait for
	 * the next packet to find that out.
	 */
	if (d->hold_len == 0 && d->store_len == room) {
		vcap_desc_rotate(d);
		rotated = true;
	}
	return rotated;
}
