// SPDX-License-Identifier: GPL-2.0-or-later
/* A model of Linux's classic BPF. */
#include <stdlib.h>

#include "linux-machine.h"

#define LINUX_MAXINSNS	4096
#define ANCILLARY	0xfffff000U	/* SKF_AD_OFF */

/* What a load of ancillary data gives: never what BSD would. */
#define SOME_VALUE	0x5a5a5a5aU

/* Codes that Linux knows, by the answer of chk_code_allowed(). */
static bool known_code(u16 code)
{
	static const u16 codes[] = {
		0x04, 0x0c, 0x14, 0x1c, 0x24, 0x2c, 0x34, 0x3c, 0x94, 0x9c,
		0x54, 0x5c, 0x44, 0x4c, 0xa4, 0xac, 0x64, 0x6c, 0x74, 0x7c,
		0x84, 0x20, 0x28, 0x30, 0x80, 0x40, 0x48, 0x50, 0x00, 0x60,
		0x81, 0xb1, 0x01, 0x61, 0x02, 0x03, 0x07, 0x87, 0x06, 0x16,
		0x05, 0x15, 0x1d, 0x35, 0x3d, 0x25, 0x2d, 0x45, 0x4d,
	};
	unsigned int i;

	for (i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (codes[i] == code)
			return true;
	return false;
}

static bool valid_operand(const struct bsd_insn *in)
{
	switch (in->code) {
	case BPF_ALU | BPF_DIV | BPF_K:
	case BPF_ALU | BPF_MOD | BPF_K:
		return in->k != 0;
	case BPF_ALU | BPF_LSH | BPF_K:
	case BPF_ALU | BPF_RSH | BPF_K:
		return in->k < 32;
	case BPF_LD | BPF_MEM:
	case BPF_LDX | BPF_MEM:
	case BPF_ST:
	case BPF_STX:
		return in->k < BPF_MEMWORDS;
	case BPF_LD | BPF_W | BPF_ABS:
	case BPF_LD | BPF_H | BPF_ABS:
	case BPF_LD | BPF_B | BPF_ABS:
		return in->k < ANCILLARY;
	default:
		return known_code(in->code);
	}
}

static bool is_jump(const struct bsd_insn *in)
{
	return BPF_CLASS(in->code) == BPF_JMP;
}

static bool valid_targets(const struct bsd_insn *in, u32 after)
{
	if (!is_jump(in))
		return true;
	if (BPF_OP(in->code) == BPF_JA)
		return in->k < after;
	return in->jt < after && in->jf < after;
}

/* Is every scratch word set on every way to where it is read? */
static bool valid_words(const struct bsd_insn *insns, u32 len)
{
	static u16 masks[LINUX_MAXINSNS];
	u16 valid = 0;
	u32 i;

	memset(masks, 0xff, sizeof(masks));
	for (i = 0; i < len; i++) {
		const struct bsd_insn *in = &insns[i];

		valid &= masks[i];
		if (in->code == BPF_ST || in->code == BPF_STX) {
			valid |= 1U << in->k;
		} else if (in->code == (BPF_LD | BPF_MEM) ||
			   in->code == (BPF_LDX | BPF_MEM)) {
			if (!(valid & 1U << in->k))
				return false;
		} else if (in->code == (BPF_JMP | BPF_JA)) {
			masks[i + 1 + in->k] &= valid;
			valid = 0xffff;
		} else if (is_jump(in)) {
			masks[i + 1 + in->jt] &= valid;
			masks[i + 1 + in->jf] &= valid;
			valid = 0xffff;
		}
	}
	return true;
}

bool linux_valid(const struct bsd_insn *insns, u32 len)
{
	u32 i;

	if (len < 1 || len > LINUX_MAXINSNS)
		return false;
	for (i = 0; i < len; i++)
		if (!known_code(insns[i].code) || !valid_operand(&insns[i]) ||
		    !valid_targets(&insns[i], len - 1 - i))
			return false;
	return BPF_CLASS(insns[len - 1].code) == BPF_RET &&
	       valid_words(insns, len);
}

struct machine {
	const u8 *pkt;
	u32 wirelen, buflen, a, x, mem[BPF_MEMWORDS];
};

/* Offsets are signed; the negative ones load something else. */
static bool load(const struct machine *m, u16 code, u32 off, u32 *value)
{
	u32 size = BPF_SIZE(code) == BPF_W ? 4 : BPF_SIZE(code) == BPF_H ? 2 : 1;

	if (off >= 0x80000000U) {
		*value = SOME_VALUE;
		return true;
	}
	if ((u64)off + size > m->buflen)
		return false;
	for (*value = 0; size > 0; size--)
		*value = *value << 8 | m->pkt[off++];
	return true;
}

static bool run_load(struct machine *m, const struct bsd_insn *in)
{
	bool to_a = BPF_CLASS(in->code) == BPF_LD;
	u32 value = in->k;
	bool inside = true;

	switch (BPF_MODE(in->code)) {
	case BPF_LEN:
		value = m->wirelen;
		break;
	case BPF_MEM:
		value = m->mem[in->k];
		break;
	case BPF_ABS:
		inside = load(m, in->code, in->k, &value);
		break;
	case BPF_IND:
		inside = load(m, in->code, m->x + in->k, &value);
		break;
	case BPF_MSH:
		inside = load(m, in->code, in->k, &value);
		value = (value & 15) * 4;
		break;
	}
	*(to_a ? &m->a : &m->x) = value;
	return inside;
}

static bool run_alu(struct machine *m, u16 code, u32 b)
{
	switch (BPF_OP(code)) {
	case BPF_ADD:
		m->a += b;
		return true;
	case BPF_SUB:
		m->a -= b;
		return true;
	case BPF_MUL:
		m->a *= b;
		return true;
	case BPF_DIV:
		m->a = b ? m->a / b : 0;
		return b != 0;
	case BPF_MOD:
		m->a = b ? m->a % b : 0;
		return b != 0;
	case BPF_OR:
		m->a |= b;
		return true;
	case BPF_AND:
		m->a &= b;
		return true;
	case BPF_XOR:
		m->a ^= b;
		return true;
	case BPF_LSH:
		m->a <<= b & 31;
		return true;
	case BPF_RSH:
		m->a >>= b & 31;
		return true;
	case BPF_NEG:
		m->a = -m->a;
		return true;
	default:
		abort();
	}
}

static u32 run_jump(const struct machine *m, const struct bsd_insn *in, u32 b)
{
	switch (BPF_OP(in->code)) {
	case BPF_JA:
		return in->k;
	case BPF_JEQ:
		return m->a == b ? in->jt : in->jf;
	case BPF_JGT:
		return m->a > b ? in->jt : in->jf;
	case BPF_JGE:
		return m->a >= b ? in->jt : in->jf;
	case BPF_JSET:
		return m->a & b ? in->jt : in->jf;
	default:
		abort();
	}
}

u32 linux_run(const struct bsd_insn *in, const u8 *pkt, u32 wirelen, u32 buflen)
{
	struct machine m = { .pkt = pkt, .wirelen = wirelen, .buflen = buflen };

	memset(m.mem, 0xa5, sizeof(m.mem));
	for (;; in++) {
		u32 b = BPF_SRC(in->code) == BPF_X ? m.x : in->k;

		switch (BPF_CLASS(in->code)) {
		case BPF_LD:
		case BPF_LDX:
			if (!run_load(&m, in))
				return 0;
			break;
		case BPF_ST:
			m.mem[in->k] = m.a;
			break;
		case BPF_STX:
			m.mem[in->k] = m.x;
			break;
		case BPF_ALU:
			if (!run_alu(&m, in->code, b))
				return 0;
			break;
		case BPF_JMP:
			in += run_jump(&m, in, b);
			break;
		case BPF_RET:
			return BPF_RVAL(in->code) == BPF_A ? m.a : in->k;
		default:
			if (BPF_MISCOP(in->code) == BPF_TAX)
				m.x = m.a;
			else
				m.a = m.x;
		}
	}
}
