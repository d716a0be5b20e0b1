// SPDX-License-Identifier: GPL-2.0-or-later
/* Every difference between BSD's filter machine and Linux's, and its rewrite. */
#include <stdlib.h>

#include "filter.h"
#include "filters.h"
#include "linux-machine.h"
#include "rewrite.h"
#include "tap.h"

#define COUNT(a)	(sizeof(a) / sizeof((a)[0]))
#define RET(k)		BPF_STMT(BPF_RET | BPF_K, k)
#define RET_A		BPF_STMT(BPF_RET | BPF_A, 0)
#define TXA		BPF_STMT(BPF_MISC | BPF_TXA, 0)
#define LD(k)		BPF_STMT(BPF_LD | BPF_IMM, k)
#define LDX(k)		BPF_STMT(BPF_LDX | BPF_IMM, k)
#define ABS(size, k)	BPF_STMT(BPF_LD | size | BPF_ABS, k)
#define IND(size, k)	BPF_STMT(BPF_LD | size | BPF_IND, k)
#define MSH(k)		BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, k)
#define SHIFT(how)	BPF_STMT(BPF_ALU | (how) | BPF_X, 0)
#define SHIFT_K(how, k)	BPF_STMT(BPF_ALU | how | BPF_K, k)
#define ST(k)		BPF_STMT(BPF_ST, k)
#define MEM(k)		BPF_STMT(BPF_LD | BPF_MEM, k)
#define MEM_X(k)	BPF_STMT(BPF_LDX | BPF_MEM, k)
#define JEQ(k, jt, jf)	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, k, jt, jf)
#define JGE(k, jt, jf)	BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, k, jt, jf)
#define JA(k)		BPF_STMT(BPF_JMP | BPF_JA, k)

/* X + k is no offset: what an indirect load is guarded by. */
#define GUARD(k)	TXA, JGE(0x80000000U - (k), 0, 1), RET(0)
/* X is 32 or more: 0, by way of a free word. */
#define GUARDED_SHIFT(how, word) \
	ST(word), TXA, JGE(32, 0, 2), LD(0), JA(2), MEM(word), SHIFT(how)

