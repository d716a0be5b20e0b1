/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Programs of BSD's filter machine, made to answer alike on Linux's. */
#ifndef VCAP_REWRITE_H
#define VCAP_REWRITE_H

#include "bsd.h"
#include "shim.h"

/* The longest replacement of one instruction; see rewrite.c. */
#define VCAP_REWRITE_GROWTH	7

/* No program grows beyond this, which is less than Linux's limit of 4096. */
#define VCAP_REWRITE_MAX	(BPF_MEMWORDS + \
				 VCAP_REWRITE_GROWTH * BPF_MAXINSNS)

/**
 * struct vcap_rewrite - a rewritten program, and room for the work on it
 * @len: its instructions
 * @insns: the instructions
 * @start: where the replacement of each old instruction starts
 * @size: how long it is
 * @set: scratch words that were set on every way to an old instruction
 */
struct vcap_rewrite {
	u32 len;
	struct bsd_insn insns[VCAP_REWRITE_MAX];
	u16 start[BPF_MAXINSNS];
	u8 size[BPF_MAXINSNS];
	u16 set[BPF_MAXINSNS];
};

/**
 * vcap_filter_rewrite() - rewrite a program for Linux's classic BPF
 * @insns: a valid program
 * @len: its instructions
 * @out: receives the new one
 *
 * The new program answers on Linux's filter machine what vcap_filter_run()
 * answers for the old one, and is valid there. What Linux takes for the length
 * on the wire and for the bytes that were captured is the caller's part.
 *
 * Return: false if no program of Linux's could do that.
 */
bool vcap_filter_rewrite(const struct bsd_insn *insns, u32 len,
			 struct vcap_rewrite *out);

#endif /* VCAP_REWRITE_H */
