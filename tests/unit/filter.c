// SPDX-License-Identifier: GPL-2.0-or-later
/* Filters: which are valid, what they return, how many bytes they need. */
#include <stdlib.h>

#include "filter.h"
#include "filters.h"
#include "tap.h"

/* libpcap's interpreter, the reference; its instructions are laid out alike. */
unsigned int bpf_filter(const struct bsd_insn *insns, const unsigned char *pkt,
			unsigned int wirelen, unsigned int buflen);

#define COUNT(a)	(sizeof(a) / sizeof((a)[0]))
#define RET(k)		BPF_STMT(BPF_RET | BPF_K, k)

static void test_valid(void)
{
	struct bsd_insn longest[BPF_MAXINSNS + 1];
	static const struct {
		const char *name;
		struct bsd_insn insns[3];
		u32 len;
		bool valid;
	} cases[] = {
		{ "a return", { RET(1) }, 1, true },
		{ "nothing", { RET(1) }, 0, false },
		{ "no return", { BPF_STMT(BPF_LD | BPF_IMM, 1) }, 1, false },
		{ "return A", { BPF_STMT(BPF_RET | BPF_A, 0) }, 1, true },
		{ "return X", { BPF_STMT(BPF_RET | BPF_X, 0) }, 1, false },
		{ "an unknown code", { BPF_STMT(0xffff, 0), RET(1) }, 2, false },
		{ "a load into X by halves",
		  { BPF_STMT(BPF_LDX | BPF_H | BPF_IMM, 0), RET(1) }, 2, false },
		{ "the last scratch word",
		  { BPF_STMT(BPF_ST, 15), RET(1) }, 2, true },
		{ "a store behind the scratch words",
		  { BPF_STMT(BPF_ST, 16), RET(1) }, 2, false },
		{ "a store of X behind the scratch words",
		  { BPF_STMT(BPF_STX, ~0U), RET(1) }, 2, false },
		{ "a load behind the scratch words",
		  { BPF_STMT(BPF_LD | BPF_MEM, 16), RET(1) }, 2, false },
		{ "a load into X behind the scratch words",
		  { BPF_STMT(BPF_LDX | BPF_MEM, 16), RET(1) }, 2, false },
		{ "division by zero",
		  { BPF_STMT(BPF_ALU | BPF_DIV | BPF_K, 0), RET(1) }, 2, false },
		{ "remainder of zero",
		  { BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, 0), RET(1) }, 2, false },
		{ "division by X",
		  { BPF_STMT(BPF_ALU | BPF_DIV | BPF_X, 0), RET(1) }, 2, true },
		{ "a shift by 32",
		  { BPF_STMT(BPF_ALU | BPF_LSH | BPF_K, 32), RET(1) }, 2, true },
		{ "a jump to the end",
		  { BPF_STMT(BPF_JMP | BPF_JA, 1), RET(1), RET(2) }, 3, true },
		{ "a jump past the end",
		  { BPF_STMT(BPF_JMP | BPF_JA, 2), RET(1), RET(2) }, 3, false },
		{ "a jump that wraps",
		  { BPF_STMT(BPF_JMP | BPF_JA, ~0U), RET(1), RET(2) }, 3, false },
		{ "a true branch past the end",
		  { BPF_JUMP(BPF_JMP | BPF_JEQ, 0, 1, 0), RET(1) }, 2, false },
		{ "a false branch past the end",
		  { BPF_JUMP(BPF_JMP | BPF_JEQ, 0, 0, 1), RET(1) }, 2, false },
		{ "a jump as its last instruction",
		  { BPF_JUMP(BPF_JMP | BPF_JEQ, 0, 0, 0) }, 1, false },
		{ "an unknown jump",
		  { BPF_JUMP(BPF_JMP | 0x50, 0, 0, 0), RET(1) }, 2, false },
	};
	unsigned int i;

	for (i = 0; i < COUNT(cases); i++)
		equal(vcap_filter_valid(cases[i].insns, cases[i].len),
		      cases[i].valid, "a program with %s is %s", cases[i].name,
		      cases[i].valid ? "valid" : "invalid");
	for (i = 0; i <= BPF_MAXINSNS; i++)
		longest[i] = (struct bsd_insn)RET(1);
	ok(vcap_filter_valid(longest, BPF_MAXINSNS),
	   "a program of 512 instructions is valid");
	ok(!vcap_filter_valid(longest, BPF_MAXINSNS + 1),
	   "a program of 513 instructions is invalid");
}

