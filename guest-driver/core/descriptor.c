// SPDX-License-Identifier: GPL-2.0-or-later
/* The state of one open /dev/bpf descriptor: store, hold, rotate. */
#include "descriptor.h"
#include "bsd.h"

void vcap_desc_init(struct vcap_desc *d)
{
	memset(d, 0, sizeof(*d));
	d->size = BPF_DFLTBUFSIZE;
	d->direction = BPF_D_INOUT;
}

u32 vcap_desc_clamp(u32 want, u32 max)
{
	if (want < BPF_MINBUFSIZE)
		return BPF_MINBUFSIZE;
	return want < max ? want : max;
}

void vcap_desc_attach(struct vcap_desc *d, void *store, void *hold)
{
	/* An earlier attempt to attach may have failed. */
	vcap_desc_flush(d);
	d->gone = false;
	d->timed_out = false;
	d->store = store;
	d->hold = hold;
}

void vcap_desc_rotate(struct vcap_desc *d)
{
	u8 *empty = d->hold;

	d->hold = d->store;
	d->store = empty;
	d->hold_len = d->store_len;
	d->store_len = 0;
}

void vcap_desc_detach(struct vcap_desc *d)
{
	d->gone = true;
	if (d->hold_len == 0)
		vcap_desc_rotate(d);
}

void vcap_desc_add_drops(struct vcap_desc *d, u64 n)
{
	d->recv += n;
	d->drop += n;
}

void vcap_desc_discard(struct vcap_desc *d)
{
	d->store_len = 0;
	if (d->hold_busy)
		d->hold_stale = true;
	else
		d->hold_len = 0;
}

void vcap_desc_flush(struct vcap_desc *d)
{
	vcap_desc_discard(d);
	d->recv = 0;
	d->drop = 0;
	d->capt = 0;
}

bool vcap_desc_readable(const struct vcap_desc *d)
{
	if (!d->store || d->gone || d->hold_len > 0)
		return true;
	return (d->immediate || d->timed_out) && d->store_len > 0;
}

u32 vcap_desc_available(const struct vcap_desc *d)
{
	if (d->hold_len > 0)
		return d->hold_len;
	return d->immediate || d->timed_out ? d->store_len : 0;
}

u32 vcap_desc_read_begin(struct vcap_desc *d, bool now)
{
	bool wanted = now || d->immediate || d->timed_out || d->gone;

	/* Do not rotate empty buffers. */
	if (wanted && d->hold_len == 0 && d->store_len > 0)
		vcap_desc_rotate(d);
	if (d->hold_len > 0)
		d->hold_busy = true;
	return d->hold_len;
}

void vcap_desc_read_end(struct vcap_desc *d, bool taken)
{
	d->hold_busy = false;
	if (!taken && !d->hold_stale)
		return;
	d->hold_stale = false;
	d->hold_len = 0;
	/*
	 * A full store buffer is readable, and the store buffer of an ended
	 * listener will not get more packets.
	 */
	if (d->store_len == vcap_desc_usable(d) || d->gone)
		vcap_desc_rotate(d);
}
