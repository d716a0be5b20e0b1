/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A record's way into a descriptor's store buffer. All of this is done for each
 * frame and each listener, and so it is inline.
 */
#ifndef VCAP_CATCH_H
#define VCAP_CATCH_H

#include "descriptor.h"
#include "virtio_capture.h"

/** vcap_desc_wants() - whether direction and promiscuity let a record in */
static inline bool vcap_desc_wants(const struct vcap_desc *d,
				   const struct vcap_record *rec)
{
	if (rec->flags & VIRTIO_CAPTURE_R_SENT)
		return d->direction != BPF_D_IN;
	if ((rec->flags & VIRTIO_CAPTURE_R_OTHERHOST) && !d->promisc)
		return false;
	return d->direction != BPF_D_OUT;
}

bool vcap_desc_catch_any(struct vcap_desc *d, const struct vcap_record *rec,
			 u32 caplen);

/*
 * Catch packet: put a packet of caplen bytes into the store buffer, and return
 * whether the hold buffer was filled. Nearly always there is room for it, and
 * for more after it, and the program is a 64-bit one.
 */
static inline bool vcap_desc_catch(struct vcap_desc *d,
				   const struct vcap_record *rec, u32 caplen)
{
	u32 total = BPF_WORDALIGN(sizeof(struct bpf_hdr) + caplen);

	if (unlikely(d->format.compat) ||
	    unlikely(total >= vcap_desc_usable(d) - d->store_len))
		return vcap_desc_catch_any(d, rec, caplen);
	vcap_header_write_native(d->store + d->store_len, rec, caplen, total,
				 d->format.tstamp);
	d->store_len += total;
	return false;
}

/**
 * vcap_desc_input() - count a record that was run through the filter, catch it
 * @d: the descriptor
 * @rec: the record
 * @accept: what the filter returned: bytes to keep, 0 to reject
 *
 * Return: whether a reader or poller may now find something.
 */
static inline bool vcap_desc_input(struct vcap_desc *d,
				   const struct vcap_record *rec, u32 accept)
{
	bool rotated;

	d->recv++;
	if (accept == 0)
		return false;
	d->capt++;
	rotated = vcap_desc_catch(d, rec,
				  accept < rec->caplen ? accept : rec->caplen);
	return rotated | d->immediate | d->timed_out;
}

#endif /* VCAP_CATCH_H */
