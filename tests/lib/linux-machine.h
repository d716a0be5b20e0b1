/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A model of Linux's classic BPF: what bpf_check_classic() takes, and what its
 * machine answers, also where no BSD would. It finds a wrong rewrite without a
 * guest; that it is like the real one is for kernel.t to show.
 */
#ifndef LINUX_MACHINE_H
#define LINUX_MACHINE_H

#include "bsd.h"
#include "shim.h"

/** linux_valid() - would Linux take this program? */
bool linux_valid(const struct bsd_insn *insns, u32 len);

/** linux_run() - its answer, given a packet of which @buflen bytes are linear */
u32 linux_run(const struct bsd_insn *insns, const u8 *pkt, u32 wirelen,
	      u32 buflen);

#endif /* LINUX_MACHINE_H */
