// SPDX-License-Identifier: GPL-2.0-or-later
/* Programs translated to eBPF: their results, and their instructions. */
#include <stdlib.h>
#include <sys/mman.h>

#include "ebpf.h"
#include "filter.h"
#include "filters.h"
#include "tap.h"
#include "translate.h"

#define COUNT(a)	(sizeof(a) / sizeof((a)[0]))
#define RET(k)		BPF_STMT(BPF_RET | BPF_K, k)
#define RET_A		BPF_STMT(BPF_RET | BPF_A, 0)
#define TXA		BPF_STMT(BPF_MISC | BPF_TXA, 0)
#define TAX		BPF_STMT(BPF_MISC | BPF_TAX, 0)
#define LD(k)		BPF_STMT(BPF_LD | BPF_IMM, k)
#define LDX(k)		BPF_STMT(BPF_LDX | BPF_IMM, k)
#define LEN		BPF_STMT(BPF_LD | BPF_LEN, 0)
#define LENX		BPF_STMT(BPF_LDX | BPF_LEN, 0)
#define ABS(size, k)	BPF_STMT(BPF_LD | size | BPF_ABS, k)
#define IND(size, k)	BPF_STMT(BPF_LD | size | BPF_IND, k)
#define MSH(k)		BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, k)
#define ALU(op)		BPF_STMT(BPF_ALU | (op) | BPF_X, 0)
#define ALU_K(op, k)	BPF_STMT(BPF_ALU | (op) | BPF_K, k)
#define ST(k)		BPF_STMT(BPF_ST, k)
#define STX(k)		BPF_STMT(BPF_STX, k)
#define MEM(k)		BPF_STMT(BPF_LD | BPF_MEM, k)
#define MEM_X(k)	BPF_STMT(BPF_LDX | BPF_MEM, k)
#define JUMP(op, k, jt, jf) BPF_JUMP(BPF_JMP | (op) | BPF_K, k, jt, jf)
#define JUMP_X(op, jt, jf) BPF_JUMP(BPF_JMP | (op) | BPF_X, 0, jt, jf)
#define JA(k)		BPF_STMT(BPF_JMP | BPF_JA, k)

