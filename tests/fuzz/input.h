/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An input of differential.c: the number of instructions, less one; by how much
 * the frame's length on the wire exceeds what was captured, a signed number; both
 * little-endian and of 16 bits; the instructions; and the frame, the rest.
 */
#ifndef INPUT_H
#define INPUT_H

#include <stddef.h>

#include "bsd.h"
#include "shim.h"

#define INPUT_HEADER	4

/** input_insns() - the number of instructions in an input; 0: it is too short */
static inline u32 input_insns(const u8 *data, size_t size)
{
	u32 len, most;

	if (size < INPUT_HEADER + sizeof(struct bsd_insn))
		return 0;
	most = (size - INPUT_HEADER) / sizeof(struct bsd_insn);
	len = 1 + (data[0] | data[1] << 8) % BPF_MAXINSNS;
	return len < most ? len : most;
}

/**
 * input_wirelen() - the frame's length on the wire
 *
 * Filters do not depend on its being @buflen or more, and it may be near 2^32.
 */
static inline u32 input_wirelen(const u8 *data, u32 buflen)
{
	return buflen + (s16)(data[2] | data[3] << 8);
}

#endif /* INPUT_H */
