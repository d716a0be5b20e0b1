// SPDX-License-Identifier: GPL-2.0-or-later
/* Filter programs: what is valid, and what they answer. */
#include "filter.h"

#define NO_LIMIT	0xffffffffU

/* Is it a known instruction, with operands within their limits? No jump. */
static bool valid_insn(const struct bsd_insn *in)
{
	switch (in->code) {
	case BPF_LD | BPF_W | BPF_ABS:
	case BPF_LD | BPF_H | BPF_ABS:
	case BPF_LD | BPF_B | BPF_ABS:
	case BPF_LD | BPF_W | BPF_IND:
	case BPF_LD | BPF_H | BPF_IND:
	case BPF_LD | BPF_B | BPF_IND:
	case BPF_LD | BPF_IMM:
	case BPF_LD | BPF_LEN:
	case BPF_LDX | BPF_IMM:
	case BPF_LDX | BPF_LEN:
	case BPF_LDX | BPF_B | BPF_MSH:
		return true;
	case BPF_LD | BPF_MEM:
	case BPF_LDX | BPF_MEM:
	case BPF_ST:
	case BPF_STX:
		return in->k < BPF_MEMWORDS;
	case BPF_ALU | BPF_DIV | BPF_K:
	case BPF_ALU | BPF_MOD | BPF_K:
		return in->k != 0;
	case BPF_ALU | BPF_ADD | BPF_K:
	case BPF_ALU | BPF_ADD | BPF_X:
	case BPF_ALU | BPF_SUB | BPF_K:
	case BPF_ALU | BPF_SUB | BPF_X:
	case BPF_ALU | BPF_MUL | BPF_K:
	case BPF_ALU | BPF_MUL | BPF_X:
	case BPF_ALU | BPF_DIV | BPF_X:
	case BPF_ALU | BPF_MOD | BPF_X:
	case BPF_ALU | BPF_OR | BPF_K:
	case BPF_ALU | BPF_OR | BPF_X:
	case BPF_ALU | BPF_AND | BPF_K:
	case BPF_ALU | BPF_AND | BPF_X:
	case BPF_ALU | BPF_XOR | BPF_K:
	case BPF_ALU | BPF_XOR | BPF_X:
	case BPF_ALU | BPF_LSH | BPF_K:
	case BPF_ALU | BPF_LSH | BPF_X:
	case BPF_ALU | BPF_RSH | BPF_K:
	case BPF_ALU | BPF_RSH | BPF_X:
	case BPF_ALU | BPF_NEG:
	case BPF_RET | BPF_K:
	case BPF_RET | BPF_A:
	case BPF_MISC | BPF_TAX:
	case BPF_MISC | BPF_TXA:
		return true;
	default:
		return false;
	}
}

/* @after: instructions behind this one, of which the last is a return */
static bool valid_jump(const struct bsd_insn *in, u32 after)
{
	switch (in->code) {
	case BPF_JMP | BPF_JA:
		return in->k < after;
	case BPF_JMP | BPF_JEQ | BPF_K:
	case BPF_JMP | BPF_JEQ | BPF_X:
	case BPF_JMP | BPF_JGT | BPF_K:
	case BPF_JMP | BPF_JGT | BPF_X:
	case BPF_JMP | BPF_JGE | BPF_K:
	case BPF_JMP | BPF_JGE | BPF_X:
	case BPF_JMP | BPF_JSET | BPF_K:
	case BPF_JMP | BPF_JSET | BPF_X:
		return in->jt < after && in->jf < after;
	default:
		return false;
	}
}

bool vcap_filter_valid(const struct bsd_insn *insns, u32 len)
{
	u32 i;

	if (len < 1 || len > BPF_MAXINSNS)
		return false;
	for (i = 0; i < len; i++) {
		if (BPF_CLASS(insns[i].code) == BPF_JMP) {
			if (!valid_jump(&insns[i], len - 1 - i))
				return false;
		} else if (!valid_insn(&insns[i])) {
			return false;
		}
	}
	return BPF_CLASS(insns[len - 1].code) == BPF_RET;
}

/* Bytes that a load of this size takes. */
static u32 load_size(u16 code)
{
	switch (BPF_SIZE(code)) {
	case BPF_W:
		return 4;
	case BPF_H:
		return 2;
	default:
		return 1;
	}
}

u32 vcap_filter_snaplen(const struct bsd_insn *insns, u32 len)
{
	u32 i, need = 1, here;

	if (!insns)
		return NO_LIMIT;
	for (i = 0; i < len; i++) {
		u32 k = insns[i].k;

		switch (insns[i].code) {
		case BPF_RET | BPF_K:
			here = k;
			break;
		case BPF_LD | BPF_W | BPF_ABS:
		case BPF_LD | BPF_H | BPF_ABS:
		case BPF_LD | BPF_B | BPF_ABS:
		case BPF_LDX | BPF_B | BPF_MSH:
			here = k < NO_LIMIT - 4 ? k + load_size(insns[i].code)
						: NO_LIMIT;
			break;
		case BPF_LD | BPF_W | BPF_IND:
		case BPF_LD | BPF_H | BPF_IND:
		case BPF_LD | BPF_B | BPF_IND:
		case BPF_RET | BPF_A:
			return NO_LIMIT;
		default:
			continue;
		}
		if (here > need)
			need = here;
	}
	return need;
}

