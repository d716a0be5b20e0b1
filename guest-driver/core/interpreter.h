/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The interpreter of filter programs, which are decoded before they are run. */
#ifndef VCAP_INTERPRETER_H
#define VCAP_INTERPRETER_H

#include "bsd.h"
#include "shim.h"

/**
 * struct vcap_insn - a decoded instruction
 * @op: operation, an enum op of interpreter.c
 * @alu: for arithmetic, the operator: BPF_ADD and so on
 * @jt: for a branch, offset in bytes to the next instruction if true
 * @jf: for a branch, offset in bytes to the next instruction if false
 * @k: the constant; for a load from the packet, the end of the loaded bytes
 *     (without X for an indirect load)
 */
struct vcap_insn {
	u8 op;
	u8 alu;
	u16 jt;
	u16 jf;
	u32 k;
};

/**
 * struct vcap_decoded - a decoded program
 * @scratch: it uses scratch words
 * @insns: its instructions; their number does not change
 */
struct vcap_decoded {
	bool scratch;
	struct vcap_insn insns[];
};

/** vcap_filter_decoded_size() - return the size of a decoded program, bytes */
static inline size_t vcap_filter_decoded_size(u32 len)
{
	return sizeof(struct vcap_decoded) + len * sizeof(struct vcap_insn);
}

/**
 * vcap_filter_decode() - decode a program for vcap_filter_run()
 * @insns: a valid program, see vcap_filter_valid()
 * @len: number of instructions
 * @out: the decoded program, vcap_filter_decoded_size(@len) bytes
 */
void vcap_filter_decode(const struct bsd_insn *insns, u32 len,
			struct vcap_decoded *out);

/* Called by vcap_filter_run() for programs without and with scratch words. */
u32 vcap_filter_execute(const struct vcap_insn *in, const u8 *pkt, u64 wirelen,
			u64 buflen, u32 *mem);
u32 vcap_filter_run_scratch(const struct vcap_decoded *program, const u8 *pkt,
			    u32 wirelen, u32 buflen);

/**
 * vcap_filter_run() - run a program over a packet
 * @program: the decoded program
 * @pkt: the packet
 * @wirelen: its length on the wire, which BPF_LEN loads
 * @buflen: bytes at @pkt; a load outside them rejects the packet
 *
 * Where C and the BSDs leave a result undefined, scratch words are initially 0,
 * and a shift by 32 or more gives 0. Each instruction is executed at most once.
 *
 * Zeroing the scratch words takes a quarter of the time of most programs, and
 * few use them, so only those programs get any.
 *
 * Return: number of bytes of the packet to keep, 0 to reject it.
 */
static inline u32 vcap_filter_run(const struct vcap_decoded *program,
				  const u8 *pkt, u32 wirelen, u32 buflen)
{
	if (program->scratch)
		return vcap_filter_run_scratch(program, pkt, wirelen, buflen);
	return vcap_filter_execute(program->insns, pkt, wirelen, buflen, NULL);
}

#endif /* VCAP_INTERPRETER_H */