/* The first 64 bytes of a packet of 1514, each 3 more than the previous one. */
static const struct {
	const char *name;
	struct bsd_insn insns[8];
	u32 len, answer;
} cases[] = {
	{ "a word", { ABS(BPF_W, 4), RET_A }, 2, 0x0c0f1215 },
	{ "a half word", { ABS(BPF_H, 4), RET_A }, 2, 0x0c0f },
	{ "a byte", { ABS(BPF_B, 4), RET_A }, 2, 0x0c },
	{ "the last word", { ABS(BPF_W, 60), RET_A }, 2, 0xb4b7babd },
	{ "a word across the end", { ABS(BPF_W, 61), RET(9) }, 2, 0 },
	{ "a half word across the end", { ABS(BPF_H, 63), RET(9) }, 2, 0 },
	{ "a byte behind the end", { ABS(BPF_B, 64), RET(9) }, 2, 0 },
	{ "a word that wraps", { ABS(BPF_W, 0xfffffffe), RET(9) }, 2, 0 },
	{ "what Linux takes for ancillary data",
	  { ABS(BPF_W, 0xfffff000), RET(9) }, 2, 0 },
	{ "a word at X + k", { LDX(3), IND(BPF_W, 1), RET_A }, 3, 0x0c0f1215 },
	{ "a half word at X + k", { LDX(62), IND(BPF_H, 0), RET_A }, 3, 0xbabd },
	{ "a half word at X + k across the end", { LDX(62), IND(BPF_H, 1), RET(9) }, 3, 0 },
	{ "a byte at X + k that wraps", { LDX(~0U), IND(BPF_B, 5), RET(9) }, 3, 0 },
	{ "a load at X that wraps with k",
	  { LDX(5), IND(BPF_B, 0xfffffffe), RET(9) }, 3, 0 },
	{ "a load at k up to the end of addresses", { IND(BPF_W, 0xfffffffd), RET(9) }, 2, 0 },
	{ "a header's length", { LD(7), MSH(5), TXA, RET_A }, 4, 0x3c },
	{ "a header's length, leaves A", { LD(7), MSH(5), RET_A }, 3, 7 },
	{ "a header's length behind the end", { MSH(64), RET(9) }, 2, 0 },
	{ "the length on the wire", { LEN, RET_A }, 2, 1514 },
	{ "the length on the wire into X", { LENX, TXA, RET_A }, 3, 1514 },
	{ "A is 0 at the start", { RET_A }, 1, 0 },
	{ "X is 0 at the start", { LD(3), TXA, RET_A }, 3, 0 },
	{ "a scratch word is 0", { LD(3), MEM(15), RET_A }, 3, 0 },
	{ "a scratch word that was set", { LD(3), ST(15), LD(4), MEM(15), RET_A }, 5, 3 },
	{ "a scratch word set from X", { LDX(5), STX(0), MEM(0), RET_A }, 4, 5 },
	{ "a scratch word into X", { LD(6), ST(0), MEM_X(0), TXA, RET_A }, 5, 6 },
	{ "a scratch word set on one way only",
	  { JUMP(BPF_JEQ, 0, 2, 0), LD(3), ST(1), MEM(1), RET_A }, 5, 0 },
	{ "A + X wraps", { LD(~0U), LDX(2), ALU(BPF_ADD), RET_A }, 4, 1 },
	{ "A - k wraps", { LD(1), ALU_K(BPF_SUB, 2), RET_A }, 3, ~0U },
	{ "A * X", { LD(0x10001), LDX(0x10001), ALU(BPF_MUL), RET_A }, 4,
	  0x20001 },
	{ "A / k is unsigned",
	  { LD(0xfffffffe), ALU_K(BPF_DIV, 2), RET_A }, 3, 0x7fffffff },
	{ "A / X", { LD(9), LDX(2), ALU(BPF_DIV), RET_A }, 4, 4 },
	{ "A / 0 rejects", { LD(9), ALU(BPF_DIV), RET(9) }, 3, 0 },
	{ "A % k", { LD(~0U), ALU_K(BPF_MOD, 0x80000000), RET_A }, 3,
	  0x7fffffff },
	{ "A % X", { LD(9), LDX(5), ALU(BPF_MOD), RET_A }, 4, 4 },
	{ "A % 0 rejects", { LD(9), ALU(BPF_MOD), RET(9) }, 3, 0 },
	{ "A | k", { LD(5), ALU_K(BPF_OR, 0x80000002), RET_A }, 3, 0x80000007 },
	{ "A & k", { LD(~0U), ALU_K(BPF_AND, 0x80000001), RET_A }, 3,
	  0x80000001 },
	{ "A ^ X", { LD(~0U), LDX(5), ALU(BPF_XOR), RET_A }, 4, 0xfffffffa },
	{ "-A", { LD(5), ALU_K(BPF_NEG, 0), RET_A }, 3, 0xfffffffb },
	{ "A << 31", { LD(3), ALU_K(BPF_LSH, 31), RET_A }, 3, 0x80000000 },
	{ "A << 32 is 0", { LD(3), ALU_K(BPF_LSH, 32), RET_A }, 3, 0 },
	{ "A >> 33 is 0", { LD(~0U), ALU_K(BPF_RSH, 33), RET_A }, 3, 0 },
	{ "A << X", { LD(3), LDX(31), ALU(BPF_LSH), RET_A }, 4, 0x80000000 },
	{ "A << X is 0", { LD(3), LDX(32), ALU(BPF_LSH), RET_A }, 4, 0 },
	{ "A >> X is 0", { LD(~0U), LDX(~0U), ALU(BPF_RSH), RET_A }, 4, 0 },
	{ "a jump", { JA(1), RET(1), RET(2) }, 3, 2 },
	{ "A == k", { LD(~0U), JUMP(BPF_JEQ, ~0U, 1, 0), RET(1), RET(2) }, 4, 2 },
	{ "A == k, else", { LD(4), JUMP(BPF_JEQ, 5, 0, 1), RET(1), RET(2) }, 4,
	  2 },
	{ "A > k is unsigned",
	  { LD(0x80000000), JUMP(BPF_JGT, 1, 1, 0), RET(1), RET(2) }, 4, 2 },
	{ "A > k, else",
	  { LD(5), JUMP(BPF_JGT, 5, 0, 1), RET(1), RET(2) }, 4, 2 },
	{ "A >= X", { LD(5), LDX(5), JUMP_X(BPF_JGE, 1, 0), RET(1), RET(2) }, 5,
	  2 },
	{ "A >= k, else",
	  { LD(5), JUMP(BPF_JGE, 0xfffffff0, 0, 1), RET(1), RET(2) }, 4, 2 },
	{ "A & k", { LD(0x80000000),
	  JUMP(BPF_JSET, 0x80000000, 1, 0), RET(1), RET(2) }, 4, 2 },
	{ "A & X, else",
	  { LD(6), LDX(9), JUMP_X(BPF_JSET, 0, 1), RET(1), RET(2) }, 5, 2 },
	{ "both ways far",
	  { LD(1), JUMP(BPF_JEQ, 1, 2, 1), RET(1), RET(2), TAX, RET(3) }, 6, 3 },
	{ "both ways the next",
	  { JUMP(BPF_JSET, 1, 0, 0), RET(4) }, 2, 4 },
};

