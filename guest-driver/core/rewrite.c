// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Programs of BSD's filter machine, made to answer alike on Linux's.
 *
 * The two have the same instructions, but not always the same answers. This
 * file knows every difference; those that one instruction makes are in the
 * table differences[] below. The others, and where they are dealt with:
 *
 *   scratch words read before they are set   zeroed at the start, zero_words()
 *   BPF_LEN, and loads beyond what was
 *   captured of a longer packet              engine.c, by sk_buff.data_len
 *   programs of more than 512 instructions   vcap_filter_valid() refuses them
 *   no program at all                        never gets here
 *
 * Division by X = 0 rejects the packet on both.
 */
#include "rewrite.h"

/* Linux takes offsets for signed: from here on they mean something else. */
#define FIRST_NEGATIVE	0x80000000U

/* A word that is free is one below BPF_MEMWORDS. */
#define NO_WORD		BPF_MEMWORDS

/*
 * A load from a constant offset that no packet has. Linux loads ancillary data
 * there, or link or network headers, or does not take the program.
 */
static bool is_far_load(const struct bsd_insn *in)
{
	switch (in->code) {
	case BPF_LD | BPF_W | BPF_ABS:
	case BPF_LD | BPF_H | BPF_ABS:
	case BPF_LD | BPF_B | BPF_ABS:
	case BPF_LDX | BPF_B | BPF_MSH:
		return in->k >= FIRST_NEGATIVE;
	default:
		return false;
	}
}

/*
 * A load from X + k, which may wrap, or be negative to Linux. It overwrites A,
 * so A is free for looking at X before.
 */
static bool is_indirect_load(const struct bsd_insn *in)
{
	return BPF_CLASS(in->code) == BPF_LD && BPF_MODE(in->code) == BPF_IND;
}

/* The same, whatever X is: only a sum that wraps could be inside. */
static bool is_far_indirect_load(const struct bsd_insn *in)
{
	return is_indirect_load(in) && in->k >= FIRST_NEGATIVE;
}

static bool is_shift(const struct bsd_insn *in, u16 source)
{
	return in->code == (BPF_ALU | BPF_LSH | source) ||
	       in->code == (BPF_ALU | BPF_RSH | source);
}

/* A shift by a constant that leaves nothing: Linux does not take it. */
static bool is_far_shift(const struct bsd_insn *in)
{
	return is_shift(in, BPF_K) && in->k >= 32;
}

/* A shift by X, of which Linux uses the low five bits alone. */
static bool is_shift_by_x(const struct bsd_insn *in)
{
	return is_shift(in, BPF_X);
}

/* What is still to be filled into an instruction of a replacement. */
enum fill {
	NOTHING,
	LIMIT,		/* k: the first X with which X + k is negative */
	WORD,		/* k: a scratch word that the program does not use */
	ITSELF,		/* all of it: the instruction that is replaced */
};

/*
 * What an instruction is replaced by, if Linux answers it otherwise: the first
 * row that fits counts. Behind a replacement of @size instructions the program
 * goes on with the next of its own.
 */
static const struct difference {
	bool (*applies)(const struct bsd_insn *in);
	u8 size;
	bool needs_word;
	struct {
		struct bsd_insn insn;
		enum fill fill;
	} with[VCAP_REWRITE_GROWTH];
} differences[] = {
	{ is_far_load, 1, false, {
		{ BPF_STMT(BPF_RET | BPF_K, 0), NOTHING },
	} },
	{ is_far_indirect_load, 1, false, {
		{ BPF_STMT(BPF_RET | BPF_K, 0), NOTHING },
	} },
	{ is_indirect_load, 4, false, {
		{ BPF_STMT(BPF_MISC | BPF_TXA, 0), NOTHING },
		{ BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 0, 0, 1), LIMIT },
		{ BPF_STMT(BPF_RET | BPF_K, 0), NOTHING },
		{ BPF_STMT(0, 0), ITSELF },
	} },
	{ is_far_shift, 1, false, {
		{ BPF_STMT(BPF_LD | BPF_IMM, 0), NOTHING },
	} },
	{ is_shift_by_x, 7, true, {
		{ BPF_STMT(BPF_ST, 0), WORD },
		{ BPF_STMT(BPF_MISC | BPF_TXA, 0), NOTHING },
		{ BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 32, 0, 2), NOTHING },
		{ BPF_STMT(BPF_LD | BPF_IMM, 0), NOTHING },
		{ BPF_STMT(BPF_JMP | BPF_JA, 2), NOTHING },
		{ BPF_STMT(BPF_LD | BPF_MEM, 0), WORD },
		{ BPF_STMT(0, 0), ITSELF },
	} },
	{ NULL, 0, false, { { BPF_STMT(0, 0), NOTHING } } },
};

static const struct difference *find_difference(const struct bsd_insn *in)
{
	const struct difference *row;

	for (row = differences; row->applies; row++)
		if (row->applies(in))
			return row;
	return NULL;
}

/* Write the replacement of an instruction. */
static void replace(struct bsd_insn *out, const struct difference *row,
		    const struct bsd_insn *in, u32 word)
{
	u32 i;

	for (i = 0; i < row->size; i++) {
		out[i] = row->with[i].insn;
		switch (row->with[i].fill) {
		case NOTHING:
			break;
		case LIMIT:
			out[i].k = FIRST_NEGATIVE - in->k;
			break;
		case WORD:
			out[i].k = word;
			break;
		case ITSELF:
			out[i] = *in;
			break;
		}
	}
}

