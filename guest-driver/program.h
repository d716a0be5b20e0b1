/* SPDX-License-Identifier: GPL-2.0 */
/* Installed filter programs, and how they are executed. */
#ifndef VCAP_PROGRAM_H
#define VCAP_PROGRAM_H

#include <linux/filter.h>

#include "bsd.h"
#include "filter.h"
#include "interpreter.h"
#include "translate.h"

/**
 * struct vcap_program - an installed filter program
 * @snaplen: snapshot length that it requires, bytes
 * @constant: it is a single return, as libpcap installs for an empty filter;
 *            nothing needs to run
 * @native: its translation to eBPF; NULL: it is interpreted, or constant
 * @decoded: its form for the interpreter; NULL: it is not interpreted
 * @len: number of instructions
 * @insns: the original instructions
 */
struct vcap_program {
	u32 snaplen;
	bool constant;
	struct bpf_prog *native;
	struct vcap_decoded *decoded;
	u32 len;
	struct bsd_insn insns[];
};

struct vcap_program *vcap_program_alloc(u32 len);
int vcap_program_install(struct vcap_program *program);
const char *vcap_program_executor(const struct vcap_program *program);
void vcap_program_free(struct vcap_program *program);

/**
 * vcap_program_run() - run a program over a packet
 * @program: the program
 * @pkt: the packet
 * @wirelen: length of the packet on the wire, bytes
 * @buflen: captured length at @pkt, bytes
 *
 * The caller has disabled migration, once for a batch of packets. Inline, as it
 * is called for each frame and listener.
 *
 * Return: number of bytes of the packet to keep, 0 to reject it.
 */
static inline u32 vcap_program_run(const struct vcap_program *program,
				   const u8 *pkt, u32 wirelen, u32 buflen)
{
	const struct vcap_packet packet = { pkt, wirelen, buflen };

	if (program->constant)
		return program->insns[0].k;
	if (!program->native)
		return vcap_filter_run(program->decoded, pkt, wirelen, buflen);
	return bpf_prog_run(program->native, &packet);
}

#endif /* VCAP_PROGRAM_H */
