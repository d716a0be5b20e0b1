/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Pairs of a filter program and a frame, and libpcap's answers. */
#ifndef PAIRS_H
#define PAIRS_H

#include <stdio.h>

#include "bsd.h"
#include "shim.h"

#define MAX_FRAME	65536

/**
 * struct pair - a program and a frame to run it over
 * @len: instructions
 * @wirelen: the frame's length on the wire
 * @buflen: bytes at @data
 * @insns: the program, which is valid
 * @data: the frame
 *
 * Both have a block of their own on the heap, so that a sanitizer sees a read
 * behind their end.
 */
struct pair {
	u32 len;
	u32 wirelen;
	u32 buflen;
	struct bsd_insn *insns;
	u8 *data;
};

/** reference() - libpcap's answer; where libpcap leaves it open, the driver's */
u32 reference(const struct pair *pair);

/** print_pair() - write a pair as comments of a test's output */
void print_pair(const struct pair *pair);

/** write_pair() - append a pair to a file; return false if that fails */
bool write_pair(FILE *file, const struct pair *pair);

/** read_pair() - read the next pair of a file; return false at its end */
bool read_pair(FILE *file, struct pair *pair);

/** free_pair() - free what a pair holds */
void free_pair(struct pair *pair);

#endif /* PAIRS_H */
