// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Translation of BSD filter programs to eBPF.
 *
 * Arithmetic and comparisons use the 32-bit operations of eBPF, which have the
 * same codes, except for the class of comparisons. They zero the upper half of
 * a register, so A and X are always below 2^32. The sum of X and an offset is a
 * 64-bit sum and does not wrap around.
 */
#include "filter.h"
#include "translate.h"

#define NO_LIMIT	0xffffffffU

/* Registers. No callee-saved register is used. */
enum {
	A = 0,			/* also the return value */
	PACKET = 1,		/* the argument, struct vcap_packet */
	X = 2,
	DATA = 3,
	BUFLEN = 4,
	TMP = 5,
	FRAME = 10,		/* the frame pointer */
};

/* eBPF codes that <net/bpf.h> does not define. */
enum {
	ST_WORD = 0x62,		/* *(u32 *)(dst + off) = imm */
	STX_WORD = 0x63,	/* *(u32 *)(dst + off) = src */
	LDX_WORD = 0x61,	/* dst = *(u32 *)(src + off) */
	LDX_HALF = 0x69,
	LDX_BYTE = 0x71,
	LDX_LONG = 0x79,
	MOV_K = 0xb4,		/* dst = imm, of 32 bits */
	MOV_X = 0xbc,
	ADD64_X = 0x0f,
	TO_BE = 0xdc,		/* of imm bits */
	JGT64_X = 0x2d,
	JMP32 = 0x06,		/* classes of comparisons: 32 and 64 bits */
	JNE = 0x50,		/* these are unsigned */
	JLT = 0xa0,
	JLE = 0xb0,
	EXIT = 0x95,
};

#define LDX_POINTER	(sizeof(void *) == 8 ? LDX_LONG : LDX_WORD)

static void emit(struct vcap_translation *t, u8 code, u8 dst, u8 src, s16 off,
		 u32 imm)
{
	t->insns[t->len++] = (struct vcap_ebpf_insn) {
		.code = code, .dst = dst, .src = src, .off = off,
		.imm = (s32)imm,
	};
}

/* Emit a jump to position @to of the translation. */
static void emit_jump(struct vcap_translation *t, u8 code, u8 dst, u8 src,
		      u32 imm, u16 to)
{
	emit(t, code, dst, src, (s16)(to - (t->len + 1)), imm);
}

static s16 word_offset(u32 word)
{
	return -(s16)sizeof(u32) * (s16)(word + 1);
}

/* dst = value at src + off, converted from network to host byte order. */
static void emit_fetch(struct vcap_translation *t, u32 size, u8 dst, u8 src,
		       s16 off)
{
	u8 code = size == 4 ? LDX_WORD : size == 2 ? LDX_HALF : LDX_BYTE;

	emit(t, code, dst, src, off, 0);
	if (size > 1)
		emit(t, TO_BE, dst, 0, 0, size * 8);
}

/* Load from offset @k of the packet. */
static void emit_load(struct vcap_translation *t, u8 dst, u32 k, u32 size)
{
	if (k > NO_LIMIT - size) {
		/* No packet is that long. */
		emit_jump(t, BPF_JMP | BPF_JA, 0, 0, 0, t->reject);
		return;
	}
	emit_jump(t, JMP32 | JLT | BPF_K, BUFLEN, 0, k + size, t->reject);
	if (k <= 0x7fff) {
		emit_fetch(t, size, dst, DATA, (s16)k);
	} else {
		emit(t, MOV_K, TMP, 0, 0, k);
		emit(t, ADD64_X, TMP, DATA, 0, 0);
		emit_fetch(t, size, dst, TMP, 0);
	}
}

/* Load from offset X + @k. */
static void emit_indirect(struct vcap_translation *t, u32 k, u32 size)
{
	if (k > NO_LIMIT - size) {
		emit_jump(t, BPF_JMP | BPF_JA, 0, 0, 0, t->reject);
		return;
	}
	emit(t, MOV_K, TMP, 0, 0, k + size);
	emit(t, ADD64_X, TMP, X, 0, 0);
	emit_jump(t, JGT64_X, TMP, BUFLEN, 0, t->reject);
	emit(t, ADD64_X, TMP, DATA, 0, 0);
	emit_fetch(t, size, A, TMP, -(s16)size);
}

static void translate_load(struct vcap_translation *t,
			   const struct bsd_insn *in)
{
	u8 dst = BPF_CLASS(in->code) == BPF_LD ? A : X;

	switch (BPF_MODE(in->code)) {
	case BPF_IMM:
		emit(t, MOV_K, dst, 0, 0, in->k);
		break;
	case BPF_LEN:
		emit(t, LDX_WORD, dst, PACKET,
		     offsetof(struct vcap_packet, wirelen), 0);
		break;
	case BPF_MEM:
		emit(t, LDX_WORD, dst, FRAME, word_offset(in->k), 0);
		break;
	case BPF_ABS:
		emit_load(t, dst, in->k, vcap_filter_load_size(in->code));
		break;
	case BPF_IND:
		emit_indirect(t, in->k, vcap_filter_load_size(in->code));
		break;
	case BPF_MSH:
		emit_load(t, dst, in->k, 1);
		emit(t, BPF_ALU | BPF_AND | BPF_K, dst, 0, 0, 0xf);
		emit(t, BPF_ALU | BPF_LSH | BPF_K, dst, 0, 0, 2);
		break;
	}
}

