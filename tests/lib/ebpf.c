// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * An interpreter of translated programs, by the kernel's instruction-set
 * document.
 */
#include <stdint.h>

#include "ebpf.h"

#define REGISTERS	11
#define STACK		512

struct machine {
	const struct vcap_translation *t;
	const struct vcap_packet *packet;
	u64 reg[REGISTERS];
	bool set[REGISTERS];
	u8 stack[STACK];
	bool stack_set[STACK];
};

/* Return true if [@address, +@size) is within @bytes from @start. */
static bool within(u64 address, u32 size, const void *start, u64 bytes)
{
	u64 from = (u64)(uintptr_t)start;

	return address >= from && size <= bytes &&
	       address - from <= bytes - size;
}

/* Return true if the address is in the program's stack; @at is its offset. */
static bool on_stack(struct machine *m, u64 address, u32 size, u32 *at)
{
	if (m->t->stack > STACK ||
	    !within(address, size, m->stack + STACK - m->t->stack,
		    m->t->stack))
		return false;
	*at = address - (u64)(uintptr_t)m->stack;
	return true;
}

static const char *load(struct machine *m, const struct vcap_ebpf_insn *in,
			u32 size)
{
	u64 address = m->reg[in->src] + in->off, value = 0;
	const void *from = (const void *)(uintptr_t)address;
	u32 at, i;

	if (!m->set[in->src])
		return "a load from an uninitialised address";
	if (on_stack(m, address, size, &at)) {
		for (i = 0; i < size; i++)
			if (!m->stack_set[at + i])
				return "a load from uninitialised stack memory";
	} else if (!within(address, size, m->packet, sizeof(*m->packet)) &&
		   !within(address, size, m->packet->data, m->packet->buflen)) {
		return "a load from an invalid address";
	}
	/* The lowest bytes of the value, on a little-endian host. */
	switch (size) {
	case 1:
		value = *(const u8 *)from;
		break;
	case 2: {
		u16 v;

		memcpy(&v, from, size);
		value = v;
		break;
	}
	case 4: {
		u32 v;

		memcpy(&v, from, size);
		value = v;
		break;
	}
	default:
		memcpy(&value, from, size);
	}
	m->reg[in->dst] = value;
	m->set[in->dst] = true;
	return NULL;
}

static const char *store(struct machine *m, const struct vcap_ebpf_insn *in,
			 u32 value)
{
	u32 at;

	if (!m->set[in->dst])
		return "a store to an uninitialised address";
	if (!on_stack(m, m->reg[in->dst] + in->off, sizeof(value), &at))
		return "a store to an invalid address";
	memcpy(&m->stack[at], &value, sizeof(value));
	memset(&m->stack_set[at], true, sizeof(value));
	return NULL;
}

/* Arithmetic of 32 bits, which clears the upper half. */
static const char *alu32(struct machine *m, const struct vcap_ebpf_insn *in,
			 u32 b)
{
	u32 a = m->reg[in->dst];

	if (!m->set[in->dst] && (in->code & 0xf0) != 0xb0)
		return "arithmetic on an uninitialised register";
	switch (in->code & 0xf0) {
	case 0x00:
		a += b;
		break;
	case 0x10:
		a -= b;
		break;
	case 0x20:
		a *= b;
		break;
	case 0x30:
	case 0x90:
		if (b == 0)
			return "a division by 0";
		a = (in->code & 0xf0) == 0x30 ? a / b : a % b;
		break;
	case 0x40:
		a |= b;
		break;
	case 0x50:
		a &= b;
		break;
	case 0x60:
	case 0x70:
		if (b >= 32)
			return "a shift by 32 or more";
		a = (in->code & 0xf0) == 0x60 ? a << b : a >> b;
		break;
	case 0x80:
		a = 0U - a;
		break;
	case 0xa0:
		a ^= b;
		break;
	case 0xb0:
		a = b;
		break;
	default:
		return "unknown arithmetic";
	}
	m->reg[in->dst] = a;
	m->set[in->dst] = true;
	return NULL;
}

