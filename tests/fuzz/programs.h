/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Programs and frames to try, and the smallest of those that go wrong. */
#ifndef PROGRAMS_H
#define PROGRAMS_H

#include "bsd.h"
#include "shim.h"

#define MAX_FRAME	2048

struct program {
	u32 len;
	struct bsd_insn insns[BPF_MAXINSNS];
};

struct frame {
	u32 wirelen;
	u32 buflen;
	u8 *data;		/* of its own, so that a sanitizer sees its end */
};

/* --- programs.c: where they come from --- */

/** seed_random() - start the sequence of random numbers */
void seed_random(u64 seed);

/** read_programs() - take in the programs that compile.c wrote; false: none */
bool read_programs(const char *path);

/** read_frames() - take in the frames of a capture file; false: none */
bool read_frames(const char *path);

/**
 * make_program() - a valid program: random, compiled, or compiled and mutated
 *
 * Return: which of these, for the statistics.
 */
enum kind { RANDOM, LONG, COMPILED, MUTATED, KINDS } make_program(struct program *p);

/** make_frame() - a frame: random, real, or real and mutated, whole or cut */
void make_frame(struct frame *f);

/* --- minimal.c: what is left of a failure --- */

/** reference() - libpcap's answer, with what it leaves open as ours */
u32 reference(const struct program *p, const struct frame *f);

typedef bool differs_fn(const struct program *p, const struct frame *f);

/** minimize() - make a program and a frame smaller while they differ */
void minimize(struct program *p, struct frame *f, differs_fn *differs);

/** print_case() - as comments of a test's output */
void print_case(const struct program *p, const struct frame *f);

#endif /* PROGRAMS_H */
