/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The fuzzer of /dev/bpf: threads perform random operations on descriptors,
 * while devices and interfaces change.
 *
 * main.c        the threads and the report at the end
 * operations.c  the operations on descriptors
 * invariants.c  checks that hold after any operation
 * faults.c      fault injection
 * world.c       traffic, unbind and bind, suspend
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <pthread.h>
#include <stdatomic.h>

#include "../../guest/guest.h"

#define MAX_BUFFER	(1 << 18)	/* of a descriptor, bytes */

/* A random number generator; equal seeds make equal sequences. */
struct random {
	uint64_t state;
};

/* Return a random number below @n. */
static inline uint32_t below(struct random *random, uint32_t n)
{
	uint64_t x = random->state;

	/* xorshift64*, by Vigna. */
	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	random->state = x;
	return (uint32_t)((x * 0x2545f4914f6cdd1dULL) >> 32) % n;
}

/* The state of a descriptor that can be read. */
struct state {
	unsigned int size;
	unsigned int header_complete;
	unsigned int direction;
	unsigned int feedback;
	unsigned int tstamp;
	struct timeval timeout;
	bool attached;
};

/*
 * A descriptor to operate on. Of one that a single thread uses, the state is
 * known; of a shared one it is not.
 */
struct target {
	int fd;
	struct state *state;
	struct bpf_stat *stat;	/* the last counts, which must not decrease */
};

struct worker {
	pthread_t thread;
	unsigned int number;
	struct random random;
	int fail_nth;		/* see faults.c; -1: no fault injection */
	uint8_t *buffer;	/* MAX_BUFFER bytes */
};

/* Counts of the operations, and of those that succeeded. */
#define COUNTS(X)							\
	X(OPEN, "open") X(SIZE, "BIOCSBLEN") X(ATTACH, "BIOCSETIF")	\
	X(FILTER, "BIOCSETF") X(WRITE_FILTER, "BIOCSETWF")		\
	X(FLUSH, "BIOCFLUSH") X(PROMISC, "BIOCPROMISC")			\
	X(IMMEDIATE, "BIOCIMMEDIATE") X(DIRECTION, "BIOCSDIRECTION")	\
	X(TSTAMP, "BIOCSTSTAMP") X(COMPLETE, "BIOCSHDRCMPLT")		\
	X(FEEDBACK, "BIOCSFEEDBACK") X(TIMEOUT, "BIOCSRTIMEOUT")	\
	X(BUFMODE, "BIOCSETBUFMODE") X(ZBUF, "BIOCSETZBUF")		\
	X(ROTATE, "BIOCROTZBUF") X(SPOIL, "shared memory changed")	\
	X(LOCK, "BIOCLOCK") X(STATS, "BIOCGSTATS")			\
	X(READABLE, "FIONREAD") X(ASK, "other requests")		\
	X(UNKNOWN, "unknown requests") X(READ, "read") X(WRITE, "write")\
	X(POLL, "poll") X(MMAP, "mmap") X(FORK, "fork") X(CLOSE, "close")\
	X(SEND, "frames sent") X(UNBIND, "unbind") X(BIND, "bind")	\
	X(UNBIND_NIC, "unbind NIC") X(BIND_NIC, "bind NIC")		\
	X(SUSPEND, "suspend") X(LINK, "link down and up")		\
	X(LIMITS, "limits changed") X(FAULT, "failures injected")	\
	X(PACKET, "packets checked")

#define NAME(id, name) COUNT_##id,
enum count { COUNTS(NAME) NUM_COUNTS };
#undef NAME

/* main.c */
extern atomic_bool stop;
int count(enum count what, int result);

/* operations.c */
int open_descriptor(struct worker *worker);
void operate(struct worker *worker, struct target *target);

/* invariants.c */
enum invariant { PACKETS, STATES, STATS, ERRORS, NUM_INVARIANTS };

extern const char *const invariant_names[NUM_INVARIANTS];
extern atomic_ulong violations[NUM_INVARIANTS];

void state_look(int fd, struct state *state);
void state_check(struct target *target, const char *after);
void packets_check(struct target *target, const uint8_t *buf, ssize_t len);
void stats_check(struct target *target, const struct bpf_stat *stat);
void success_check(const char *what, bool succeeded);
void error_check(const char *what, int result, const int *allowed);

/* faults.c */
void faults_init(struct worker *worker);
bool faults_begin(struct worker *worker, int fd, unsigned int reach);
bool faults_end(struct worker *worker);

/* world.c */
void world_init(void);
void *world_run(void *worker);
void *traffic_run(void *worker);
bool world_restore(void);

#endif /* FUZZ_H */
