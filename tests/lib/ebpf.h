/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An interpreter of translated programs that checks them: Linux does not verify
 * them, so it would not detect these errors.
 */
#ifndef EBPF_H
#define EBPF_H

#include "translate.h"

/**
 * ebpf_run() - run a translated program over a packet
 * @t: the program
 * @packet: its argument
 * @answer: receives the program's result
 *
 * Return: NULL, or an error: a backward jump or one out of the program; use of
 * an uninitialised register or stack word; access to an invalid address; a
 * division by 0; a shift by 32 or more; an unknown instruction.
 */
const char *ebpf_run(const struct vcap_translation *t,
		     const struct vcap_packet *packet, u32 *answer);

#endif /* EBPF_H */
