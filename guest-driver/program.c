// SPDX-License-Identifier: GPL-2.0
/*
 * Installed filter programs, and how they are executed: core/translate.c
 * translates them to eBPF, for which the kernel has a JIT compiler. If there is
 * no memory for that, core/interpreter.c interprets them.
 */
#include <linux/filter.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "program.h"
#include "translate.h"

/**
 * vcap_program_alloc() - allocate a program, to be filled in by the caller
 * @len: number of instructions
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

/* struct vcap_ebpf_insn has the layout of the kernel's struct bpf_insn. */
#define SAME_PLACE(ours, linux) \
	static_assert(offsetof(struct vcap_ebpf_insn, ours) == \
		      offsetof(struct bpf_insn, linux))
static_assert(sizeof(struct vcap_ebpf_insn) == sizeof(struct bpf_insn));
SAME_PLACE(off, off);
SAME_PLACE(imm, imm);

/*
 * Create the kernel's program. Its type stays BPF_PROG_TYPE_UNSPEC, as that of
 * translated classic programs, so that the kernel applies the same mitigations
 * against speculative execution as for unverified programs. Returns NULL
 * without memory, or if the limit for JIT memory is reached.
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

/* Translate to eBPF. @native stays NULL on failure. */
static void create_native(struct vcap_program *program)
{
	struct vcap_translation *t = kvmalloc(sizeof(*t), GFP_KERNEL);

	if (!t)
		return;
	vcap_filter_translate(program->insns, program->len, t);
	program->native = create_prog(t);
	kvfree(t);
}

/* Decode for the interpreter. */
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
 * vcap_program_install() - check a program and prepare to run it
 * @program: the program, with its instructions filled in
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
 * vcap_program_executor() - return how a program is executed
 * @program: the program; NULL: none
 *
 * Return: "none" without a program; "constant" if it need not run; "jit" if it
 * is compiled; "kernel" if the kernel's eBPF interpreter runs it; "interpreter"
 * if the driver's does.
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
 * vcap_program_free() - free a program that is no longer in use
 * @program: the program, or NULL
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