static const struct {
	const char *name;
	struct bsd_insn before[12];
	u32 len;
	struct bsd_insn after[24];
	u32 after_len;		/* 0: the same */
} cases[] = {
	{ "what both answer alike stays",
	  { ABS(BPF_H, 12), JEQ(0x800, 0, 1), RET(96), RET(0) }, 4, { }, 0 },
	{ "a load at the last offset stays",
	  { ABS(BPF_W, 0x7fffffff), RET(9) }, 2, { }, 0 },
	{ "a word at 2^31 rejects",
	  { ABS(BPF_W, 0x80000000), RET(9) }, 2, { RET(0), RET(9) }, 2 },
	{ "a half word of the network header rejects",
	  { ABS(BPF_H, 0xfff00000), RET(9) }, 2, { RET(0), RET(9) }, 2 },
	{ "a byte of ancillary data rejects",
	  { ABS(BPF_B, 0xfffff004), RET(9) }, 2, { RET(0), RET(9) }, 2 },
	{ "a header length at 2^31 rejects",
	  { MSH(0x80000000), RET(9) }, 2, { RET(0), RET(9) }, 2 },
	{ "a header length at the last offset stays",
	  { MSH(0x7fffffff), RET(9) }, 2, { }, 0 },
	{ "an indirect load from 2^31 on rejects",
	  { LDX(0x80000002), IND(BPF_B, 0x80000000), RET(9) }, 3,
	  { LDX(0x80000002), RET(0), RET(9) }, 3 },
	{ "an indirect load is guarded",
	  { LDX(2), IND(BPF_H, 0), RET_A }, 3,
	  { LDX(2), GUARD(0), IND(BPF_H, 0), RET_A }, 6 },
	{ "against X + k that wraps",
	  { LDX(0xfffffffe), IND(BPF_B, 4), RET(9) }, 3,
	  { LDX(0xfffffffe), GUARD(4), IND(BPF_B, 4), RET(9) }, 6 },
	{ "against X + k of 2^31",
	  { LDX(1), IND(BPF_W, 0x7fffffff), RET(9) }, 3,
	  { LDX(1), GUARD(0x7fffffff), IND(BPF_W, 0x7fffffff), RET(9) }, 6 },
	{ "shifts by 31 stay",
	  { LD(3), SHIFT_K(BPF_LSH, 31), SHIFT_K(BPF_RSH, 31), RET_A }, 4, { }, 0 },
	{ "a left shift by 32 gives 0",
	  { LD(3), SHIFT_K(BPF_LSH, 32), RET_A }, 3, { LD(3), LD(0), RET_A }, 3 },
	{ "a right shift by all ones gives 0",
	  { LD(3), SHIFT_K(BPF_RSH, ~0U), RET_A }, 3, { LD(3), LD(0), RET_A }, 3 },
	{ "a left shift by X is guarded",
	  { LDX(32), LD(3), SHIFT(BPF_LSH), RET_A }, 4,
	  { LDX(32), LD(3), GUARDED_SHIFT(BPF_LSH, 0), RET_A }, 10 },
	{ "and shifts if X is less",
	  { LDX(31), LD(3), SHIFT(BPF_LSH), RET_A }, 4,
	  { LDX(31), LD(3), GUARDED_SHIFT(BPF_LSH, 0), RET_A }, 10 },
	{ "a right shift by X likewise",
	  { LDX(33), LD(~0U), SHIFT(BPF_RSH), RET_A }, 4,
	  { LDX(33), LD(~0U), GUARDED_SHIFT(BPF_RSH, 0), RET_A }, 10 },
	{ "with a word that is not read",
	  { LD(7), ST(0), ST(2), LDX(1), SHIFT(BPF_LSH), ST(1), MEM(0),
	    MEM_X(1), RET_A }, 9,
	  { LD(7), ST(0), ST(2), LDX(1), GUARDED_SHIFT(BPF_LSH, 2), ST(1),
	    MEM(0), MEM_X(1), RET_A }, 15 },
	{ "a word that was not set is 0",
	  { LD(3), MEM(5), RET_A }, 3, { ST(5), LD(3), MEM(5), RET_A }, 4 },
	{ "also for X",
	  { MEM_X(15), TXA, RET_A }, 3, { ST(15), MEM_X(15), TXA, RET_A }, 4 },
	{ "or was set on one way only",
	  { LD(3), JEQ(3, 1, 0), ST(1), MEM(1), RET_A }, 5,
	  { ST(1), LD(3), JEQ(3, 1, 0), ST(1), MEM(1), RET_A }, 6 },
	{ "or on the other",
	  { LD(3), JEQ(4, 0, 1), ST(1), MEM(1), RET_A }, 5,
	  { ST(1), LD(3), JEQ(4, 0, 1), ST(1), MEM(1), RET_A }, 6 },
	{ "or where a jump does not pass",
	  { LD(3), JA(1), ST(1), MEM(1), RET_A }, 5,
	  { ST(1), LD(3), JA(1), ST(1), MEM(1), RET_A }, 6 },
	{ "a word that was set on both ways stays",
	  { LD(3), JEQ(3, 0, 2), ST(1), JA(1), ST(1), MEM(1), RET_A }, 7, { }, 0 },
	{ "jumps go as far as what they cross has grown",
	  { LD(3), JEQ(3, 1, 2), JA(1), IND(BPF_B, 0), RET(1), RET(2) }, 6,
	  { LD(3), JEQ(3, 1, 5), JA(4), GUARD(0), IND(BPF_B, 0), RET(1),
	    RET(2) }, 9 },
};

/* Print a program that is not what it should be. */
static void show(const struct bsd_insn *insns, u32 len)
{
	u32 i;

	for (i = 0; i < len; i++)
		printf("#   { 0x%02x, %u, %u, 0x%x }\n", insns[i].code,
		       insns[i].jt, insns[i].jf, insns[i].k);
}

/* Does the rewritten program answer on Linux as the old one does on BSD? */
static bool same_answers(const struct bsd_insn *insns, u32 len,
			 const struct vcap_rewrite *re)
{
	static const u32 lengths[][2] = { { 64, 64 }, { 1514, 64 }, { 3, 3 },
					  { ~0U, 16 }, { 0, 0 } };
	u8 *pkt = malloc(64);
	bool same = true;
	u32 i;

	for (i = 0; i < 64; i++)
		pkt[i] = i * 7 + 1;
	for (i = 0; i < COUNT(lengths); i++) {
		u32 wirelen = lengths[i][0], buflen = lengths[i][1];
		u32 bsd = run_filter(insns, len, pkt, wirelen, buflen);
		u32 ours = run_filter(re->insns, re->len, pkt, wirelen, buflen);
		u32 model = linux_run(re->insns, pkt, wirelen, buflen);

		if (bsd != ours || bsd != model) {
			printf("# %u bytes: %u, after it %u, on Linux %u\n",
			       buflen, bsd, ours, model);
			same = false;
		}
	}
	free(pkt);
	return same;
}

