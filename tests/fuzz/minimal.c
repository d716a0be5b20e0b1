// SPDX-License-Identifier: GPL-2.0-or-later
/* The reference, and the smallest program and frame that it disagrees about. */
#include <stdio.h>
#include <stdlib.h>

#include "filter.h"
#include "programs.h"

/* libpcap's interpreter; its instructions are laid out like ours. */
unsigned int bpf_filter(const struct bsd_insn *insns, const unsigned char *pkt,
			unsigned int wirelen, unsigned int buflen);

/*
 * libpcap leaves scratch words as they come and shifts by 32 and more to the
 * compiler: give it a program that sets the words and has no such shifts.
 */
u32 reference(const struct program *p, const struct frame *f)
{
	static struct bsd_insn insns[BPF_MEMWORDS + BPF_MAXINSNS];
	u32 i;

	for (i = 0; i < BPF_MEMWORDS; i++)
		insns[i] = (struct bsd_insn)BPF_STMT(BPF_ST, i);
	memcpy(&insns[i], p->insns, p->len * sizeof(insns[0]));
	for (; i < BPF_MEMWORDS + p->len; i++)
		if ((insns[i].code == (BPF_ALU | BPF_LSH | BPF_K) ||
		     insns[i].code == (BPF_ALU | BPF_RSH | BPF_K)) &&
		    insns[i].k >= 32)
			insns[i] = (struct bsd_insn)BPF_STMT(BPF_LD | BPF_IMM, 0);
	return bpf_filter(insns, f->data, f->wirelen, f->buflen);
}

/* Take one instruction out; false when a jump could not get shorter. */
static void take_out(struct program *p, u32 out)
{
	u32 i;

	for (i = 0; i < out; i++) {
		struct bsd_insn *in = &p->insns[i];
		u32 gap = out - i - 1;

		if (BPF_CLASS(in->code) != BPF_JMP)
			continue;
		if (BPF_OP(in->code) == BPF_JA) {
			in->k -= in->k > gap;
		} else {
			in->jt -= in->jt > gap;
			in->jf -= in->jf > gap;
		}
	}
	p->len--;
	memmove(&p->insns[out], &p->insns[out + 1],
		(p->len - out) * sizeof(p->insns[0]));
}

static bool smaller_program(struct program *p, const struct frame *f,
			    differs_fn *differs)
{
	struct program less;
	bool changed = false;
	u32 i;

	for (i = p->len; i-- > 0;) {
		less = *p;
		take_out(&less, i);
		if (vcap_filter_valid(less.insns, less.len) &&
		    differs(&less, f)) {
			*p = less;
			changed = true;
		}
	}
	return changed;
}

/* Cut the frame, from halves to single bytes. */
static void smaller_frame(const struct program *p, struct frame *f,
			  differs_fn *differs)
{
	struct frame less = *f;
	u32 step;

	less.wirelen = less.buflen;
	if (differs(p, &less))
		*f = less;
	for (step = f->buflen; step > 0; step /= 2) {
		for (;;) {
			less = *f;
			if (step > less.buflen)
				break;
			less.buflen -= step;
			less.wirelen -= step;
			if (!differs(p, &less))
				break;
			*f = less;
		}
	}
}

void minimize(struct program *p, struct frame *f, differs_fn *differs)
{
	while (smaller_program(p, f, differs))
		;
	smaller_frame(p, f, differs);
}

void print_case(const struct program *p, const struct frame *f)
{
	u32 i;

	printf("# the smallest such program and frame:\n");
	for (i = 0; i < p->len; i++)
		printf("#   { 0x%02x, %u, %u, 0x%08x },\n", p->insns[i].code,
		       p->insns[i].jt, p->insns[i].jf, p->insns[i].k);
	printf("#   %u bytes on the wire, %u captured:", f->wirelen, f->buflen);
	for (i = 0; i < f->buflen && i < 96; i++)
		printf(" %02x", f->data[i]);
	putchar('\n');
}
