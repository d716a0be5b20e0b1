/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shared by the guest's measuring programs. */
#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A marker for count.c: an instruction that does nothing. 1 starts a count, 2
 * ends it, 3 means that a reader has its packet.
 */
#define MARK(id) \
	asm volatile(".byte 0x0f, 0x1f, 0x84, 0x00, %c0, 'M', 'R', 'K'" \
		     :: "i"(id) : "memory")

#define MARK_START	1
#define MARK_END	2
#define MARK_READ	3

/* A classic BPF program, the same for AF_PACKET and for /dev/bpf. */
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
	BULK,		/* for a full buffer */
	AT_ONCE,	/* for each packet, with MARK_READ */
	POLL,		/* the same, in poll(2) */
	TIMED,		/* as BULK, but no longer than the timeout */
};

/* A receiver's parameters and results. */
struct receiver {
	char interface[16];
	const struct program *filter;	/* NULL: none */
	enum how how;
	unsigned int memory;		/* bytes of all buffers but that of read(2) */
	unsigned int timeout_ms;	/* for packets that fill no buffer */
	volatile bool ready;
	volatile bool stopped;		/* set by the parent, which then sends SIGINT */
	uint64_t frames;
	uint64_t bytes;
	uint64_t calls;
	uint64_t dropped;
};

/* Whether the receiver waits for each packet. */
static inline bool is_at_once(const struct receiver *r)
{
	return r->how == AT_ONCE || r->how == POLL;
}

/* Receive until stopped. */
void receive_v3(struct receiver *r);
void receive_recvfrom(struct receiver *r);
void receive_bpf(struct receiver *r);
void receive_zbuf(struct receiver *r);

/* Make an ioctl request on /dev/bpf; exit if it fails. */
void bpf_set(int fd, unsigned long request, void *value, const char *what);

/*
 * Open a descriptor, and attach it with r's parameters. Set buffer sizes or
 * buffers in between.
 */
int bpf_open(void);
void bpf_attach(int fd, const struct receiver *r);

/* Read the start of each packet in a buffer, and count it. */
void bpf_walk(const uint8_t *buffer, size_t len, struct receiver *r);

/*
 * Start tcpdump; returns a pipe with its standard error, from which
 * end_tcpdump() reads the counts.
 */
int start_tcpdump(const char *const *program, const char *interface);
void end_tcpdump(int fd, struct receiver *r);

#endif /* BENCH_H */
