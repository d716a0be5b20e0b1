/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The interpreter of filter programs: decoded once, run for each packet. */
#ifndef VCAP_INTERPRETER_H
#define VCAP_INTERPRETER_H

#include "bsd.h"
#include "shim.h"

/**
 * struct vcap_insn - an instruction as the interpreter takes it
 * @op: what to do, an enum op of interpreter.c
 * @alu: of arithmetic, which: BPF_ADD and so on
 * @jt: of a branch, bytes from here to the next instruction if it is true
 * @jf: if it is false
 * @k: the constant; of a load from the packet, where the loaded bytes end,
 *     for an indirect one without X
 */
struct vcap_insn {
	u8 op;
	u8 alu;
	u16 jt;
	u16 jf;
	u32 k;
};

/**
 * struct vcap_decoded - a program as the interpreter takes it
 * @scratch: it uses scratch words
 * @insns: its instructions, as many as it had
 */
struct vcap_decoded {
	bool scratch;
	struct vcap_insn insns[];
};

/** vcap_filter_decoded_size() - bytes of a decoded program of @len instructions */
static inline size_t vcap_filter_decoded_size(u32 len)
{
	return sizeof(struct vcap_decoded) + len * sizeof(struct vcap_insn);
}

/**
 * vcap_filter_decode() - make a program ready for vcap_filter_run()
 * @insns: a program that is valid, as vcap_filter_valid() has it
 * @len: its instructions
 * @out: receives vcap_filter_decoded_size(@len) bytes
 */
void vcap_filter_decode(const struct bsd_insn *insns, u32 len,
			struct vcap_decoded *out);

/* The two ways of vcap_filter_run(). */
u32 vcap_filter_execute(const struct vcap_insn *in, const u8 *pkt, u64 wirelen,
			u64 buflen, u32 *mem);
u32 vcap_filter_run_scratch(const struct vcap_decoded *program, const u8 *pkt,
			    u32 wirelen, u32 buflen);

/**
 * vcap_filter_run() - run a program over a packet
 * @program: the program, decoded
 * @pkt: the packet
 * @wirelen: its length on the wire, which BPF_LEN loads
 * @buflen: bytes at @pkt; a load outside them rejects the packet
 *
 * Where C and the BSDs leave a result open it is this: scratch words start as
 * 0, and a shift by 32 or more gives 0. Each instruction runs at most once.
 *
 * Few programs use scratch words, and to set them costs a quarter of what
 * most programs cost in all, so only those programs get any.
 *
 * Return: bytes of the packet to keep, 0 to reject it.
 */
static inline u32 vcap_filter_run(const struct vcap_decoded *program,
				  const u8 *pkt, u32 wirelen, u32 buflen)
{
	if (program->scratch)
		return vcap_filter_run_scratch(program, pkt, wirelen, buflen);
	return vcap_filter_execute(program->insns, pkt, wirelen, buflen, NULL);
}

#endif /* VCAP_INTERPRETER_H */
