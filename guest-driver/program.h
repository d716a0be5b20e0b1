/* SPDX-License-Identifier: GPL-2.0 */
/* Installed filters, and the machine that each of them runs on. */
#ifndef VCAP_PROGRAM_H
#define VCAP_PROGRAM_H

#include <linux/filter.h>

#include "bsd.h"
#include "filter.h"
#include "interpreter.h"
#include "translate.h"

/**
 * struct vcap_program - an installed filter
 * @snaplen: bytes of a frame that it needs to see
 * @constant: it is a single return, which libpcap installs where nothing is
 *            asked for: nothing needs to run
 * @native: the program translated to eBPF; NULL: it is interpreted, or constant
 * @decoded: the program as the interpreter takes it; NULL: it has another engine
 * @len: number of instructions
 * @insns: the program as it was given
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
 * @wirelen: its length on the wire
 * @buflen: bytes at @pkt
 *
 * The caller has disabled migration, once for all packets that it has. Inline,
 * as this is done for each frame and each listener.
 *
 * Return: bytes of the packet to keep, 0 to reject it.
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
