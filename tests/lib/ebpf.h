/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A machine for translated programs that trusts them in nothing: it finds what
 * Linux, which does not verify them, would not.
 */
#ifndef EBPF_H
#define EBPF_H

#include "translate.h"

/**
 * ebpf_run() - run a translated program over a packet
 * @t: the program
 * @packet: its argument
 * @answer: receives what it returns
 *
 * Return: NULL, or what it must not do: go back, or out of the program; use a
 * register or a word of the stack that it has not set; read or write elsewhere
 * than it may; divide by 0; shift by 32 or more; use an unknown instruction.
 */
const char *ebpf_run(const struct vcap_translation *t,
		     const struct vcap_packet *packet, u32 *answer);

#endif /* EBPF_H */