static void test_snaplen(void)
{
	static const struct bsd_insn
		all[] = { RET(0xffffffff) },
		cut[] = { BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 12),
			  BPF_JUMP(BPF_JMP | BPF_JEQ, 0x800, 0, 1),
			  RET(96), RET(0) },
		deep[] = { BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 200), RET(96) },
		indirect[] = { BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 14),
			       BPF_STMT(BPF_LD | BPF_B | BPF_IND, 0), RET(96) },
		none[] = { RET(0) },
		far[] = { BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0xfffffffe), RET(1) },
		computed[] = { BPF_STMT(BPF_LD | BPF_LEN, 0),
			       BPF_STMT(BPF_RET | BPF_A, 0) };

	equal(vcap_filter_snaplen(NULL, 0), 0xffffffff,
	      "snapshot length without a filter: all");
	equal(vcap_filter_snaplen(all, 1), 0xffffffff,
	      "snapshot length of a filter that keeps all: all");
	equal(vcap_filter_snaplen(cut, 4), 96,
	      "snapshot length of a filter: as much as it keeps");
	equal(vcap_filter_snaplen(deep, 2), 204,
	      "snapshot length of a filter: as much as it looks at");
	equal(vcap_filter_snaplen(indirect, 3), 0xffffffff,
	      "snapshot length of a filter with indirect loads: all");
	equal(vcap_filter_snaplen(none, 1), 1,
	      "snapshot length of a filter that rejects: 1, never 0");
	equal(vcap_filter_snaplen(far, 2), 0xffffffff,
	      "snapshot length of a filter that loads at the greatest offset: all");
	equal(vcap_filter_snaplen(computed, 2), 0xffffffff,
	      "snapshot length of a filter that computes what it keeps: all");
}

/* Cases that are undefined in C, and where libpcap's interpreter differs. */
static void test_own_answers(void)
{
	static const struct {
		const char *name;
		struct bsd_insn insns[5];
		u32 len, result;
	} cases[] = {
		{ "scratch words start as 0",
		  { BPF_STMT(BPF_LD | BPF_IMM, 1), BPF_STMT(BPF_LD | BPF_MEM, 3),
		    BPF_STMT(BPF_RET | BPF_A, 0) }, 3, 0 },
		{ "A << 32 is 0",
		  { BPF_STMT(BPF_LD | BPF_IMM, 5),
		    BPF_STMT(BPF_ALU | BPF_LSH | BPF_K, 32),
		    BPF_STMT(BPF_RET | BPF_A, 0) }, 3, 0 },
		{ "A >> X is 0 for X = 33",
		  { BPF_STMT(BPF_LDX | BPF_IMM, 33),
		    BPF_STMT(BPF_LD | BPF_IMM, ~0U),
		    BPF_STMT(BPF_ALU | BPF_RSH | BPF_X, 0),
		    BPF_STMT(BPF_RET | BPF_A, 0) }, 4, 0 },
		{ "A / X rejects for X = 0",
		  { BPF_STMT(BPF_LD | BPF_IMM, 5),
		    BPF_STMT(BPF_ALU | BPF_DIV | BPF_X, 0), RET(9) }, 3, 0 },
		{ "A % X rejects for X = 0",
		  { BPF_STMT(BPF_LD | BPF_IMM, 5),
		    BPF_STMT(BPF_ALU | BPF_MOD | BPF_X, 0), RET(9) }, 3, 0 },
		{ "X + k that wraps rejects",
		  { BPF_STMT(BPF_LDX | BPF_IMM, 2),
		    BPF_STMT(BPF_LD | BPF_B | BPF_IND, 0xffffffff), RET(9) }, 3, 0 },
		{ "an offset that Linux takes for ancillary data rejects",
		  { BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0xfffff000), RET(9) }, 2, 0 },
		{ "the length is that on the wire",
		  { BPF_STMT(BPF_LD | BPF_LEN, 0),
		    BPF_STMT(BPF_RET | BPF_A, 0) }, 2, 1514 },
		{ "a load across the end rejects",
		  { BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 61), RET(9) }, 2, 0 },
		{ "a load up to the end",
		  { BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 60), RET(9) }, 2, 9 },
	};
	u8 *pkt = calloc(1, 64);
	unsigned int i;

	for (i = 0; i < COUNT(cases); i++)
		equal(run_filter(cases[i].insns, cases[i].len, pkt, 1514, 64),
		      cases[i].result, "interpreter: %s", cases[i].name);
	free(pkt);
}

