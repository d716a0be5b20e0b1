// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One measurement in the guest:
 *
 *   receive METHOD COUNT FILTER HOW INTERFACE MEMORY TIMEOUT
 *
 * starts COUNT receivers that use METHOD (none, sleep, v3, recvfrom, bpf, zbuf)
 * or one program (METHOD stock: tcpdump on AF_PACKET, ours: on /dev/bpf). Each
 * receiver has FILTER (which accepts all, some, none), HOW (bulk, at-once, poll,
 * timed), MEMORY bytes and TIMEOUT ms. INTERFACE "*": each has its own
 * interface, eth0, eth1 and so on. Prints "ready", measures between the lines
 * "begin" and "end" of its input, and prints "result KEY=VALUE...".
 */
#include <err.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "bench.h"

#define MAX_RECEIVERS	64

#define STOCK_LOADER	"/root/stock/ld-linux-x86-64.so.2"
#define STOCK_FOLDER	"/root/stock"
#define STOCK		"/root/stock/tcpdump"
#define OURS		"/usr/bin/tcpdump"

static struct receiver *receivers;
static pid_t pids[MAX_RECEIVERS];

/* Accepts every hundredth frame, which has a 1 behind its header (sender.c). */
static const struct program some = { 6, (struct instruction[]) {
	{ 0x28, 0, 0, 12 },		/* ldh [12] */
	{ 0x15, 0, 3, 0x88b5 },		/* jeq #0x88b5 */
	{ 0x30, 0, 0, 14 },		/* ldb [14] */
	{ 0x15, 0, 1, 1 },		/* jeq #1 */
	{ 0x06, 0, 0, 65535 },		/* ret #65535 */
	{ 0x06, 0, 0, 0 },		/* ret #0 */
} };

static const struct program none = { 4, (struct instruction[]) {
	{ 0x28, 0, 0, 12 },
	{ 0x15, 0, 1, 0x0800 },
	{ 0x06, 0, 0, 65535 },
	{ 0x06, 0, 0, 0 },
} };

/* The lower limit for the cost of a receiver with a timeout. */
static void only_sleep(struct receiver *r)
{
	struct timespec timeout = {
		.tv_sec = r->timeout_ms / 1000,
		.tv_nsec = r->timeout_ms % 1000 * 1000000L,
	};

	r->ready = true;
	while (!r->stopped) {
		nanosleep(&timeout, NULL);
		r->calls++;
	}
}

static const struct method {
	const char *name;
	void (*receive)(struct receiver *r);
	const char *program[14];
} methods[] = {
	{ "none", NULL, { NULL } },
	{ "sleep", only_sleep, { NULL } },
	{ "v3", receive_v3, { NULL } },
	{ "recvfrom", receive_recvfrom, { NULL } },
	{ "bpf", receive_bpf, { NULL } },
	{ "zbuf", receive_zbuf, { NULL } },
	{ "stock", NULL, { STOCK_LOADER, "--library-path", STOCK_FOLDER, STOCK,
			   "-Z", "root", "-B", "4096", "-w", "/dev/null", "-i" } },
	{ "ours", NULL, { OURS, "-Z", "root", "-B", "4096", "-w", "/dev/null",
			  "-i" } },
};

/* The signal interrupts a blocking call; r->stopped is already true. */
static void on_signal(int number)
{
	(void)number;
}

static uint64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000ull + t.tv_nsec / 1000;
}

static void start_receiver(const struct method *method, int i)
{
	struct sigaction action = { .sa_handler = on_signal };

	pids[i] = fork();
	if (pids[i] < 0)
		err(1, "fork");
	if (pids[i] == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		sigaction(SIGINT, &action, NULL);
		method->receive(&receivers[i]);
		_exit(0);
	}
	while (!receivers[i].ready) {
		usleep(1000);
		if (waitpid(pids[i], NULL, WNOHANG))
			errx(1, "the receiver did not start");
	}
}

/*
 * A signal that arrives between the check of "stopped" and a blocking call does
 * not interrupt the call, and so it is repeated.
 */
static void end_receivers(int count)
{
	int i;

	for (i = 0; i < count; i++) {
		receivers[i].stopped = true;
		do {
			kill(pids[i], SIGINT);
			usleep(1000);
		} while (!waitpid(pids[i], NULL, WNOHANG));
	}
}

static const struct method *find_method(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
		if (!strcmp(methods[i].name, name))
			return &methods[i];
	errx(1, "unknown METHOD: %s", name);
}

static enum how find_how(const char *name)
{
	static const char *const names[] = {
		[BULK] = "bulk", [AT_ONCE] = "at-once", [POLL] = "poll",
		[TIMED] = "timed",
	};
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(names[i], name))
			return i;
	errx(1, "unknown HOW: %s", name);
}

/* Return the guest's free memory in KiB. */
static long free_memory(void)
{
	FILE *file = fopen("/proc/meminfo", "r");
	char line[128];
	long free = -1;

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "MemFree: %ld", &free) == 1)
			break;
	if (free < 0)
		err(1, "/proc/meminfo");
	fclose(file);
	return free;
}

static void await(const char *word)
{
	char line[16];

	if (!fgets(line, sizeof(line), stdin) || strcmp(line, word))
		errx(1, "the next line of the input is not %s", word);
}

/* Set a receiver up from the program's arguments. */
static void configure(struct receiver *r, int i, char **argv)
{
	const char *filter = argv[3], *interface = argv[5];

	if (!strcmp(interface, "*"))
		snprintf(r->interface, sizeof(r->interface), "eth%d", i);
	else
		strncpy(r->interface, interface, sizeof(r->interface) - 1);
	if (!strcmp(filter, "some"))
		r->filter = &some;
	else if (!strcmp(filter, "none"))
		r->filter = &none;
	r->how = find_how(argv[4]);
	r->memory = atoi(argv[6]);
	r->timeout_ms = atoi(argv[7]);
}

int main(int argc, char **argv)
{
	long taken = free_memory();
	const struct method *method;
	uint64_t start, time;
	int count, i, fd = -1;

	if (argc != 8 || atoi(argv[2]) > MAX_RECEIVERS)
		errx(1, "usage: receive METHOD COUNT FILTER HOW INTERFACE MEMORY TIMEOUT");
	method = find_method(argv[1]);
	count = strcmp(argv[1], "none") ? atoi(argv[2]) : 0;
	receivers = mmap(NULL, MAX_RECEIVERS * sizeof(*receivers),
			 PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			 -1, 0);
	if (receivers == MAP_FAILED)
		err(1, "mmap");
	for (i = 0; i < count && method->receive; i++) {
		configure(&receivers[i], i, argv);
		start_receiver(method, i);
	}
	if (method->program[0])
		fd = start_tcpdump(method->program, argv[5]);

	puts("ready");
	fflush(stdout);
	await("begin\n");
	start = now_us();
	MARK(MARK_START);
	await("end\n");
	MARK(MARK_END);
	time = now_us() - start;
	taken -= free_memory();

	if (method->receive)
		end_receivers(count);
	if (fd >= 0)
		end_tcpdump(fd, &receivers[0]);
	printf("result us=%lu memory=%ld", time, taken);
	for (i = 0; i < count; i++)
		printf(" frames%d=%lu dropped%d=%lu calls%d=%lu", i,
		       receivers[i].frames, i, receivers[i].dropped, i,
		       receivers[i].calls);
	printf("\n");
	return 0;
}
