/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Translation of BSD filter programs to eBPF. */
#ifndef VCAP_TRANSLATE_H
#define VCAP_TRANSLATE_H

#include "bsd.h"
#include "shim.h"

/**
 * struct vcap_packet - the argument of a translated program
 * @data: the packet
 * @wirelen: its length on the wire, which BPF_LEN loads
 * @buflen: bytes at @data; a load outside them rejects the packet
 */
struct vcap_packet {
	const u8 *data;
	u32 wirelen;
	u32 buflen;
};

/** struct vcap_ebpf_insn - same layout as the kernel's struct bpf_insn */
struct vcap_ebpf_insn {
	u8 code;
	u8 dst : 4;
	u8 src : 4;
	s16 off;
	s32 imm;
};

/* Longest translation of an instruction, and of the rest of a program. */
#define VCAP_TRANSLATE_GROWTH	6
#define VCAP_TRANSLATE_FRAME	(2 + BPF_MEMWORDS + 2 + 2)

#define VCAP_TRANSLATE_MAX	(VCAP_TRANSLATE_GROWTH * BPF_MAXINSNS + \
				 VCAP_TRANSLATE_FRAME)

/**
 * struct vcap_translation - a translated program, and state of the translation
 * @len: number of eBPF instructions
 * @stack: bytes of stack that the program uses
 * @insns: the eBPF instructions
 * @start: position of the translation of each original instruction
 * @reject: position of the code that rejects a packet
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
 * @len: number of instructions
 * @out: the translation
 *
 * With a struct vcap_packet as its argument, the translation returns the same
 * as vcap_filter_run() does. As the kernel's verifier does not check it, it
 * must be safe by construction: it jumps only forward and within the program;
 * it reads only its argument, the packet after a check against @buflen, and
 * stack words that it has written; and it writes only those stack words.
 */
void vcap_filter_translate(const struct bsd_insn *insns, u32 len,
			   struct vcap_translation *out);

#endif /* VCAP_TRANSLATE_H */
