/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The state of an open /dev/bpf descriptor.
 *
 * Packets go into the store buffer. When it is full and the hold buffer is
 * empty, the two are rotated; a read returns the whole hold buffer. While the
 * hold buffer is occupied, packets go into the store buffer, and when that is
 * full, too, they are dropped. So a packet is in exactly one buffer, and
 * packets are read in order.
 *
 *            catch packet               rotate             read
 *   record ---------------> [ store ] <---------> [ hold ] -----> program
 *
 * These functions neither lock nor sleep: the caller holds the descriptor's
 * lock.
 */
#ifndef VCAP_DESCRIPTOR_H
#define VCAP_DESCRIPTOR_H

#include "header.h"
#include "record.h"

/**
 * struct vcap_desc - state of a descriptor
 * @store: store buffer; NULL until the descriptor is attached
 * @hold: hold buffer; NULL until the descriptor is attached
 * @size: size of each buffer, bytes
 * @store_len: bytes used in @store
 * @hold_len: bytes used in @hold
 * @hold_busy: a read is copying @hold, without the lock
 * @hold_stale: the descriptor was flushed during that read
 * @gone: the interface that it was attached to is gone
 * @immediate: packets are readable as they arrive (BIOCIMMEDIATE)
 * @timed_out: the timeout of a poll or interrupted read has expired: as
 *             @immediate, until a read has ended
 * @promisc: capture frames for other hosts, too (BIOCPROMISC)
 * @header_complete: written frames contain their source address
 *                   (BIOCSHDRCMPLT)
 * @direction: BPF_D_* (BIOCSDIRECTION, BIOCSSEESENT)
 * @feedback: written frames are also received (BIOCSFEEDBACK)
 * @format: format of packets
 * @recv: packets run through the filter
 * @drop: packets dropped for lack of space
 * @capt: packets accepted by the filter
 */
struct vcap_desc {
	u8 *store;
	u8 *hold;
	u32 size;
	u32 store_len;
	u32 hold_len;
	bool hold_busy;
	bool hold_stale;
	bool gone;
	bool immediate;
	bool timed_out;
	bool promisc;
	bool header_complete;
	bool feedback;
	u32 direction;
	struct vcap_format format;
	u64 recv;
	u64 drop;
	u64 capt;
};

/**
 * vcap_desc_usable() - return the bytes of a buffer that packets can use
 * @d: the descriptor
 *
 * BIOCSBLEN does not round the size. If it is no multiple of the alignment, the
 * last bytes are not used.
 */
static inline u32 vcap_desc_usable(const struct vcap_desc *d)
{
	return d->size & ~(vcap_header_align(&d->format) - 1);
}

/** vcap_desc_init() - initialize the state of a newly opened descriptor */
void vcap_desc_init(struct vcap_desc *d);

/**
 * vcap_desc_clamp() - return the buffer size that BIOCSBLEN sets
 * @want: requested size, bytes
 * @max: largest allowed size, bytes
 *
 * A size within the limits is not rounded: programs read exactly the size that
 * they requested. Bytes after the last multiple of BPF_ALIGNMENT are not used.
 */
u32 vcap_desc_clamp(u32 want, u32 max);

/**
 * vcap_desc_attach() - set the buffers of a descriptor, empty
 * @d: the descriptor
 * @store: @d->size bytes, owned by the caller
 * @hold: another @d->size bytes, owned by the caller
 */
void vcap_desc_attach(struct vcap_desc *d, void *store, void *hold);

/**
 * vcap_desc_detach() - end a listener: the interface is gone
 * @d: the descriptor
 *
 * Packets in the buffers can still be read; after them reads return EIO.
 */
void vcap_desc_detach(struct vcap_desc *d);

/** vcap_desc_rotate() - rotate the buffers; the hold buffer is empty */
void vcap_desc_rotate(struct vcap_desc *d);

/** vcap_desc_add_drops() - count @n packets that the capture device dropped */
void vcap_desc_add_drops(struct vcap_desc *d, u64 n);

/**
 * vcap_desc_discard() - empty the buffers
 * @d: the descriptor
 *
 * A read that is copying the hold buffer may finish.
 */
void vcap_desc_discard(struct vcap_desc *d);

/** vcap_desc_flush() - empty the buffers and reset the counters */
void vcap_desc_flush(struct vcap_desc *d);

/** vcap_desc_readable() - whether poll(2) reports it readable */
bool vcap_desc_readable(const struct vcap_desc *d);

/** vcap_desc_available() - return the result of FIONREAD, bytes */
u32 vcap_desc_available(const struct vcap_desc *d);

/**
 * vcap_desc_read_begin() - start to read the hold buffer
 * @d: the descriptor
 * @now: do not wait for a full buffer: for a non-blocking read, or after its
 *       timeout
 *
 * Return: the number of bytes at @d->hold, which do not change until
 * vcap_desc_read_end(), or 0 if there is nothing to read.
 */
u32 vcap_desc_read_begin(struct vcap_desc *d, bool now);

/**
 * vcap_desc_read_end() - finish a read started by vcap_desc_read_begin()
 * @d: the descriptor
 * @taken: the program has received the packets; otherwise they stay
 */
void vcap_desc_read_end(struct vcap_desc *d, bool taken);

#endif /* VCAP_DESCRIPTOR_H */
