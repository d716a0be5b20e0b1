/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the parts of the guest's measuring program share. */
#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>
#include <stdint.h>

/*
 * A marker that count.c sees: an instruction that does nothing. 1 starts a
 * count, 2 ends it, 3 says that a reader has its packet.
 */
#define MARK(id) \
	asm volatile(".byte 0x0f, 0x1f, 0x84, 0x00, %c0, 'M', 'R', 'K'" \
		     :: "i"(id) : "memory")

#define MARK_START	1
#define MARK_END	2
#define MARK_READ	3

/* A classic BPF program, alike for AF_PACKET and for /dev/bpf. */
struct program {
	unsigned int len;
	const struct instruction {
		uint16_t code;
		uint8_t jt;
		uint8_t jf;
		uint32_t k;
	} *insns;
};

/* What a receiver is to do, and what it tells about it. */
struct receiver {
	const char *interface;
	const struct program *filter;	/* NULL: none */
	bool at_once;			/* each frame at once, with MARK_READ */
	volatile bool ready;
	uint64_t frames;
	uint64_t bytes;
	uint64_t calls;
	uint64_t dropped;
};

extern volatile bool stopped;

/* End the program, or the receiver's process. */
void die(const char *what) __attribute__((noreturn));

/* Receive until stopped. */
void receive_v3(struct receiver *r);
void receive_recvfrom(struct receiver *r);
void receive_bpf(struct receiver *r);

#endif /* BENCH_H */
