/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An input of differential.c has two little-endian 16-bit numbers: the number
 * of instructions minus one, and the frame's length on the wire minus its
 * captured length, which is signed. The instructions and the frame follow.
 */
#ifndef INPUT_H
#define INPUT_H

#include <stddef.h>

#include "bsd.h"
#include "shim.h"

#define INPUT_HEADER	4

/** input_insns() - the number of instructions in an input; 0 if too short */
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
 * It may be less than @buflen or near 2^32, as filters must not rely on its
 * range.
 */
static inline u32 input_wirelen(const u8 *data, u32 buflen)
{
	return buflen + (s16)(data[2] | data[3] << 8);
}

#endif /* INPUT_H */
