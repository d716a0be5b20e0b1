/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Filter programs: what is valid, and how much of a frame they look at. */
#ifndef VCAP_FILTER_H
#define VCAP_FILTER_H

#include "bsd.h"
#include "shim.h"

/**
 * vcap_filter_valid() - whether a program may be installed
 * @insns: the program
 * @len: its instructions
 *
 * The BSDs' rules at their strict end: 1 to BPF_MAXINSNS instructions with
 * known codes, jumps that go forward and stay inside, scratch words below
 * BPF_MEMWORDS, no division by a constant zero, and a return at the end. So a
 * valid program ends, and touches nothing but the packet and its scratch words.
 */
bool vcap_filter_valid(const struct bsd_insn *insns, u32 len);

/** vcap_filter_constant() - whether a valid program only returns a number */
static inline bool vcap_filter_constant(const struct bsd_insn *insns)
{
	return insns->code == (BPF_RET | BPF_K);
}

/**
 * vcap_filter_snaplen() - how much of a frame a program needs to see
 * @insns: a valid program, or NULL for none
 * @len: its instructions
 *
 * Return: bytes from the start of a frame with which the program answers as
 * with the whole frame and which hold all that it wants kept; U32_MAX when
 * that depends on the frame.
 */
u32 vcap_filter_snaplen(const struct bsd_insn *insns, u32 len);

#endif /* VCAP_FILTER_H */