static void test_cases(struct vcap_rewrite *re)
{
	u32 i;

	for (i = 0; i < COUNT(cases); i++) {
		bool same = cases[i].after_len == 0;
		const struct bsd_insn *after = same ? cases[i].before
						    : cases[i].after;
		u32 len = same ? cases[i].len : cases[i].after_len;
		bool as_expected;

		if (!vcap_filter_valid(cases[i].before, cases[i].len) ||
		    !vcap_filter_rewrite(cases[i].before, cases[i].len, re)) {
			ok(false, "%s", cases[i].name);
			continue;
		}
		as_expected = re->len == len &&
			      !memcmp(re->insns, after, len * sizeof(*after));
		ok(as_expected && linux_valid(re->insns, re->len) &&
		   same_answers(cases[i].before, cases[i].len, re), "%s",
		   cases[i].name);
		if (!as_expected)
			show(re->insns, re->len);
	}
}

/* All words are read, so there is none for the guard of a shift. */
static void test_no_word(struct vcap_rewrite *re)
{
	struct bsd_insn insns[BPF_MEMWORDS + 2];
	u32 i;

	for (i = 0; i < BPF_MEMWORDS; i++)
		insns[i] = (struct bsd_insn)MEM(i);
	insns[i++] = (struct bsd_insn)SHIFT(BPF_LSH);
	insns[i++] = (struct bsd_insn)RET_A;
	ok(!vcap_filter_rewrite(insns, i, re),
	   "a shift by X is interpreted if every word is read");
	insns[0] = (struct bsd_insn)LD(5);
	ok(vcap_filter_rewrite(insns, i, re) && re->insns[i].code != BPF_ST &&
	   linux_valid(re->insns, re->len) && same_answers(insns, i, re),
	   "but not if one is left");
}

/*
 * A branch over 63 indirect loads, which grow to 252 instructions, and @plain
 * others. It returns 1 if @value is 3, else 2, or @crossed the other way round.
 */
static u32 make_branch(struct bsd_insn *insns, u32 value, u32 plain,
		       bool crossed)
{
	u32 i, n = 0;

	insns[n++] = (struct bsd_insn)LD(value);
	insns[n++] = (struct bsd_insn)JEQ(3, 64 + plain + crossed,
					  65 + plain - crossed);
	insns[n++] = (struct bsd_insn)JA(63 + plain);
	for (i = 0; i < 63; i++)
		insns[n++] = (struct bsd_insn)IND(BPF_B, i);
	while (plain-- > 0)
		insns[n++] = (struct bsd_insn)LD(9);
	insns[n++] = (struct bsd_insn)RET(1);
	insns[n++] = (struct bsd_insn)RET(2);
	return n;
}

/* Branches whose targets get further away than 8 bits can say. */
static void test_far_branches(struct vcap_rewrite *re)
{
	struct bsd_insn insns[80];
	u32 i, n = 0, plain;

	for (plain = 0; plain < 4; plain++) {
		for (i = 0; i < 4; i++) {
			bool equals = i & 1, crossed = i & 2;

			n = make_branch(insns, equals ? 3 : 4, plain, crossed);
			ok(vcap_filter_valid(insns, n) &&
			   vcap_filter_rewrite(insns, n, re) &&
			   linux_valid(re->insns, re->len) &&
			   linux_run(re->insns, NULL, 0, 0) ==
			   (equals == crossed ? 2U : 1U),
			   "a branch over %u goes where it went", 254 + plain);
		}
		/* The way to 2 is 254 + plain. */
		equal(re->len, n + 63 * 3 + (plain > 1 ? 2 : 0),
		      "and takes %s", plain > 1 ? "three" : "one");
	}
}

/* The longest program, all of it of the kind that grows most. */
static void test_longest(struct vcap_rewrite *re)
{
	struct bsd_insn insns[BPF_MAXINSNS];
	u32 i;

	insns[0] = (struct bsd_insn)LDX(1);
	insns[1] = (struct bsd_insn)LD(1);
	for (i = 2; i < BPF_MAXINSNS - 1; i++)
		insns[i] = (struct bsd_insn)SHIFT(i < 12 ? BPF_LSH : BPF_RSH);
	for (i = 100; i < 115; i++)
		insns[i] = (struct bsd_insn)MEM(i - 100);
	insns[BPF_MAXINSNS - 1] = (struct bsd_insn)RET_A;
	ok(vcap_filter_valid(insns, BPF_MAXINSNS) &&
	   vcap_filter_rewrite(insns, BPF_MAXINSNS, re),
	   "the longest program can be rewritten");
	ok(re->len <= VCAP_REWRITE_MAX && VCAP_REWRITE_MAX <= 4096,
	   "into %u instructions", re->len);
	ok(linux_valid(re->insns, re->len), "that Linux takes");
	ok(same_answers(insns, BPF_MAXINSNS, re), "and answers alike");
}

int main(void)
{
	struct vcap_rewrite *re = malloc(sizeof(*re));

	test_cases(re);
	test_no_word(re);
	test_far_branches(re);
	test_longest(re);
	free(re);
	return done_testing();
}
