// SPDX-License-Identifier: GPL-2.0
/*
 * Installed filters, and the machine that each of them runs on: Linux's, which
 * takes what core/translate.c makes of a program and translates it further into
 * the processor's own instructions, or where that has no memory left for it the
 * interpreter of core/interpreter.c.
 */
#include <linux/filter.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "program.h"
#include "translate.h"

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

/* Linux's struct bpf_insn is what core/translate.c takes it for. */
#define SAME_PLACE(ours, linux) \
	static_assert(offsetof(struct vcap_ebpf_insn, ours) == \
		      offsetof(struct bpf_insn, linux))
static_assert(sizeof(struct vcap_ebpf_insn) == sizeof(struct bpf_insn));
SAME_PLACE(off, off);
SAME_PLACE(imm, imm);

/*
 * Give Linux the translation. Its type stays BPF_PROG_TYPE_UNSPEC, which the
 * translations of classic programs have: so Linux guards the processor's branch
 * predictors against it as against any that was not verified. NULL: there was no
 * memory, or no more that a user may have.
 */
static struct bpf_prog *create_prog(const struct vcap_translation *t)
{
	struct bpf_prog *prog = bpf_prog_alloc(bpf_prog_size(t->len), 0);
	int err;

	if (!prog)
		return NULL;
	prog->len = t->len;
	prog->gpl_compatible = 1;
	prog->aux->stack_depth = t->stack;
	memcpy(prog->insnsi, t->insns, t->len * sizeof(t->insns[0]));
	prog = bpf_prog_select_runtime(prog, &err);
	if (!err)
		return prog;
	bpf_prog_free(prog);
	return NULL;
}

/* Leaves @native NULL if it is not to be. */
static void create_native(struct vcap_program *program)
{
	struct vcap_translation *t = kvmalloc(sizeof(*t), GFP_KERNEL);

	if (!t)
		return;
	vcap_filter_translate(program->insns, program->len, t);
	program->native = create_prog(t);
	kvfree(t);
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
	program->constant = vcap_filter_constant(program->insns);
	if (program->constant)
		return 0;
	create_native(program);
	return program->native ? 0 : decode(program);
}

/**
 * vcap_program_executor() - what runs a program
 * @program: it; NULL: no program
 *
 * Return: "none"; "constant", nothing, as it always answers the same; "jit", the
 * processor itself; "kernel", Linux's interpreter, where its translator is
 * turned off; or "interpreter", ours.
 */
const char *vcap_program_executor(const struct vcap_program *program)
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
		bpf_prog_free(program->native);
	kfree(program->decoded);
	kfree(program);
}
