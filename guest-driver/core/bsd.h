/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * <net/bpf.h> for the driver and the device. In the kernel, eBPF has a struct
 * bpf_insn, so here the BSD structure is named bsd_insn.
 */
#ifndef VCAP_BSD_H
#define VCAP_BSD_H

#ifdef __KERNEL__
#include <linux/filter.h>
#endif

#define bpf_insn bsd_insn
#include <net/bpf.h>
#undef bpf_insn

#endif /* VCAP_BSD_H */
