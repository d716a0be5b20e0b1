// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The interpreter of filter programs.
 *
 * The device runs it for each frame on the NIC's path, so as much as possible
 * is done once, when a program is decoded: codes, operand sizes and jumps are
 * resolved, and a load is fused with the comparison that follows it.
 * Instructions are dispatched with computed gotos, as a switch would cost twice
 * as much.
 */
#include "filter.h"
#include "interpreter.h"

#define NO_LIMIT	0xffffffffU

enum op {
	OP_LD_W,		/* A = packet at k */
	OP_LD_H,
	OP_LD_B,
	OP_LD_W_JEQ,		/* as above, fused with the JEQ_K that follows */
	OP_LD_H_JEQ,
	OP_LD_B_JEQ,
	OP_LD_W_IND,		/* A = packet at X + k */
	OP_LD_H_IND,
	OP_LD_B_IND,
	OP_LD_IMM,		/* A = k */
	OP_LD_LEN,		/* A = length on the wire */
	OP_LD_MEM,		/* A = scratch word k */
	OP_LDX_MSH,		/* X = length of the IPv4 header at k */
	OP_LDX_IMM,		/* X = k */
	OP_LDX_LEN,		/* X = length on the wire */
	OP_LDX_MEM,		/* X = scratch word k */
	OP_ST,			/* scratch word k = A */
	OP_STX,			/* scratch word k = X */
	OP_ALU_K,		/* A = A op k */
	OP_ALU_X,		/* A = A op X */
	OP_JA,			/* skip k instructions */
	OP_JEQ_K,		/* compare A with k */
	OP_JGT_K,
	OP_JGE_K,
	OP_JSET_K,
	OP_JEQ_X,		/* compare A with X */
	OP_JGT_X,
	OP_JGE_X,
	OP_JSET_X,
	OP_RET_K,
	OP_RET_A,
	OP_TAX,			/* X = A */
	OP_TXA,			/* A = X */
};

static enum op load_op(const struct bsd_insn *in)
{
	switch (in->code) {
	case BPF_LD | BPF_W | BPF_ABS:
		return OP_LD_W;
	case BPF_LD | BPF_H | BPF_ABS:
		return OP_LD_H;
	case BPF_LD | BPF_B | BPF_ABS:
		return OP_LD_B;
	case BPF_LD | BPF_W | BPF_IND:
		return OP_LD_W_IND;
	case BPF_LD | BPF_H | BPF_IND:
		return OP_LD_H_IND;
	case BPF_LD | BPF_B | BPF_IND:
		return OP_LD_B_IND;
	case BPF_LD | BPF_IMM:
		return OP_LD_IMM;
	case BPF_LD | BPF_LEN:
		return OP_LD_LEN;
	case BPF_LD | BPF_MEM:
		return OP_LD_MEM;
	case BPF_LDX | BPF_B | BPF_MSH:
		return OP_LDX_MSH;
	case BPF_LDX | BPF_IMM:
		return OP_LDX_IMM;
	case BPF_LDX | BPF_LEN:
		return OP_LDX_LEN;
	default:
		return OP_LDX_MEM;
	}
}

static enum op jump_op(const struct bsd_insn *in)
{
	bool x = BPF_SRC(in->code) == BPF_X;

	switch (BPF_OP(in->code)) {
	case BPF_JA:
		return OP_JA;
	case BPF_JEQ:
		return x ? OP_JEQ_X : OP_JEQ_K;
	case BPF_JGT:
		return x ? OP_JGT_X : OP_JGT_K;
	case BPF_JGE:
		return x ? OP_JGE_X : OP_JGE_K;
	default:
		return x ? OP_JSET_X : OP_JSET_K;
	}
}

static enum op find_op(const struct bsd_insn *in)
{
	switch (BPF_CLASS(in->code)) {
	case BPF_LD:
	case BPF_LDX:
		return load_op(in);
	case BPF_ST:
		return OP_ST;
	case BPF_STX:
		return OP_STX;
	case BPF_ALU:
		return BPF_SRC(in->code) == BPF_X ? OP_ALU_X : OP_ALU_K;
	case BPF_JMP:
		return jump_op(in);
	case BPF_RET:
		return BPF_RVAL(in->code) == BPF_A ? OP_RET_A : OP_RET_K;
	default:
		return BPF_MISCOP(in->code) == BPF_TAX ? OP_TAX : OP_TXA;
	}
}