static bool is_load_word(const struct bsd_insn *in)
{
	return in->code == (BPF_LD | BPF_MEM) ||
	       in->code == (BPF_LDX | BPF_MEM);
}

/* A scratch word whose value nobody looks at, or NO_WORD. */
static u32 find_word(const struct bsd_insn *insns, u32 len)
{
	u32 i, used = 0;

	for (i = 0; i < len; i++)
		if (is_load_word(&insns[i]))
			used |= 1U << insns[i].k;
	for (i = 0; i < BPF_MEMWORDS; i++)
		if (!(used & 1U << i))
			break;
	return i;
}

/*
 * Which scratch words does Linux take to be read before they are set? It goes
 * through the program once, and so does this: jumps only go forward.
 */
static u16 find_unset(const struct bsd_insn *insns, u32 len, u16 *set_at)
{
	u16 set = 0, unset = 0;
	u32 i;

	memset(set_at, 0xff, len * sizeof(*set_at));
	for (i = 0; i < len; i++) {
		const struct bsd_insn *in = &insns[i];

		set &= set_at[i];
		switch (BPF_CLASS(in->code)) {
		case BPF_ST:
		case BPF_STX:
			set |= 1U << in->k;
			break;
		case BPF_JMP:
			if (BPF_OP(in->code) == BPF_JA) {
				set_at[i + 1 + in->k] &= set;
			} else {
				set_at[i + 1 + in->jt] &= set;
				set_at[i + 1 + in->jf] &= set;
			}
			set = 0xffff;
			break;
		default:
			if (is_load_word(in) && !(set & 1U << in->k))
				unset |= 1U << in->k;
		}
	}
	return unset;
}

/* Start with stores of A, which is 0 then. Returns how many. */
static u32 zero_words(struct bsd_insn *out, u16 words)
{
	u32 i, n = 0;

	for (i = 0; i < BPF_MEMWORDS; i++)
		if (words & 1U << i)
			out[n++] = (struct bsd_insn)BPF_STMT(BPF_ST, i);
	return n;
}

static bool is_branch(const struct bsd_insn *in)
{
	return BPF_CLASS(in->code) == BPF_JMP && BPF_OP(in->code) != BPF_JA;
}

/* How far it is from behind the new instruction at @pos to old number @to. */
static u32 distance(const struct vcap_rewrite *re, u32 pos, u32 to)
{
	return re->start[to] - (pos + 1);
}

/*
 * Place the replacements one after the other. A branch whose targets have got
 * too far away for its 8 bits takes three instructions; that moves others, so
 * it is repeated until nothing changes.
 */
static void place(struct vcap_rewrite *re, const struct bsd_insn *insns,
		  u32 len, u32 first)
{
	bool again;
	u32 i;

	do {
		again = false;
		re->len = first;
		for (i = 0; i < len; i++) {
			re->start[i] = re->len;
			re->len += re->size[i];
		}
		for (i = 0; i < len; i++) {
			const struct bsd_insn *in = &insns[i];
			u32 pos = re->start[i];

			if (!is_branch(in) || re->size[i] == 3)
				continue;
			if (distance(re, pos, i + 1 + in->jt) > 0xff ||
			    distance(re, pos, i + 1 + in->jf) > 0xff) {
				re->size[i] = 3;
				again = true;
			}
		}
	} while (again);
}

/* Write jump number @i of the old program with its new distances. */
static void put_jump(struct vcap_rewrite *re, const struct bsd_insn *in, u32 i)
{
	u32 pos = re->start[i];
	struct bsd_insn *out = &re->insns[pos];
	u32 jt = i + 1 + in->jt, jf = i + 1 + in->jf;

	out[0] = *in;
	if (!is_branch(in)) {
		out[0].k = distance(re, pos, i + 1 + in->k);
	} else if (re->size[i] == 1) {
		out[0].jt = distance(re, pos, jt);
		out[0].jf = distance(re, pos, jf);
	} else {
		out[0].jt = 0;
		out[0].jf = 1;
		out[1] = (struct bsd_insn)BPF_STMT(BPF_JMP | BPF_JA,
						   distance(re, pos + 1, jt));
		out[2] = (struct bsd_insn)BPF_STMT(BPF_JMP | BPF_JA,
						   distance(re, pos + 2, jf));
	}
}

bool vcap_filter_rewrite(const struct bsd_insn *insns, u32 len,
			 struct vcap_rewrite *re)
{
	u32 word = find_word(insns, len);
	const struct difference *row;
	u32 i, first;

	for (i = 0; i < len; i++) {
		row = find_difference(&insns[i]);
		if (row && row->needs_word && word == NO_WORD)
			return false;
		re->size[i] = row ? row->size : 1;
	}
	first = zero_words(re->insns, find_unset(insns, len, re->set));
	place(re, insns, len, first);
	for (i = 0; i < len; i++) {
		struct bsd_insn *out = &re->insns[re->start[i]];

		row = find_difference(&insns[i]);
		if (row)
			replace(out, row, &insns[i], word);
		else if (BPF_CLASS(insns[i].code) == BPF_JMP)
			put_jump(re, &insns[i], i);
		else
			*out = insns[i];
	}
	return true;
}
