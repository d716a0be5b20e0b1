// SPDX-License-Identifier: GPL-2.0-or-later
/* Programs and frames to try: random ones, real ones, and mutants of those. */
#include <stdio.h>
#include <stdlib.h>

#include "filter.h"
#include "programs.h"

#define COUNT(a)	(sizeof(a) / sizeof((a)[0]))

static u64 state;

void seed_random(u64 seed)
{
	state = seed;
}

/* SplitMix64 */
static u64 random64(void)
{
	u64 z = state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static u32 below(u32 limit)
{
	return (random64() >> 32) * limit >> 32;
}

static struct program *compiled;
static u32 num_compiled;
static struct frame *real;
static u32 num_real;

bool read_programs(const char *path)
{
	FILE *file = fopen(path, "rb");
	struct program p;

	while (file && fread(&p.len, sizeof(p.len), 1, file) == 1 &&
	       p.len <= BPF_MAXINSNS &&
	       fread(p.insns, sizeof(p.insns[0]), p.len, file) == p.len) {
		/* Those of "protochain" loop, which no kernel accepts. */
		if (!vcap_filter_valid(p.insns, p.len))
			continue;
		compiled = realloc(compiled, (num_compiled + 1) * sizeof(p));
		compiled[num_compiled++] = p;
	}
	if (file)
		fclose(file);
	return num_compiled > 0;
}

bool read_frames(const char *path)
{
	FILE *file = fopen(path, "rb");
	struct { u32 sec, usec, caplen, len; } head;
	u8 data[65536];

	if (!file || fread(data, 24, 1, file) != 1)
		return false;
	while (fread(&head, sizeof(head), 1, file) == 1 &&
	       head.caplen <= sizeof(data) &&
	       fread(data, 1, head.caplen, file) == head.caplen) {
		u32 size = head.caplen < MAX_FRAME ? head.caplen : MAX_FRAME;

		real = realloc(real, (num_real + 1) * sizeof(*real));
		real[num_real].buflen = size;
		real[num_real].data = malloc(size);
		memcpy(real[num_real++].data, data, size);
	}
	fclose(file);
	return num_real > 0;
}

/* Numbers at which something changes. */
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
		return random64();
	case 1:
	case 2:
		return edge();
	case 3:
		return below(1600);
	default:
		return below(48);
	}
}

/* A random valid instruction with so many behind it. */
static struct bsd_insn random_insn(u32 after)
{
	static const u16 codes[] = {
		/* More often those that differ on Linux. */
		0x20, 0x28, 0x30, 0x40, 0x48, 0x50, 0x40, 0x48, 0x50, 0xb1,
		0x00, 0x01, 0x80, 0x81, 0x60, 0x61, 0x60, 0x61, 0x02, 0x03,
		0x02, 0x03, 0x04, 0x0c, 0x14, 0x1c, 0x24, 0x2c, 0x34, 0x3c,
		0x44, 0x4c, 0x54, 0x5c, 0x64, 0x6c, 0x6c, 0x74, 0x7c, 0x7c,
		0x84, 0x94, 0x9c, 0xa4, 0xac, 0x05, 0x15, 0x1d, 0x25, 0x2d,
		0x35, 0x3d, 0x45, 0x4d, 0x15, 0x25, 0x35, 0x45, 0x07, 0x87,
		0x07, 0x87, 0x00, 0x01, 0x06, 0x16,
	};
	struct bsd_insn in = { .code = codes[below(COUNT(codes))],
			       .k = operand() };
	u32 reach = below(4) ? 6 : 256;

	if (in.code == (BPF_ALU | BPF_DIV) || in.code == (BPF_ALU | BPF_MOD))
		in.k += in.k == 0;
	if (in.code == BPF_ST || in.code == BPF_STX ||
	    in.code == (BPF_LD | BPF_MEM) || in.code == (BPF_LDX | BPF_MEM))
		in.k %= below(8) ? BPF_MEMWORDS : 4;
	if (reach > after)
		reach = after;
	if (BPF_CLASS(in.code) == BPF_JMP && after > 0) {
		if (in.code == (BPF_JMP | BPF_JA)) {
			in.k = below(after < 9 ? after : 9);
		} else {
			in.jt = below(reach);
			in.jf = below(reach);
		}
	}
	return in;
}

/* What only happens by chance else: X + k, or a shift by X, at its limit. */
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

static void random_program(struct program *p, u32 most)
{
	u32 i, returns = most > 64 ? 60 : 4;

	p->len = 1 + below(most);
	for (i = 0; i + 1 < p->len; i++) {
		do {
			p->insns[i] = random_insn(p->len - 1 - i);
			/* Else most of them would end at once. */
		} while (BPF_CLASS(p->insns[i].code) == BPF_RET &&
			 below(returns));
	}
	for (i = 0; i + 2 < p->len; i += 1 + below(16))
		if (below(2))
			put_limit(&p->insns[i]);
	i = p->len - 1;
	p->insns[i] = (struct bsd_insn)BPF_STMT(BPF_RET | BPF_A, 0);
	if (below(8) == 0)
		p->insns[i] = (struct bsd_insn)BPF_STMT(BPF_RET | BPF_K,
							operand());
}

static void mutate_once(struct program *p)
{
	u32 i = below(p->len), after = p->len - 1 - i;
	struct bsd_insn *in = &p->insns[i];

	switch (below(6)) {
	case 0:
		in->k = edge();
		break;
	case 1:
		in->k += below(9) - 4;
		break;
	case 2:
		*in = p->insns[below(p->len)];
		break;
	case 3:
		in->jt = below(after + 1);
		in->jf = below(after + 1);
		break;
	case 4:
		*in = random_insn(after);
		break;
	default:
		if (p->len == BPF_MAXINSNS)
			break;
		memmove(in + 1, in, (after + 1) * sizeof(*in));
		*in = random_insn(++after);
		p->len++;
	}
}

enum kind make_program(struct program *p)
{
	u32 dice = num_compiled ? below(16) : below(8), n;
	const struct program *model;

	if (dice == 0) {
		random_program(p, BPF_MAXINSNS);
		return LONG;
	}
	if (dice < 8) {
		random_program(p, below(2) ? 12 : 48);
		return RANDOM;
	}
	model = &compiled[below(num_compiled)];
	if (dice == 8) {
		*p = *model;
		return COMPILED;
	}
	do {
		p->len = model->len;
		memcpy(p->insns, model->insns, p->len * sizeof(p->insns[0]));
		for (n = 1 + below(4); n > 0; n--)
			mutate_once(p);
	} while (!vcap_filter_valid(p->insns, p->len));
	return MUTATED;
}

void make_frame(struct frame *f)
{
	const struct frame *model = num_real && below(4) ?
				    &real[below(num_real)] : NULL;
	u32 i, changes;

	f->buflen = model ? model->buflen : below(128);
	/* Cut, by a snapshot length. */
	if (below(4) == 0)
		f->buflen = below(f->buflen + 1);
	f->data = malloc(f->buflen);
	if (model)
		memcpy(f->data, model->data, f->buflen);
	changes = !model ? f->buflen : below(2) ? below(8) : 0;
	for (i = 0; i < changes && f->buflen; i++)
		f->data[model ? below(f->buflen) : i] = random64();
	f->wirelen = f->buflen;
	if (below(2))
		f->wirelen += below(8) ? below(1600) : edge();
}
