/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The state of one open /dev/bpf descriptor.
 *
 * Packets go into the store buffer. When it is full and the hold buffer is
 * empty the two are rotated: what was stored is now held, for a read to take as
 * a whole. While the hold buffer is occupied the store buffer goes on filling,
 * and when it is full too, packets are dropped. So a packet is in exactly one
 * of the two, and a reader sees all that it was told of, in order.
 *
 *            catch packet               rotate             read
 *   record ---------------> [ store ] <---------> [ hold ] -----> program
 *
 * Nothing here locks or sleeps: the caller holds the descriptor's lock.
 */
#ifndef VCAP_DESCRIPTOR_H
#define VCAP_DESCRIPTOR_H

#include "header.h"
#include "record.h"

/**
 * struct vcap_desc - state of a descriptor
 * @store: store buffer; NULL until the descriptor is attached, never after
 * @hold: hold buffer, likewise
 * @size: size of each buffer, bytes
 * @store_len: bytes used in @store
 * @hold_len: bytes used in @hold
 * @hold_busy: a read is copying @hold out, without the lock
 * @hold_stale: the descriptor was flushed meanwhile
 * @gone: the interface that it was attached to is no more
 * @immediate: packets are to be read as they come (BIOCIMMEDIATE)
 * @timed_out: so they are until a read has ended: the time of who waits is up
 * @promisc: sees frames for other hosts, too (BIOCPROMISC)
 * @header_complete: writes bring their source address (BIOCSHDRCMPLT)
 * @direction: BPF_D_* (BIOCSDIRECTION, BIOCSSEESENT)
 * @feedback: frames written are also received (BIOCSFEEDBACK)
 * @format: what packets look like
 * @recv: packets run through the filter
 * @drop: packets that no buffer could take
 * @capt: packets that the filter accepted
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
 * vcap_desc_usable() - bytes of a buffer that packets can use
 * @d: the descriptor
 *
 * A size that is no multiple of the alignment is kept as it is for BIOCGBLEN
 * and read(2); its last bytes stay unused.
 */
static inline u32 vcap_desc_usable(const struct vcap_desc *d)
{
	return d->size & ~(vcap_header_align(&d->format) - 1);
}

/** vcap_desc_init() - the state of a descriptor that was just opened */
void vcap_desc_init(struct vcap_desc *d);

/**
 * vcap_desc_clamp() - the buffer size that BIOCSBLEN gives for a wish
 * @want: bytes
 * @max: the largest allowed, bytes
 *
 * A size within the limits is kept as it is: programs read exactly what they
 * asked for. Bytes behind the last multiple of BPF_ALIGNMENT stay unused.
 */
u32 vcap_desc_clamp(u32 want, u32 max);

/**
 * vcap_desc_attach() - give a descriptor its buffers, empty
 * @d: the descriptor
 * @store: @d->size bytes, owned by the caller
 * @hold: the same again
 */
void vcap_desc_attach(struct vcap_desc *d, void *store, void *hold);

/**
 * vcap_desc_detach() - the interface is gone
 * @d: the descriptor
 *
 * Buffered packets can still be read; after them reads get EIO.
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
 * A read that is copying the hold buffer came before and may finish.
 */
void vcap_desc_discard(struct vcap_desc *d);

/** vcap_desc_flush() - empty the buffers and reset the counters */
void vcap_desc_flush(struct vcap_desc *d);

/** vcap_desc_readable() - what poll(2) says of reading */
bool vcap_desc_readable(const struct vcap_desc *d);

/** vcap_desc_available() - what FIONREAD gives, bytes */
u32 vcap_desc_available(const struct vcap_desc *d);

/**
 * vcap_desc_read_begin() - start to read the hold buffer
 * @d: the descriptor
 * @now: do not wait for a full buffer: a non-blocking read, or one whose time
 *       is up
 *
 * Return: the bytes at @d->hold, which is then left alone until
 * vcap_desc_read_end(), or 0 when there is nothing to read yet.
 */
u32 vcap_desc_read_begin(struct vcap_desc *d, bool now);

/**
 * vcap_desc_read_end() - finish what vcap_desc_read_begin() started
 * @d: the descriptor
 * @taken: the program has the packets; otherwise they stay
 */
void vcap_desc_read_end(struct vcap_desc *d, bool taken);

#endif /* VCAP_DESCRIPTOR_H */
