// SPDX-License-Identifier: GPL-2.0
/*
 * Installed filters, and the machine that each of them runs on: Linux's, which
 * translates a program into the processor's own instructions, or where that
 * could not give BSD's answers the interpreter of core/interpreter.c.
 */
#include <linux/filter.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "engine.h"
#include "rewrite.h"

/* No fragments: what is not in the linear part of our packets is nowhere. */
static const struct skb_shared_info no_fragments;

/**
 * vcap_program_alloc() - room for a program, to be filled in
 * @len: its instructions
 */
struct vcap_program *vcap_program_alloc(u32 len)
{
	struct vcap_program *program;

	program = kzalloc(struct_size(program, insns, len), GFP_KERNEL_ACCOUNT);
	if (!program)
		return NULL;
	program->len = len;
	return program;
}

/* Give Linux the rewritten program. Leaves @native NULL if it is not to be. */
static void create_native(struct vcap_program *program)
{
	struct sock_fprog_kern fprog;
	struct vcap_rewrite *re;

	/* Linux's instructions are laid out like BSD's. */
	BUILD_BUG_ON(sizeof(struct sock_filter) != sizeof(struct bsd_insn));
	BUILD_BUG_ON(VCAP_REWRITE_MAX > 4096);

	re = kvmalloc(sizeof(*re), GFP_KERNEL);
	if (!re)
		return;
	if (vcap_filter_rewrite(program->insns, program->len, re)) {
		fprog.len = re->len;
		fprog.filter = (struct sock_filter *)re->insns;
		if (bpf_prog_create(&program->native, &fprog))
			program->native = NULL;
	}
	kvfree(re);
}

/* Make a program ready for the interpreter. */
static int decode(struct vcap_program *program)
{
	program->decoded = kmalloc(vcap_filter_decoded_size(program->len),
				   GFP_KERNEL_ACCOUNT);
	if (!program->decoded)
		return -ENOMEM;
	vcap_filter_decode(program->insns, program->len, program->decoded);
	return 0;
}

/**
 * vcap_program_install() - check a program, and make it ready to run
 * @program: with its instructions filled in
 *
 * Return: 0; -EINVAL if it is not valid; or -ENOMEM.
 */
int vcap_program_install(struct vcap_program *program)
{
	if (!vcap_filter_valid(program->insns, program->len))
		return -EINVAL;
	program->snaplen = vcap_filter_snaplen(program->insns, program->len);
	program->skb.head = (void *)&no_fragments;
	skb_set_end_offset(&program->skb, 0);
	program->constant = vcap_filter_constant(program->insns);
	if (program->constant)
		return 0;
	create_native(program);
	return program->native ? 0 : decode(program);
}

/**
 * vcap_program_engine() - what runs a program
 * @program: it; NULL: no program
 *
 * Return: "none"; "constant", nothing, as it always answers the same; "jit", the
 * processor itself; "kernel", Linux's interpreter, where its translator is
 * turned off; or "interpreter", ours.
 */
const char *vcap_program_engine(const struct vcap_program *program)
{
	if (!program)
		return "none";
	if (program->constant)
		return "constant";
	if (!program->native)
		return "interpreter";
	return program->native->jited ? "jit" : "kernel";
}

/**
 * vcap_program_free() - free a program that nobody runs any more
 * @program: it, or NULL
 */
void vcap_program_free(struct vcap_program *program)
{
	if (!program)
		return;
	if (program->native)
		bpf_prog_destroy(program->native);
	kfree(program->decoded);
	kfree(program);
}