static void translate_alu(struct vcap_translation *t,
			  const struct bsd_insn *in)
{
	bool x = BPF_SRC(in->code) == BPF_X;

	switch (BPF_OP(in->code)) {
	case BPF_DIV:
	case BPF_MOD:
		if (x)
			emit_jump(t, JMP32 | BPF_JEQ | BPF_K, X, 0, 0,
				  t->reject);
		break;
	case BPF_LSH:
	case BPF_RSH:
		/* In eBPF shifts by 32 or more are undefined. */
		if (!x && in->k >= 32) {
			emit(t, MOV_K, A, 0, 0, 0);
			return;
		}
		if (x) {
			emit(t, JMP32 | JLT | BPF_K, X, 0, 2, 32);
			emit(t, MOV_K, A, 0, 0, 0);
			emit(t, BPF_JMP | BPF_JA, 0, 0, 1, 0);
		}
		break;
	case BPF_NEG:
		emit(t, BPF_ALU | BPF_NEG, A, 0, 0, 0);
		return;
	}
	emit(t, in->code, A, x ? X : 0, 0, x ? 0 : in->k);
}

/* Return the inverse of a comparison; 0 if there is none. */
static u8 opposite(u8 op)
{
	switch (op) {
	case BPF_JEQ:
		return JNE;
	case BPF_JGT:
		return JLE;
	case BPF_JGE:
		return JLT;
	default:
		return 0;
	}
}

/* Translate jump instruction number @i. */
static void translate_jump(struct vcap_translation *t,
			   const struct bsd_insn *in, u32 i)
{
	u8 op = BPF_OP(in->code), source = BPF_SRC(in->code);
	u8 src = source == BPF_X ? X : 0;
	u32 imm = source == BPF_X ? 0 : in->k;

	if (op == BPF_JA) {
		emit_jump(t, BPF_JMP | BPF_JA, 0, 0, 0,
			  t->start[i + 1 + in->k]);
		return;
	}
	if (in->jt == 0 && opposite(op)) {
		emit_jump(t, JMP32 | opposite(op) | source, A, src, imm,
			  t->start[i + 1 + in->jf]);
		return;
	}
	emit_jump(t, JMP32 | op | source, A, src, imm,
		  t->start[i + 1 + in->jt]);
	if (in->jf)
		emit_jump(t, BPF_JMP | BPF_JA, 0, 0, 0,
			  t->start[i + 1 + in->jf]);
}

static void translate(struct vcap_translation *t, const struct bsd_insn *in,
		      u32 i)
{
	switch (BPF_CLASS(in->code)) {
	case BPF_LD:
	case BPF_LDX:
		translate_load(t, in);
		break;
	case BPF_ST:
		emit(t, STX_WORD, FRAME, A, word_offset(in->k), 0);
		break;
	case BPF_STX:
		emit(t, STX_WORD, FRAME, X, word_offset(in->k), 0);
		break;
	case BPF_ALU:
		translate_alu(t, in);
		break;
	case BPF_JMP:
		translate_jump(t, in, i);
		break;
	case BPF_RET:
		if (BPF_RVAL(in->code) == BPF_K)
			emit(t, MOV_K, A, 0, 0, in->k);
		emit(t, EXIT, 0, 0, 0, 0);
		break;
	case BPF_MISC:
		if (BPF_MISCOP(in->code) == BPF_TAX)
			emit(t, MOV_X, X, A, 0, 0);
		else
			emit(t, MOV_X, A, X, 0, 0);
		break;
	}
}

static bool is_load_word(const struct bsd_insn *in)
{
	return in->code == (BPF_LD | BPF_MEM) ||
	       in->code == (BPF_LDX | BPF_MEM);
}

/* Zero A, X and the scratch words that the program may read unset. */
static void begin(struct vcap_translation *t, const struct bsd_insn *insns,
		  u32 len)
{
	u16 zeroed = 0;
	u32 i;

	emit(t, MOV_K, A, 0, 0, 0);
	emit(t, MOV_K, X, 0, 0, 0);
	for (i = 0; i < len; i++) {
		u32 k = insns[i].k;

		if (!is_load_word(&insns[i]) || zeroed & 1U << k)
			continue;
		emit(t, ST_WORD, FRAME, 0, word_offset(k), 0);
		zeroed |= 1U << k;
	}
	emit(t, LDX_POINTER, DATA, PACKET,
	     offsetof(struct vcap_packet, data), 0);
	emit(t, LDX_WORD, BUFLEN, PACKET,
	     offsetof(struct vcap_packet, buflen), 0);
}

static bool uses_words(const struct bsd_insn *insns, u32 len)
{
	u32 i;

	for (i = 0; i < len; i++)
		if (insns[i].code == BPF_ST || insns[i].code == BPF_STX ||
		    is_load_word(&insns[i]))
			return true;
	return false;
}

void vcap_filter_translate(const struct bsd_insn *insns, u32 len,
			   struct vcap_translation *t)
{
	u32 pass, i;

	t->stack = uses_words(insns, len) ? BPF_MEMWORDS * sizeof(u32) : 0;
	memset(t->start, 0, sizeof(t->start));
	t->reject = 0;
	/* Sizes do not depend on jump offsets: the second pass is final. */
	for (pass = 0; pass < 2; pass++) {
		t->len = 0;
		begin(t, insns, len);
		for (i = 0; i < len; i++) {
			t->start[i] = t->len;
			translate(t, &insns[i], i);
		}
		t->reject = t->len;
		emit(t, MOV_K, A, 0, 0, 0);
		emit(t, EXIT, 0, 0, 0, 0);
	}
}
