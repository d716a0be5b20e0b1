/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Catch packet: store a record in a descriptor's store buffer. Inline, as it is
 * called for each frame and listener.
 */
#ifndef VCAP_CATCH_H
#define VCAP_CATCH_H

#include "descriptor.h"
#include "virtio_capture.h"

/** vcap_desc_wants() - check direction and destination of a record */
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
 * Catch packet: store the first caplen bytes of a record in the store buffer.
 * Returns true if the buffers were rotated. The fast path is a 64-bit format
 * with free space for the packet and more.
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
 * vcap_desc_input() - count a record and catch the packet
 * @d: the descriptor
 * @rec: the record
 * @accept: the result of the filter: bytes to keep, 0 to reject it
 *
 * Return: true if readers and pollers are to be woken.
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
