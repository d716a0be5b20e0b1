/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Pairs of a filter program and a frame, and libpcap's results. */
#ifndef PAIRS_H
#define PAIRS_H

#include <stdio.h>

#include "bsd.h"
#include "shim.h"

#define MAX_FRAME	65536

/**
 * struct pair - a program and a frame to run it over
 * @len: number of instructions
 * @wirelen: the frame's length on the wire
 * @buflen: bytes at @data
 * @insns: the program, which is valid
 * @data: the frame
 *
 * @insns and @data are separate heap blocks, so that a sanitizer detects reads
 * beyond their end.
 */
struct pair {
	u32 len;
	u32 wirelen;
	u32 buflen;
	struct bsd_insn *insns;
	u8 *data;
};

/** reference() - libpcap's result; the specification's if that is undefined */
u32 reference(const struct pair *pair);

/** print_pair() - print a pair as TAP comments */
void print_pair(const struct pair *pair);

/** write_pair() - append a pair to a file; return false if that fails */
bool write_pair(FILE *file, const struct pair *pair);

/** read_pair() - read the next pair of a file; return false at its end */
bool read_pair(FILE *file, struct pair *pair);

/** free_pair() - free a pair's program and frame */
void free_pair(struct pair *pair);

#endif /* PAIRS_H */