/* Return how many bytes of the packet an instruction loads, or 0. */
static u32 packet_bytes(enum op op)
{
	switch (op) {
	case OP_LD_W:
	case OP_LD_W_IND:
		return 4;
	case OP_LD_H:
	case OP_LD_H_IND:
		return 2;
	case OP_LD_B:
	case OP_LD_B_IND:
	case OP_LDX_MSH:
		return 1;
	default:
		return 0;
	}
}

/* Fuse the load @out with the comparison that follows it. */
static void join(struct vcap_insn *out)
{
	switch (out->op) {
	case OP_LD_W:
		out->op = OP_LD_W_JEQ;
		break;
	case OP_LD_H:
		out->op = OP_LD_H_JEQ;
		break;
	case OP_LD_B:
		out->op = OP_LD_B_JEQ;
		break;
	}
}

static void decode(const struct bsd_insn *in, struct vcap_insn *out)
{
	enum op op = find_op(in);
	u32 bytes = packet_bytes(op);

	*out = (struct vcap_insn) {
		.op = op,
		.alu = BPF_OP(in->code),
		.jt = (1 + in->jt) * sizeof(*out),
		.jf = (1 + in->jf) * sizeof(*out),
		.k = in->k,
	};
	if (bytes && in->k > NO_LIMIT - bytes) {
		/* No packet is that long: reject it. */
		out->op = OP_RET_K;
		out->k = 0;
		return;
	}
	out->k += bytes;
	/* A load is never last, as the last instruction is a return. */
	if (bytes && in[1].code == (BPF_JMP | BPF_JEQ | BPF_K))
		join(out);
}

void vcap_filter_decode(const struct bsd_insn *insns, u32 len,
			struct vcap_decoded *out)
{
	u32 i;

	out->scratch = false;
	for (i = 0; i < len; i++) {
		decode(&insns[i], &out->insns[i]);
		switch (out->insns[i].op) {
		case OP_LD_MEM:
		case OP_LDX_MEM:
		case OP_ST:
		case OP_STX:
			out->scratch = true;
		}
	}
}

/* Arithmetic on A. Returns false for a division by zero: reject the packet. */
static inline bool alu(u8 op, u32 *a, u32 b)
{
	switch (op) {
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
	default:
		*a = 0U - *a;
	}
	return true;
}

