/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ownership of a buffer that a program shares with the kernel (BIOCSETZBUF).
 *
 * Each buffer starts with a struct bpf_zbuf_header. While its two generation
 * numbers are equal, the kernel owns the buffer and stores packets in it. The
 * kernel assigns it to the program by incrementing bzh_kernel_gen; the program
 * returns it by copying that number to bzh_user_gen.
 *
 *   kernel:   packets, bzh_kernel_len --release--> bzh_kernel_gen
 *   program:  bzh_kernel_gen --acquire--> packets ... --release--> bzh_user_gen
 *   kernel:   bzh_user_gen --acquire--> packets
 *
 * The program can write to the header at any time, so the kernel reads only
 * bzh_user_gen, which tells whether the buffer was returned: a program that
 * misuses it corrupts only its own packets.
 *
 * These functions do not lock: the caller holds the descriptor's lock.
 */
#ifndef VCAP_ZBUF_H
#define VCAP_ZBUF_H

#include "bsd.h"
#include "shim.h"

/* Packets start after the header. */
#define VCAP_ZBUF_HDRLEN	sizeof(struct bpf_zbuf_header)

/**
 * struct vcap_zbuf - a buffer that a program shares
 * @header: its start, shared with the program
 * @gen: the value last written to bzh_kernel_gen, which is never read
 * @assigned: the program owns the buffer
 */
struct vcap_zbuf {
	struct bpf_zbuf_header *header;
	u32 gen;
	bool assigned;
};

/**
 * vcap_zbuf_valid() - check the addresses and the size of two buffers
 * @zbuf: the argument of BIOCSETZBUF
 * @page: page size, a power of 2, bytes
 * @max: largest size of a buffer, bytes
 *
 * Return: true if both consist of whole pages, are not larger than @max, and do
 * not overlap.
 */
bool vcap_zbuf_valid(const struct bpf_zbuf *zbuf, size_t page, size_t max);

/** vcap_zbuf_init() - zero the header: the kernel owns the buffer */
void vcap_zbuf_init(struct vcap_zbuf *z, void *header);

/**
 * vcap_zbuf_assign() - assign a buffer to the program
 * @z: the buffer, owned by the kernel
 * @len: bytes of packets after the header, all written
 */
void vcap_zbuf_assign(struct vcap_zbuf *z, u32 len);

/**
 * vcap_zbuf_returned() - return true if the program has returned its buffer
 * @z: a buffer that the program owns
 *
 * Does not change the owner; vcap_zbuf_take() does.
 */
bool vcap_zbuf_returned(const struct vcap_zbuf *z);

/**
 * vcap_zbuf_take() - take a buffer back if the program has returned it
 * @z: the buffer
 *
 * Return: true if the kernel has become its owner.
 */
bool vcap_zbuf_take(struct vcap_zbuf *z);

#endif /* VCAP_ZBUF_H */
