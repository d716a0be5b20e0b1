/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Validation of filter programs, and the snapshot length they require. */
#ifndef VCAP_FILTER_H
#define VCAP_FILTER_H

#include "bsd.h"
#include "shim.h"

/**
 * vcap_filter_valid() - return true if a program may be installed
 * @insns: the program
 * @len: number of instructions
 *
 * Applies the strictest rules of the BSDs: 1 to BPF_MAXINSNS instructions with
 * known codes, forward jumps within the program, scratch words below
 * BPF_MEMWORDS, no division by a constant zero, and a return at the end. So a
 * valid program terminates, and accesses only the packet and its scratch words.
 */
bool vcap_filter_valid(const struct bsd_insn *insns, u32 len);

/** vcap_filter_constant() - return true if a program is a constant return */
static inline bool vcap_filter_constant(const struct bsd_insn *insns)
{
	return insns->code == (BPF_RET | BPF_K);
}

/** vcap_filter_load_size() - return the number of bytes that a load reads */
static inline u32 vcap_filter_load_size(u16 code)
{
	switch (BPF_SIZE(code)) {
	case BPF_W:
		return 4;
	case BPF_H:
		return 2;
	default:
		return 1;
	}
}

/**
 * vcap_filter_snaplen() - return the snapshot length that a program requires
 * @insns: a valid program; NULL: none
 * @len: number of instructions
 *
 * Return: the length of a truncated frame for which the program returns the
 * same as for the whole frame, and which contains all bytes to keep; U32_MAX if
 * that depends on the frame.
 */
u32 vcap_filter_snaplen(const struct bsd_insn *insns, u32 len);

#endif /* VCAP_FILTER_H */
