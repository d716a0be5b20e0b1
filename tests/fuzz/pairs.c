// SPDX-License-Identifier: GPL-2.0-or-later
/* Pairs of a filter program and a frame, and libpcap's results. */
#include <stdlib.h>

#include "pairs.h"

/* The size of the lengths in a file. */
#define HEAD	(3 * sizeof(u32))

/* libpcap's interpreter; its instructions are laid out like the driver's. */
unsigned int bpf_filter(const struct bsd_insn *insns, const unsigned char *pkt,
			unsigned int wirelen, unsigned int buflen);

/*
 * libpcap does not initialise scratch memory, and its shifts by 32 and more are
 * undefined, so run a program that initialises it and has no such shifts.
 */
u32 reference(const struct pair *pair)
{
	static struct bsd_insn insns[BPF_MEMWORDS + BPF_MAXINSNS];
	u32 i;

	for (i = 0; i < BPF_MEMWORDS; i++)
		insns[i] = (struct bsd_insn)BPF_STMT(BPF_ST, i);
	memcpy(&insns[i], pair->insns, pair->len * sizeof(insns[0]));
	for (; i < BPF_MEMWORDS + pair->len; i++)
		if ((insns[i].code == (BPF_ALU | BPF_LSH | BPF_K) ||
		     insns[i].code == (BPF_ALU | BPF_RSH | BPF_K)) &&
		    insns[i].k >= 32)
			insns[i] = (struct bsd_insn)BPF_STMT(BPF_LD | BPF_IMM, 0);
	return bpf_filter(insns, pair->data, pair->wirelen, pair->buflen);
}

void print_pair(const struct pair *pair)
{
	u32 i;

	for (i = 0; i < pair->len; i++)
		printf("#   { 0x%02x, %u, %u, 0x%08x },\n", pair->insns[i].code,
		       pair->insns[i].jt, pair->insns[i].jf, pair->insns[i].k);
	printf("#   %u bytes on the wire, %u captured:", pair->wirelen,
	       pair->buflen);
	for (i = 0; i < pair->buflen && i < 96; i++)
		printf(" %02x", pair->data[i]);
	putchar('\n');
}

bool write_pair(FILE *file, const struct pair *pair)
{
	return fwrite(pair, HEAD, 1, file) == 1 &&
	       fwrite(pair->insns, sizeof(pair->insns[0]), pair->len, file) ==
	       pair->len &&
	       fwrite(pair->data, 1, pair->buflen, file) == pair->buflen;
}

bool read_pair(FILE *file, struct pair *pair)
{
	if (fread(pair, HEAD, 1, file) != 1 ||
	    pair->len > BPF_MAXINSNS || pair->buflen > MAX_FRAME)
		return false;
	pair->insns = malloc(pair->len * sizeof(pair->insns[0]));
	pair->data = malloc(pair->buflen);
	return fread(pair->insns, sizeof(pair->insns[0]), pair->len, file) ==
	       pair->len &&
	       fread(pair->data, 1, pair->buflen, file) == pair->buflen;
}

void free_pair(struct pair *pair)
{
	free(pair->insns);
	free(pair->data);
}