static const char *swap(struct machine *m, const struct vcap_ebpf_insn *in)
{
	u64 *reg = &m->reg[in->dst];

	if (in->code != 0xdc || !m->set[in->dst])
		return "an unknown swap";
	if (in->imm == 16)
		*reg = htobe16((u16)*reg);
	else if (in->imm == 32)
		*reg = htobe32((u32)*reg);
	else
		return "a swap of unknown size";
	return NULL;
}

/* Compare two numbers; return false for an unknown comparison. */
static bool compare(u8 op, u64 a, u64 b, bool *is)
{
	switch (op) {
	case 0x10:
		*is = a == b;
		return true;
	case 0x20:
		*is = a > b;
		return true;
	case 0x30:
		*is = a >= b;
		return true;
	case 0x40:
		*is = a & b;
		return true;
	case 0x50:
		*is = a != b;
		return true;
	case 0xa0:
		*is = a < b;
		return true;
	case 0xb0:
		*is = a <= b;
		return true;
	default:
		return false;
	}
}

static const char *jump(struct machine *m, const struct vcap_ebpf_insn *in,
			bool *is)
{
	bool wide = (in->code & 7) == 5;
	u64 a = m->reg[in->dst], b = (u64)(s64)in->imm;

	*is = true;
	if (in->code == 0x05)
		return NULL;
	if (in->code & 8)
		b = m->reg[in->src];
	if (!m->set[in->dst] || (in->code & 8 && !m->set[in->src]))
		return "a comparison with an uninitialised register";
	if (!wide) {
		a = (u32)a;
		b = (u32)b;
	}
	return compare(in->code & 0xf0, a, b, is) ? NULL : "an unknown jump";
}

/* Execute an instruction other than a jump or exit. */
static const char *step(struct machine *m, const struct vcap_ebpf_insn *in)
{
	u32 b = in->code & 8 ? (u32)m->reg[in->src] : (u32)in->imm;

	switch (in->code & 7) {
	case 0:
	case 1:
		return in->code == 0x71 ? load(m, in, 1) :
		       in->code == 0x69 ? load(m, in, 2) :
		       in->code == 0x61 ? load(m, in, 4) :
		       in->code == 0x79 ? load(m, in, 8) : "an unknown load";
	case 2:
		return in->code == 0x62 ? store(m, in, in->imm) :
		       "an unknown store";
	case 3:
		return in->code != 0x63 ? "an unknown store" :
		       !m->set[in->src] ? "a store of an unset register" :
		       store(m, in, m->reg[in->src]);
	case 4:
		if ((in->code & 0xf0) == 0xd0)
			return swap(m, in);
		if (in->code & 8 && !m->set[in->src])
			return "arithmetic with an uninitialised register";
		return alu32(m, in, b);
	default:
		if (in->code != 0x0f || !m->set[in->src] || !m->set[in->dst])
			return "unknown arithmetic of 64 bits";
		m->reg[in->dst] += m->reg[in->src];
		return NULL;
	}
}

const char *ebpf_run(const struct vcap_translation *t,
		     const struct vcap_packet *packet, u32 *answer)
{
	struct machine m = { .t = t, .packet = packet };
	const char *wrong = NULL;
	u32 pc = 0;

	memset(m.reg, 0xa5, sizeof(m.reg));
	m.reg[1] = (u64)(uintptr_t)packet;
	m.reg[10] = (u64)(uintptr_t)(m.stack + STACK);
	m.set[1] = m.set[10] = true;
	while (!wrong) {
		const struct vcap_ebpf_insn *in = &t->insns[pc++];
		u8 class = in->code & 7;
		bool is;

		if (pc > t->len)
			return "execution beyond the last instruction";
		if (in->dst >= REGISTERS || in->src >= REGISTERS)
			return "an unknown register";
		if (in->code == 0x95) {
			*answer = (u32)m.reg[0];
			return m.set[0] ? NULL : "exit without a result";
		}
		if (class != 5 && class != 6) {
			wrong = in->dst == 10 && class != 2 && class != 3 ?
				"a change of the frame pointer" : step(&m, in);
			continue;
		}
		wrong = jump(&m, in, &is);
		if (in->off < 0)
			return "a backward jump";
		if (is)
			pc += in->off;
	}
	return wrong;
}
