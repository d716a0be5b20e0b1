// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Mutations of programs for libFuzzer, in addition to its own, which do not
 * know instructions. With these it takes a second instead of minutes to find an
 * error at an operand's limit or in a jump over 255 instructions.
 */
#include <stddef.h>
#include <stdlib.h>

#include "input.h"

#define COUNT(a)	(sizeof(a) / sizeof((a)[0]))

size_t LLVMFuzzerMutate(u8 *data, size_t size, size_t max);
size_t LLVMFuzzerCustomMutator(u8 *data, size_t size, size_t max,
			       unsigned int seed);

static unsigned int state;

static u32 below(u32 limit)
{
	return rand_r(&state) % limit;
}

/* Return a boundary value, sometimes off by one. */
static u32 edge(void)
{
	static const u32 edges[] = {
		0, 1, 2, 3, 4, 7, 8, 14, 15, 16, 31, 32, 33, 60, 63, 64, 255, 256,
		0x8000, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0x80000001,
		0xffe00000, 0xfff00000, 0xfffff000, 0xfffff004, 0xfffff02c,
		0xffffffe0, 0xfffffff0, 0xfffffffc, 0xfffffffe, 0xffffffff,
	};

	return edges[below(COUNT(edges))] + (below(4) ? 0 : below(3) - 1);
}

static u32 operand(void)
{
	switch (below(8)) {
	case 0:
		return (u32)rand_r(&state) << 16 ^ (u32)rand_r(&state);
	case 1:
	case 2:
		return edge();
	case 3:
		return below(1600);
	default:
		return below(48);
	}
}

/* It may be invalid: differential.c makes it valid. */
static struct bsd_insn random_insn(void)
{
	return (struct bsd_insn) {
		.code = below(0xb2),
		.jt = below(4) ? below(6) : below(256),
		.jf = below(4) ? below(6) : below(256),
		.k = operand(),
	};
}

/* Write a load from X + k, or a shift by X, with a boundary value. */
static void put_limit(struct bsd_insn *out)
{
	static const u32 sums[] = { 0x80000000, 0xfff00000, 0, 14 };
	static const u16 loads[] = { 0x40, 0x48, 0x50 }, shifts[] = { 0x6c, 0x7c };
	u32 k = operand(), sum = sums[below(COUNT(sums))] + below(3) - 1;

	out[0] = (struct bsd_insn)BPF_STMT(BPF_LDX | BPF_IMM, sum - k);
	out[1] = (struct bsd_insn)BPF_STMT(loads[below(COUNT(loads))], k);
	if (below(2)) {
		out[0].k = 30 + below(4);
		out[1].code = shifts[below(COUNT(shifts))];
	}
}

/* Change instruction @i of @len; none is added or removed. */
static void change(struct bsd_insn *insns, u32 len, u32 i)
{
	switch (below(6)) {
	case 0:
		insns[i].k = edge();
		break;
	case 1:
		insns[i].k += below(9) - 4;
		break;
	case 2:
		insns[i] = insns[below(len)];
		break;
	case 3:
		insns[i].jt = below(len);
		insns[i].jf = below(len);
		break;
	case 4:
		insns[i] = random_insn();
		break;
	default:
		if (i + 1 < len)
			put_limit(&insns[i]);
	}
}

size_t LLVMFuzzerCustomMutator(u8 *data, size_t size, size_t max,
			       unsigned int seed)
{
	struct bsd_insn *insns = (struct bsd_insn *)(data + INPUT_HEADER);
	u32 len = input_insns(data, size), i;
	u8 *here;

	state = seed;
	if (!len || below(3))
		return LLVMFuzzerMutate(data, size, max);
	i = below(len);
	here = (u8 *)&insns[i];
	switch (below(4)) {
	case 0:
		if (len == 1)
			return size;
		size -= sizeof(*insns);
		memmove(here, here + sizeof(*insns), data + size - here);
		len--;
		break;
	case 1:
		if (len == BPF_MAXINSNS || size + sizeof(*insns) > max)
			return size;
		memmove(here + sizeof(*insns), here, data + size - here);
		size += sizeof(*insns);
		insns[i] = random_insn();
		len++;
		break;
	default:
		change(insns, len, i);
	}
	data[0] = len - 1;
	data[1] = (len - 1) >> 8;
	return size;
}