static void test_cases(struct vcap_translation *t)
{
	u8 *pkt = malloc(64);
	struct vcap_packet packet = { pkt, 1514, 64 };
	u32 i;

	for (i = 0; i < 64; i++)
		pkt[i] = i * 3;
	for (i = 0; i < COUNT(cases); i++) {
		const char *wrong;
		u32 answer = 0, ours;

		if (!ok(vcap_filter_valid(cases[i].insns, cases[i].len),
			"%s: the program is valid", cases[i].name))
			continue;
		vcap_filter_translate(cases[i].insns, cases[i].len, t);
		wrong = ebpf_run(t, &packet, &answer);
		equal(answer, cases[i].answer,
		      "%s: the translated program's answer", cases[i].name);
		if (wrong)
			ok(false, "%s: %s", cases[i].name, wrong);
		ours = run_filter(cases[i].insns, cases[i].len, pkt, 1514, 64);
		equal(ours, cases[i].answer, "%s: the interpreter's answer",
		      cases[i].name);
	}
	free(pkt);
}

/* Offsets that do not fit into an instruction, in the largest packet. */
static void test_far(struct vcap_translation *t)
{
	static const u32 offsets[] = { 0x7ffe, 0x7fff, 0x8000, 0x7ffffffb,
				       0x7fffffff, 0x80000000, 0xfffffffb };
	const size_t size = 1ULL << 32;
	u8 *pkt = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE |
		       MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	struct vcap_packet packet = { pkt, 0xffffffff, 0xffffffff };
	u32 i;

	if (!ok(pkt != MAP_FAILED, "a packet of 4 GiB can be mapped"))
		return;
	for (i = 0; i < COUNT(offsets); i++) {
		u32 k = offsets[i], answer = 0;
		const struct bsd_insn direct[] = { ABS(BPF_W, k), RET_A };
		const struct bsd_insn indirect[] = { LDX(k - 7), IND(BPF_W, 7),
						     RET_A };

		pkt[k + 3] = 9;
		vcap_filter_translate(direct, COUNT(direct), t);
		ok(!ebpf_run(t, &packet, &answer) && answer == 9,
		   "packet of 4 GiB: a load from %#x", k);
		vcap_filter_translate(indirect, COUNT(indirect), t);
		ok(!ebpf_run(t, &packet, &answer) && answer == 9,
		   "packet of 4 GiB: a load from X + 7");
		packet.buflen = k + 3;
		ok(!ebpf_run(t, &packet, &answer) && answer == 0,
		   "packet shorter than the load's offset: rejected");
		packet.buflen = 0xffffffff;
		pkt[k + 3] = 0;
	}
	munmap(pkt, size);
}

static void translate_all(struct vcap_translation *t, struct bsd_insn insn,
			  const char *name)
{
	static struct bsd_insn insns[BPF_MAXINSNS];
	u8 packet_bytes[8] = { 0 };
	struct vcap_packet packet = { packet_bytes, 8, 8 };
	u32 i, answer;

	for (i = 0; i < BPF_MAXINSNS; i++)
		insns[i] = insn;
	insns[BPF_MAXINSNS - 1] = (struct bsd_insn)RET(7);
	/* All words are set to 0 at the start. */
	for (i = 0; i < BPF_MEMWORDS; i++)
		insns[BPF_MAXINSNS - 2 - i] = (struct bsd_insn)MEM(i);
	vcap_filter_translate(insns, BPF_MAXINSNS, t);
	ok(t->len <= VCAP_TRANSLATE_MAX,
	   "512 times %s: translated to %u instructions", name, t->len);
	ok(!ebpf_run(t, &packet, &answer) && answer == 7,
	   "512 times %s: the translated program's answer", name);
}

/* The longest programs, made of instructions with long translations. */
static void test_longest(struct vcap_translation *t)
{
	translate_all(t, (struct bsd_insn)IND(BPF_W, 4), "an indirect load");
	translate_all(t, (struct bsd_insn)ALU(BPF_LSH), "a shift");
	translate_all(t, (struct bsd_insn)JUMP(BPF_JEQ, 1, 1, 1), "a branch");
}

static void test_stack(struct vcap_translation *t)
{
	static const struct bsd_insn none[] = { ABS(BPF_H, 12), RET_A },
				     word[] = { STX(15), RET_A };

	vcap_filter_translate(none, COUNT(none), t);
	equal(t->stack, 0, "a program without scratch words needs no stack");
	vcap_filter_translate(word, COUNT(word), t);
	equal(t->stack, 64,
	      "a program with scratch words has a stack for all of them");
}

int main(void)
{
	struct vcap_translation *t = malloc(sizeof(*t));

	test_cases(t);
	test_far(t);
	test_longest(t);
	test_stack(t);
	free(t);
	return done_testing();
}
