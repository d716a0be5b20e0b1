// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fuzz-ioctl SECONDS SEED [CALM]
 *
 * Threads perform random operations on descriptors of /dev/bpf, some of which
 * they share, with traffic, while devices are unbound and bound and allocations
 * fail. Invariants are checked after each operation. The seed determines each
 * thread's operations, but not how threads interleave. With CALM the program
 * changes nothing but descriptors, to run beside another one.
 */
#include "fuzz.h"

#define WORKERS	6
#define SHARED	4
#define THREADS	(WORKERS + 2)

atomic_bool stop;

static atomic_uint finished;	/* workers that need no more signals */

static atomic_ulong done[NUM_COUNTS], succeeded[NUM_COUNTS];

static struct worker workers[THREADS];

/*
 * The shared descriptors. Threads use duplicates, as the number of a closed
 * descriptor can be reused by another file at any time.
 */
static int shared[SHARED] = { -1, -1, -1, -1 };
static pthread_mutex_t shared_lock = PTHREAD_MUTEX_INITIALIZER;

int count(enum count what, int result)
{
	done[what]++;
	succeeded[what] += result >= 0;
	return result;
}

static void nudge(int number)
{
	(void)number;
}

/* Operate on a shared descriptor, perhaps concurrently with other threads. */
static void use_shared(struct worker *worker)
{
	int slot = below(&worker->random, SHARED), fresh = -1;
	struct target target = { .fd = -1 };
	bool renew = below(&worker->random, 24) == 0;

	if (renew)
		fresh = open_descriptor(worker);
	pthread_mutex_lock(&shared_lock);
	if (renew) {
		target.fd = shared[slot];
		shared[slot] = fresh;
	} else if (shared[slot] >= 0) {
		target.fd = fcntl(shared[slot], F_DUPFD_CLOEXEC, 0);
	} else {
		shared[slot] = fresh;
	}
	pthread_mutex_unlock(&shared_lock);
	if (target.fd < 0)
		return;
	operate(worker, &target);
	count(COUNT_CLOSE, close(target.fd));
}

static void *worker_run(void *arg)
{
	struct worker *worker = arg;
	struct target target = { .fd = -1 };
	struct bpf_stat stat;
	struct state state;

	faults_init(worker);
	while (!stop) {
		if (below(&worker->random, 3) == 0) {
			use_shared(worker);
			continue;
		}
		if (target.fd < 0) {
			target.fd = open_descriptor(worker);
			if (target.fd < 0)
				continue;
			state_look(target.fd, &state);
			memset(&stat, 0, sizeof(stat));
			target.state = &state;
			target.stat = &stat;
		}
		operate(worker, &target);
		if (below(&worker->random, 64) == 0) {
			count(COUNT_CLOSE, close(target.fd));
			target.fd = -1;
		}
	}
	if (target.fd >= 0)
		close(target.fd);
	finished++;
	return NULL;
}

/* Interrupt threads that block in a read or write, until all have finished. */
static void *nudge_run(void *arg)
{
	atomic_bool *ended = arg;
	unsigned int n = 0;

	while (!*ended) {
		usleep(20000);
		pthread_kill(workers[n++ % WORKERS].thread, SIGUSR1);
	}
	return NULL;
}

static void start(unsigned int threads, unsigned long seed)
{
	unsigned int i;

	for (i = 0; i < threads; i++) {
		workers[i].number = i;
		workers[i].random.state = (seed * THREADS + i + 1) *
					  0x9e3779b97f4a7c15ULL;
		workers[i].fail_nth = -1;
		workers[i].buffer = malloc(MAX_BUFFER);
		if (!workers[i].buffer ||
		    pthread_create(&workers[i].thread, NULL,
				   i < WORKERS ? worker_run :
				   i == WORKERS ? traffic_run : world_run,
				   &workers[i]))
			bail("thread");
	}
}

/* Return true if a frame that one NIC sends is captured on the other. */
static bool captures(void)
{
	int fd, tries, on = 1, found = 0;

	for (tries = 0; tries < 200; tries++) {
		fd = open_bpf(O_RDWR | O_NONBLOCK);
		if (attach(fd, "eth0") == 0)
			break;
		close(fd);
		usleep(50000);
	}
	if (tries == 200)
		return false;
	filter_test_frames(fd);
	set(fd, BIOCIMMEDIATE, on);
	for (tries = 0; tries < 200 && !found; tries++) {
		send_frames("eth1", 1, 1, 100);
		usleep(10000);
		found = read(fd, workers[0].buffer, BPF_DFLTBUFSIZE) > 0;
	}
	close(fd);
	return found;
}

static const char *const names[] = {
#define NAME(id, name) name,
	COUNTS(NAME)
#undef NAME
};

/* Return an operation that has never succeeded, NULL if there is none. */
static const char *never_done(bool calm)
{
	unsigned int i;

	for (i = 0; i < NUM_COUNTS; i++)
		if (!succeeded[i] &&
		    !(i == COUNT_FAULT && workers[0].fail_nth < 0) &&
		    !(calm && i >= COUNT_SEND && i < COUNT_FAULT))
			return names[i];
	return NULL;
}

static void report(unsigned long seed, bool calm)
{
	const char *never = never_done(calm);
	unsigned long all = 0;
	unsigned int i;

	for (i = 0; i < NUM_COUNTS; i++) {
		printf("# %s: %lu, %lu of them with success\n", names[i],
		       done[i], succeeded[i]);
		if (i < COUNT_SEND)
			all += done[i];
	}
	printf("# seed %lu, %lu operations\n", seed, all);
	for (i = 0; i < NUM_INVARIANTS; i++)
		equal(violations[i], 0, "%s", invariant_names[i]);
	ok(!never, "each operation has succeeded at least once%s%s",
	   never ? ", but not: " : "", never ? never : "");
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = nudge };
	unsigned long seed = argc > 2 ? strtoul(argv[2], NULL, 10) : 1;
	unsigned int threads = argc > 3 ? WORKERS : THREADS, i;
	atomic_bool ended = false;
	int seconds = argc > 1 ? atoi(argv[1]) : 20, passed;
	pthread_t nudger;

	sigaction(SIGUSR1, &action, NULL);
	if (threads == THREADS)
		world_init();
	start(threads, seed);
	pthread_create(&nudger, NULL, nudge_run, &ended);
	/* On a slow machine, continue until each operation has succeeded. */
	for (passed = 0; passed < seconds ||
	     (never_done(threads != THREADS) && passed < 10 * seconds);
	     passed++)
		sleep(1);
	stop = true;
	/* Join threads after the nudger has ended, as it signals them. */
	while (finished < WORKERS)
		usleep(10000);
	ended = true;
	pthread_join(nudger, NULL);
	for (i = threads; i-- > 0;)
		pthread_join(workers[i].thread, NULL);
	for (i = 0; i < SHARED; i++)
		if (shared[i] >= 0)
			close(shared[i]);

	report(seed, threads != THREADS);
	if (threads == THREADS) {
		ok(world_restore(), "all devices can be bound again");
		ok(captures(), "/dev/bpf captures after the fuzzing");
	}
	return done_testing();
}
