/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who owns a buffer that a program shares with the kernel (BIOCSETZBUF).
 *
 * Each buffer starts with a struct bpf_zbuf_header. While its two generation
 * numbers are equal the kernel owns the buffer: it puts packets in. By adding 1
 * to bzh_kernel_gen it assigns the buffer, with what is in it, to the program;
 * the program gives it back by copying that number to bzh_user_gen.
 *
 *   kernel:   packets, bzh_kernel_len --release--> bzh_kernel_gen
 *   program:  bzh_kernel_gen --acquire--> packets ... --release--> bzh_user_gen
 *   kernel:   bzh_user_gen --acquire--> packets
 *
 * The program can write to the header at any time. Nothing in it is believed but
 * bzh_user_gen, which can only say that a buffer is back or that it is not yet:
 * a program that misuses it spoils its own packets.
 *
 * Nothing here locks: the caller holds the descriptor's lock.
 */
#ifndef VCAP_ZBUF_H
#define VCAP_ZBUF_H

#include "bsd.h"
#include "shim.h"

/* Packets start behind the header. */
#define VCAP_ZBUF_HDRLEN	sizeof(struct bpf_zbuf_header)

/**
 * struct vcap_zbuf - a buffer that a program shares
 * @header: its start, shared with the program
 * @gen: what bzh_kernel_gen is to be; the one in the header is not read
 * @assigned: the program owns it
 */
struct vcap_zbuf {
	struct bpf_zbuf_header *header;
	u32 gen;
	bool assigned;
};

/**
 * vcap_zbuf_valid() - whether two buffers can be used, as far as numbers tell
 * @zbuf: the argument of BIOCSETZBUF
 * @page: size of a page, a power of 2, bytes
 * @max: largest size of a buffer, bytes
 *
 * Both are whole pages, not more than @max, and do not overlap.
 */
bool vcap_zbuf_valid(const struct bpf_zbuf *zbuf, size_t page, size_t max);

/** vcap_zbuf_init() - zero the header: the kernel owns the buffer */
void vcap_zbuf_init(struct vcap_zbuf *z, void *header);

/**
 * vcap_zbuf_assign() - give a buffer of the kernel's to the program
 * @z: the buffer
 * @len: bytes of packets behind the header, all written
 */
void vcap_zbuf_assign(struct vcap_zbuf *z, u32 len);

/**
 * vcap_zbuf_returned() - whether the program has given its buffer back
 * @z: a buffer that the program owns
 *
 * Looks only. Until the buffer is taken by vcap_zbuf_take() it counts as the
 * program's.
 */
bool vcap_zbuf_returned(const struct vcap_zbuf *z);

/**
 * vcap_zbuf_take() - take a buffer from the program, if it has given it back
 * @z: the buffer
 *
 * Return: whether the kernel has just become its owner.
 */
bool vcap_zbuf_take(struct vcap_zbuf *z);

#endif /* VCAP_ZBUF_H */
