/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the guest's measuring programs share. */
#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>
#include <stddef.h>
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

/* How a receiver waits. */
enum how {
	BULK,		/* for much at once */
	AT_ONCE,	/* for each packet, with MARK_READ */
	POLL,		/* the same, in poll(2) */
	TIMED,		/* as BULK, but never longer than the timeout */
};

/* What a receiver is to do, and what it tells about it. */
struct receiver {
	char interface[16];
	const struct program *filter;	/* NULL: none */
	enum how how;
	unsigned int memory;		/* bytes of all its buffers, but read(2)'s own */
	unsigned int timeout_ms;	/* for packets that fill no buffer */
	volatile bool ready;
	volatile bool stopped;		/* by the parent, which then sends SIGINT */
	uint64_t frames;
	uint64_t bytes;
	uint64_t calls;
	uint64_t dropped;
};

/* Whether each packet is to be had at once. */
static inline bool is_at_once(const struct receiver *r)
{
	return r->how == AT_ONCE || r->how == POLL;
}

/* Receive until stopped. */
void receive_v3(struct receiver *r);
void receive_recvfrom(struct receiver *r);
void receive_bpf(struct receiver *r);
void receive_zbuf(struct receiver *r);

/* An ioctl of /dev/bpf; ends the program if it fails. */
void bpf_set(int fd, unsigned long request, void *value, const char *what);

/* A descriptor that listens as r says. Buffers come before. */
int bpf_open(void);
void bpf_attach(int fd, const struct receiver *r);

/* Look at each packet of a buffer. */
void bpf_walk(const uint8_t *buffer, size_t len, struct receiver *r);

/* Start tcpdump; a pipe with its words, from where end_tcpdump() has counts. */
int start_tcpdump(const char *const *program, const char *interface);
void end_tcpdump(int fd, struct receiver *r);

#endif /* BENCH_H */
