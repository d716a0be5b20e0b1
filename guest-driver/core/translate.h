/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Programs of BSD's filter machine, translated to eBPF. */
#ifndef VCAP_TRANSLATE_H
#define VCAP_TRANSLATE_H

#include "bsd.h"
#include "shim.h"

/**
 * struct vcap_packet - what a translated program gets as its argument
 * @data: the packet
 * @wirelen: its length on the wire, which BPF_LEN loads
 * @buflen: bytes at @data; a load outside them rejects the packet
 */
struct vcap_packet {
	const u8 *data;
	u32 wirelen;
	u32 buflen;
};

/** struct vcap_ebpf_insn - Linux's struct bpf_insn, laid out as it is there */
struct vcap_ebpf_insn {
	u8 code;
	u8 dst : 4;
	u8 src : 4;
	s16 off;
	s32 imm;
};

/* The longest translation of one instruction, and what else there is. */
#define VCAP_TRANSLATE_GROWTH	6
#define VCAP_TRANSLATE_FRAME	(2 + BPF_MEMWORDS + 2 + 2)

#define VCAP_TRANSLATE_MAX	(VCAP_TRANSLATE_GROWTH * BPF_MAXINSNS + \
				 VCAP_TRANSLATE_FRAME)

/**
 * struct vcap_translation - a translated program, and room for the work on it
 * @len: its instructions
 * @stack: bytes of stack that it needs
 * @insns: the instructions
 * @start: where the translation of each old instruction starts
 * @reject: where a packet is rejected
 */
struct vcap_translation {
	u32 len;
	u32 stack;
	struct vcap_ebpf_insn insns[VCAP_TRANSLATE_MAX];
	u16 start[BPF_MAXINSNS];
	u16 reject;
};

/**
 * vcap_filter_translate() - translate a program to eBPF
 * @insns: a valid program
 * @len: its instructions
 * @out: receives the new one
 *
 * With a struct vcap_packet as its argument it returns what vcap_filter_run()
 * returns for the old one. Linux's verifier does not see it, so it has to be
 * right: it jumps only forward and to its own instructions, reads from its
 * argument, from the packet behind a comparison with @buflen, and from words of
 * its stack that it has set, and writes only those words.
 */
void vcap_filter_translate(const struct bsd_insn *insns, u32 len,
			   struct vcap_translation *out);

#endif /* VCAP_TRANSLATE_H */
