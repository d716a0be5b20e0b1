/* SPDX-License-Identifier: GPL-2.0 */
/* Installed filters, and the machine that each of them runs on. */
#ifndef VCAP_ENGINE_H
#define VCAP_ENGINE_H

#include <linux/filter.h>
#include <linux/skbuff.h>

#include "bsd.h"
#include "filter.h"
#include "interpreter.h"

/**
 * struct vcap_program - an installed filter
 * @snaplen: bytes of a frame that it needs to see
 * @constant: it is a single return, which libpcap installs where nothing is
 *            asked for: nothing needs to run
 * @native: the rewritten program on Linux's machine; NULL: it is interpreted,
 *          or constant
 * @skb: what @native takes for its packet; it is never a real one
 * @decoded: the program as the interpreter takes it; NULL: it has another engine
 * @len: number of instructions
 * @insns: the program as it was given
 */
struct vcap_program {
	u32 snaplen;
	bool constant;
	struct bpf_prog *native;
	struct sk_buff skb;
	struct vcap_decoded *decoded;
	u32 len;
	struct bsd_insn insns[];
};

struct vcap_program *vcap_program_alloc(u32 len);
int vcap_program_install(struct vcap_program *program);
const char *vcap_program_engine(const struct vcap_program *program);
void vcap_program_free(struct vcap_program *program);

/**
 * vcap_program_run() - run a program over a packet; not twice at the same time
 * @program: the program
 * @pkt: the packet
 * @wirelen: its length on the wire
 * @buflen: bytes at @pkt
 *
 * To Linux the packet is @wirelen long, which is what BPF_LEN loads, and only
 * its first @buflen bytes are linear. A load beyond them looks for the others
 * in fragments, finds none, and rejects the packet.
 *
 * The caller has disabled migration, once for all packets that it has. Inline,
 * as this is done for each frame and each listener.
 *
 * Return: bytes of the packet to keep, 0 to reject it.
 */
static inline u32 vcap_program_run(struct vcap_program *program, const u8 *pkt,
				   u32 wirelen, u32 buflen)
{
	struct sk_buff *skb = &program->skb;

	if (program->constant)
		return program->insns[0].k;
	if (!program->native)
		return vcap_filter_run(program->decoded, pkt, wirelen, buflen);
	skb->data = (u8 *)pkt;
	skb->len = wirelen;
	skb->data_len = wirelen - buflen;
	return bpf_prog_run(program->native, skb);
}

#endif /* VCAP_ENGINE_H */