/* Return a random valid instruction with @after more behind it. */
static struct bsd_insn random_insn(u32 after)
{
	static const u16 codes[] = {
		0x20, 0x28, 0x30, 0x40, 0x48, 0x50, 0x00, 0x80, 0x60, 0x01,
		0x61, 0x81, 0xb1, 0x02, 0x03, 0x04, 0x0c, 0x14, 0x1c, 0x24,
		0x2c, 0x34, 0x3c, 0x44, 0x4c, 0x54, 0x5c, 0x64, 0x74, 0x84,
		0x94, 0x9c, 0xa4, 0xac, 0x05, 0x15, 0x1d, 0x25, 0x2d, 0x35,
		0x3d, 0x45, 0x4d, 0x06, 0x16, 0x07, 0x87,
	};
	struct bsd_insn in = { .code = codes[rand() % COUNT(codes)] };

	switch (rand() % 4) {
	case 0:
		in.k = rand() % 96;
		break;
	case 1:
		in.k = (u32)rand() * 3;
		break;
	default:
		in.k = rand() % 16;
	}
	/* The reference's result of a shift by 32 is undefined in C. */
	if (in.code == (BPF_ALU | BPF_LSH) || in.code == (BPF_ALU | BPF_RSH))
		in.k %= 32;
	if (BPF_CLASS(in.code) == BPF_JMP && after) {
		in.jt = rand() % (after < 8 ? after : 8);
		in.jf = rand() % (after < 8 ? after : 8);
		if (in.code == (BPF_JMP | BPF_JA))
			in.k %= after;
	}
	return in;
}

/* Random programs return the same as with libpcap's interpreter. */
static void test_reference(void)
{
	enum { PROGRAMS = 200000, LEN = 24 };
	struct bsd_insn prog[LEN];
	int i, j, tried = 0, accepted = 0, differ = 0;
	u8 *pkt = malloc(64);

	srand(1);
	for (i = 0; i < PROGRAMS; i++) {
		u32 buflen = rand() % 65, wirelen = buflen + rand() % 2000;
		u32 ours, reference;

		/* The reference does not initialize the scratch words. */
		for (j = 0; j < LEN; j++)
			prog[j] = j < 16 && i % 2
				? (struct bsd_insn)BPF_STMT(BPF_ST, j)
				: random_insn(LEN - 1 - j);
		prog[LEN - 1] = (struct bsd_insn)BPF_STMT(BPF_RET | BPF_A, 0);
		for (j = 0; j < LEN; j++)
			if (!(i % 2) && (prog[j].code == (BPF_LD | BPF_MEM) ||
					 prog[j].code == (BPF_LDX | BPF_MEM)))
				prog[j].code = BPF_MISC | BPF_TAX;
		for (j = 0; j < (int)buflen; j++)
			pkt[j] = rand();
		if (!vcap_filter_valid(prog, LEN))
			continue;
		ours = run_filter(prog, LEN, pkt, wirelen, buflen);
		reference = bpf_filter(prog, pkt, wirelen, buflen);
		tried++;
		accepted += ours != 0;
		if (ours != reference && differ++ == 0)
			printf("# program %d: %u, reference %u\n", i, ours,
			       reference);
	}
	ok(tried > PROGRAMS / 4, "random programs: %d were valid", tried);
	ok(accepted > tried / 20, "random programs: %d accepted a packet",
	   accepted);
	equal(differ, 0,
	      "random programs: none answers otherwise than libpcap");
	free(pkt);
}

int main(void)
{
	test_valid();
	test_snaplen();
	test_own_answers();
	test_reference();
	return done_testing();
}
