// SPDX-License-Identifier: GPL-2.0-or-later
/* Validation of filter programs, and the snapshot length they require. */
#include "filter.h"

#define NO_LIMIT	0xffffffffU

/* Check an instruction other than a jump: its code and operands. */
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

/* Check a jump; @after: number of instructions after it, the last a return. */
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
			here = k < NO_LIMIT - 4 ? k + vcap_filter_load_size(insns[i].code)
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
