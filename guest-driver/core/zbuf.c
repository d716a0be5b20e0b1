// SPDX-License-Identifier: GPL-2.0-or-later
/* Ownership of a buffer that a program shares with the kernel. */
#include "zbuf.h"

static_assert(sizeof(struct bpf_zbuf_header) == 32,
	      "packets behind the header are aligned");

bool vcap_zbuf_valid(const struct bpf_zbuf *zbuf, size_t page, size_t max)
{
	size_t a = (size_t)zbuf->bz_bufa, b = (size_t)zbuf->bz_bufb;
	size_t len = zbuf->bz_buflen;

	if (!a || !b || !len || len > max || (a | b | len) & (page - 1))
		return false;
	/* Reject ranges that wrap around. */
	if (a + len < a || b + len < b)
		return false;
	return a < b ? b - a >= len : a - b >= len;
}

void vcap_zbuf_init(struct vcap_zbuf *z, void *header)
{
	memset(header, 0, VCAP_ZBUF_HDRLEN);
	z->header = header;
	z->gen = 0;
	z->assigned = false;
}

void vcap_zbuf_assign(struct vcap_zbuf *z, u32 len)
{
	WRITE_ONCE(z->header->bzh_kernel_len, len);
	z->gen++;
	z->assigned = true;
	/* Publish the packets and their length before the new generation. */
	smp_store_release(&z->header->bzh_kernel_gen, z->gen);
}

bool vcap_zbuf_returned(const struct vcap_zbuf *z)
{
	/* The program's reads end before the buffer is written to again. */
	return smp_load_acquire(&z->header->bzh_user_gen) == z->gen;
}

bool vcap_zbuf_take(struct vcap_zbuf *z)
{
	if (!z->assigned || !vcap_zbuf_returned(z))
		return false;
	z->assigned = false;
	return true;
}