u32 vcap_filter_execute(const struct vcap_insn *in, const u8 *pkt, u64 wirelen,
			u64 buflen, u32 *mem)
{
	static const void *const labels[] __annotate_jump_table = {
		[OP_LD_W] = &&ld_w,
		[OP_LD_H] = &&ld_h,
		[OP_LD_B] = &&ld_b,
		[OP_LD_W_JEQ] = &&ld_w_jeq,
		[OP_LD_H_JEQ] = &&ld_h_jeq,
		[OP_LD_B_JEQ] = &&ld_b_jeq,
		[OP_LD_W_IND] = &&ld_w_ind,
		[OP_LD_H_IND] = &&ld_h_ind,
		[OP_LD_B_IND] = &&ld_b_ind,
		[OP_LD_IMM] = &&ld_imm,
		[OP_LD_LEN] = &&ld_len,
		[OP_LD_MEM] = &&ld_mem,
		[OP_LDX_MSH] = &&ldx_msh,
		[OP_LDX_IMM] = &&ldx_imm,
		[OP_LDX_LEN] = &&ldx_len,
		[OP_LDX_MEM] = &&ldx_mem,
		[OP_ST] = &&st,
		[OP_STX] = &&stx,
		[OP_ALU_K] = &&alu_k,
		[OP_ALU_X] = &&alu_x,
		[OP_JA] = &&ja,
		[OP_JEQ_K] = &&jeq_k,
		[OP_JGT_K] = &&jgt_k,
		[OP_JGE_K] = &&jge_k,
		[OP_JSET_K] = &&jset_k,
		[OP_JEQ_X] = &&jeq_x,
		[OP_JGT_X] = &&jgt_x,
		[OP_JGE_X] = &&jge_x,
		[OP_JSET_X] = &&jset_x,
		[OP_RET_K] = &&ret_k,
		[OP_RET_A] = &&ret_a,
		[OP_TAX] = &&tax,
		[OP_TXA] = &&txa,
	};
	u32 a = 0, x = 0, b;
	/* 64 bits, so that X + k does not wrap around. */
	u64 end;

	goto *labels[in->op];

next:
	in++;
	goto *labels[in->op];

ld_w:
	end = in->k;
	goto word;
ld_w_ind:
	end = (u64)x + in->k;
word:
	if (end > buflen)
		return 0;
	a = get_unaligned_be32(pkt + end - 4);
	goto next;
ld_h:
	end = in->k;
	goto half;
ld_h_ind:
	end = (u64)x + in->k;
half:
	if (end > buflen)
		return 0;
	a = get_unaligned_be16(pkt + end - 2);
	goto next;
ld_b:
	end = in->k;
	goto byte;
ld_b_ind:
	end = (u64)x + in->k;
byte:
	if (end > buflen)
		return 0;
	a = pkt[end - 1];
	goto next;

ld_w_jeq:
	end = in->k;
	if (end > buflen)
		return 0;
	a = get_unaligned_be32(pkt + end - 4);
	in++;
	goto jeq_k;
ld_h_jeq:
	end = in->k;
	if (end > buflen)
		return 0;
	a = get_unaligned_be16(pkt + end - 2);
	in++;
	goto jeq_k;
ld_b_jeq:
	end = in->k;
	if (end > buflen)
		return 0;
	a = pkt[end - 1];
	in++;
	goto jeq_k;

ldx_msh:
	end = in->k;
	if (end > buflen)
		return 0;
	x = (pkt[end - 1] & 0xf) << 2;
	goto next;

ld_imm:
	a = in->k;
	goto next;
ld_len:
	a = wirelen;
	goto next;
ld_mem:
	a = mem[in->k];
	goto next;
ldx_imm:
	x = in->k;
	goto next;
ldx_len:
	x = wirelen;
	goto next;
ldx_mem:
	x = mem[in->k];
	goto next;
st:
	mem[in->k] = a;
	goto next;
stx:
	mem[in->k] = x;
	goto next;
tax:
	x = a;
	goto next;
txa:
	a = x;
	goto next;

alu_k:
	b = in->k;
	goto arithmetic;
alu_x:
	b = x;
arithmetic:
	if (!alu(in->alu, &a, b))
		return 0;
	goto next;

ja:
	in += in->k;
	goto next;
jeq_k:
	if (a == in->k)
		goto jump_true;
	goto jump_false;
jgt_k:
	if (a > in->k)
		goto jump_true;
	goto jump_false;
jge_k:
	if (a >= in->k)
		goto jump_true;
	goto jump_false;
jset_k:
	if (a & in->k)
		goto jump_true;
	goto jump_false;
jeq_x:
	if (a == x)
		goto jump_true;
	goto jump_false;
jgt_x:
	if (a > x)
		goto jump_true;
	goto jump_false;
jge_x:
	if (a >= x)
		goto jump_true;
	goto jump_false;
jset_x:
	if (a & x)
		goto jump_true;
jump_false:
	in = (const void *)in + in->jf;
	goto *labels[in->op];
jump_true:
	in = (const void *)in + in->jt;
	goto *labels[in->op];

ret_k:
	return in->k;
ret_a:
	return a;
}

u32 vcap_filter_run_scratch(const struct vcap_decoded *program, const u8 *pkt,
			    u32 wirelen, u32 buflen)
{
	u32 mem[BPF_MEMWORDS] = { 0 };

	return vcap_filter_execute(program->insns, pkt, wirelen, buflen, mem);
}
