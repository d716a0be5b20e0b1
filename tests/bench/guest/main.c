// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The guest's part of the benchmark. Obeys lines on its input:
 *
 *   run METHOD COUNT FILTER HOW INTERFACE MEMORY TIMEOUT
 *       starts COUNT receivers by METHOD (none, sleep, v3, recvfrom, bpf, zbuf; or
 *       one program, stock or ours: tcpdump on AF_PACKET, on /dev/bpf), each with
 *       FILTER (all, some, none: what it accepts), HOW (bulk, at-once, poll,
 *       timed), MEMORY bytes and TIMEOUT ms. INTERFACE "*": each listens to one
 *       of its own, eth0, eth1 and so on. Answers "ready"; then what comes
 *       between the lines "begin" and "end" is measured, and "result
 *       KEY=VALUE..." is the answer.
 *   ask WHAT COUNT INTERFACE
 *       asks an idle descriptor so often, see ask(), and answers "done 0"
 *   sh COMMAND
 *       runs a command, and answers "done STATUS" after its output
 *   selftest
 *       executes two million instructions between the markers
 */
#define _GNU_SOURCE
#include <errno.h>
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

volatile bool stopped;

static struct receiver *receivers;
static pid_t pids[MAX_RECEIVERS];

/* sender.c gives every hundredth frame a 1 behind the Ethernet header. */
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

/* What no receiver with a timeout can be cheaper than. */
static void only_sleep(struct receiver *r)
{
	struct timespec timeout = {
		.tv_sec = r->timeout_ms / 1000,
		.tv_nsec = r->timeout_ms % 1000 * 1000000L,
	};

	r->ready = true;
	while (!stopped) {
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

void die(const char *what)
{
	printf("fail %s: %s\n", what, strerror(errno));
	fflush(stdout);
	_exit(1);
}

static void on_signal(int number)
{
	(void)number;
	stopped = true;
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
		die("fork");
	if (pids[i] == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		sigaction(SIGINT, &action, NULL);
		method->receive(&receivers[i]);
		_exit(0);
	}
	while (!receivers[i].ready) {
		usleep(1000);
		if (waitpid(pids[i], NULL, WNOHANG))
			die("the receiver did not start");
	}
}

/*
 * A signal that comes between the check of "stopped" and a blocking call is
 * lost there, and so it is repeated.
 */
static void end_receivers(int count)
{
	int i;

	for (i = 0; i < count; i++) {
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
	errno = EINVAL;
	die(name);
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
	errno = EINVAL;
	die(name);
}

/* The guest's free memory, KiB. */
static long free_memory(void)
{
	FILE *file = fopen("/proc/meminfo", "r");
	char line[128];
	long free = -1;

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "MemFree: %ld", &free) == 1)
			break;
	if (free < 0)
		die("/proc/meminfo");
	fclose(file);
	return free;
}

static void await(const char *word)
{
	char line[16];

	if (!fgets(line, sizeof(line), stdin) || strcmp(line, word))
		die(word);
}

static void run(const char *words)
{
	char name[16], filter[16], how[16], interface[16];
	unsigned int memory, timeout;
	const struct method *method;
	uint64_t start, time;
	int count, i, fd = -1;
	long memory_left;

	if (sscanf(words, "%15s %d %15s %15s %15s %u %u", name, &count, filter,
		   how, interface, &memory, &timeout) != 7 ||
	    count < 0 || count > MAX_RECEIVERS)
		die("run: words");
	method = find_method(name);
	memset(receivers, 0, MAX_RECEIVERS * sizeof(*receivers));
	for (i = 0; i < count && method->receive; i++) {
		struct receiver *r = &receivers[i];

		if (!strcmp(interface, "*"))
			snprintf(r->interface, sizeof(r->interface), "eth%d", i);
		else
			strcpy(r->interface, interface);
		r->how = find_how(how);
		r->memory = memory;
		r->timeout_ms = timeout;
		if (!strcmp(filter, "some"))
			r->filter = &some;
		else if (!strcmp(filter, "none"))
			r->filter = &none;
		start_receiver(method, i);
	}
	if (method->program[0])
		fd = start_tcpdump(method->program, interface);

	printf("ready\n");
	await("begin\n");
	start = now_us();
	MARK(MARK_START);
	await("end\n");
	MARK(MARK_END);
	time = now_us() - start;
	memory_left = free_memory();

	if (method->receive)
		end_receivers(count);
	if (fd >= 0)
		end_tcpdump(fd, &receivers[0]);
	printf("result us=%lu memory_left=%ld", time, memory_left);
	for (i = 0; i < (method->receive || fd >= 0 ? count : 0); i++)
		printf(" frames%d=%lu dropped%d=%lu calls%d=%lu", i,
		       receivers[i].frames, i, receivers[i].dropped, i,
		       receivers[i].calls);
	printf("\n");
}

static void ask_words(const char *words)
{
	char what[24], interface[16];
	int count;

	if (sscanf(words, "%23s %d %15s", what, &count, interface) != 3)
		die("ask: words");
	ask(what, count, interface);
	printf("done 0\n");
}

static void selftest(void)
{
	long n = 1000000;

	MARK(MARK_START);
	asm volatile("1: dec %0; jnz 1b" : "+r"(n));
	MARK(MARK_END);
	printf("done 0\n");
}

int main(void)
{
	char line[512];

	receivers = mmap(NULL, MAX_RECEIVERS * sizeof(*receivers),
			 PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			 -1, 0);
	if (receivers == MAP_FAILED)
		die("mmap");
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("serving\n");
	while (fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\n")] = '\0';
		if (!strncmp(line, "run ", 4))
			run(line + 4);
		else if (!strncmp(line, "sh ", 3))
			printf("done %d\n", system(line + 3));
		else if (!strncmp(line, "ask ", 4))
			ask_words(line + 4);
		else if (!strcmp(line, "selftest"))
			selftest();
		else
			die("unknown line");
	}
	return 0;
}