/* Load from the packet; false when a byte of it is outside. */
static bool load(const u8 *pkt, u32 buflen, u16 code, u32 off, u32 *value)
{
	u32 size = load_size(code);

	if (off >= buflen || size > buflen - off)
		return false;
	switch (size) {
	case 4:
		*value = get_unaligned_be32(pkt + off);
		break;
	case 2:
		*value = get_unaligned_be16(pkt + off);
		break;
	default:
		*value = pkt[off];
	}
	return true;
}

/* Arithmetic on A; false for a division by zero, which rejects the packet. */
static bool alu(u16 code, u32 *a, u32 b)
{
	switch (BPF_OP(code)) {
	case BPF_ADD:
		*a += b;
		break;
	case BPF_SUB:
		*a -= b;
		break;
	case BPF_MUL:
		*a *= b;
		break;
	case BPF_DIV:
		if (b == 0)
			return false;
		*a /= b;
		break;
	case BPF_MOD:
		if (b == 0)
			return false;
		*a %= b;
		break;
	case BPF_OR:
		*a |= b;
		break;
	case BPF_AND:
		*a &= b;
		break;
	case BPF_XOR:
		*a ^= b;
		break;
	case BPF_LSH:
		*a = b < 32 ? *a << b : 0;
		break;
	case BPF_RSH:
		*a = b < 32 ? *a >> b : 0;
		break;
	case BPF_NEG:
		*a = 0U - *a;
		break;
	}
	return true;
}

/* Is the condition of a jump true? */
static bool jump(u16 code, u32 a, u32 b)
{
	switch (BPF_OP(code)) {
	case BPF_JEQ:
		return a == b;
	case BPF_JGT:
		return a > b;
	case BPF_JGE:
		return a >= b;
	default:
		return a & b;
	}
}

/* The registers of the filter machine, and the packet it looks at. */
struct machine {
	const u8 *pkt;
	u32 wirelen;
	u32 buflen;
	u32 a;
	u32 x;
	u32 mem[BPF_MEMWORDS];
};

/* BPF_LD; false when it loads from outside the packet, which rejects it. */
static bool load_a(struct machine *m, const struct bsd_insn *in)
{
	u32 off = in->k;

	switch (BPF_MODE(in->code)) {
	case BPF_IMM:
		m->a = in->k;
		return true;
	case BPF_LEN:
		m->a = m->wirelen;
		return true;
	case BPF_MEM:
		m->a = m->mem[in->k];
		return true;
	case BPF_IND:
		if (m->x > NO_LIMIT - off)
			return false;
		off += m->x;
		break;
	}
	return load(m->pkt, m->buflen, in->code, off, &m->a);
}

/* BPF_LDX; likewise. */
static bool load_x(struct machine *m, const struct bsd_insn *in)
{
	u32 byte;

	switch (BPF_MODE(in->code)) {
	case BPF_IMM:
		m->x = in->k;
		return true;
	case BPF_LEN:
		m->x = m->wirelen;
		return true;
	case BPF_MEM:
		m->x = m->mem[in->k];
		return true;
	}
	/* BPF_MSH: the length of an IPv4 header */
	if (!load(m->pkt, m->buflen, in->code, in->k, &byte))
		return false;
	m->x = (byte & 0xf) << 2;
	return true;
}

u32 vcap_filter_run(const struct bsd_insn *in, const u8 *pkt, u32 wirelen,
		    u32 buflen)
{
	struct machine m = { .pkt = pkt, .wirelen = wirelen, .buflen = buflen };

	for (;; in++) {
		u32 operand = BPF_SRC(in->code) == BPF_X ? m.x : in->k;

		switch (BPF_CLASS(in->code)) {
		case BPF_LD:
			if (!load_a(&m, in))
				return 0;
			break;
		case BPF_LDX:
			if (!load_x(&m, in))
				return 0;
			break;
		case BPF_ST:
			m.mem[in->k] = m.a;
			break;
		case BPF_STX:
			m.mem[in->k] = m.x;
			break;
		case BPF_ALU:
			if (!alu(in->code, &m.a, operand))
				return 0;
			break;
		case BPF_JMP:
			if (BPF_OP(in->code) == BPF_JA)
				in += in->k;
			else
				in += jump(in->code, m.a, operand) ? in->jt
								   : in->jf;
			break;
		case BPF_RET:
			return BPF_RVAL(in->code) == BPF_A ? m.a : in->k;
		case BPF_MISC:
			if (BPF_MISCOP(in->code) == BPF_TAX)
				m.x = m.a;
			else
				m.a = m.x;
			break;
		}
	}
}
