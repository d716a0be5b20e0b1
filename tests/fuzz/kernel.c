// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Runs filter programs with the driver's code in the kernel, and compares the
 * results with libpcap's bpf_filter(). Runs in a guest with the module of
 * module/:
 *
 *   kernel FIRST RUNS ENGINE PAIRS
 *
 * PAIRS is a file of programs and frames. Programs from all parts of it run,
 * each over its own frame and over frames of other pairs, which FIRST selects;
 * RUNS is the total number of runs. ENGINE is the engine that the driver must
 * report. For "interpreter" the process drops its privileges, as privileged
 * users can exceed the memory limit of the kernel's JIT compiler.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "module/engine-test.h"
#include "pairs.h"
#include "tap.h"

#define EACH	5	/* frames for a program */
#define NOBODY	65534

static int device;
static struct pair *pairs;
static u32 num_pairs;

static bool read_pairs(const char *path)
{
	FILE *file = fopen(path, "rb");
	struct pair pair;

	while (file && read_pair(file, &pair)) {
		pairs = realloc(pairs, (num_pairs + 1) * sizeof(pair));
		pairs[num_pairs++] = pair;
	}
	if (file)
		fclose(file);
	return num_pairs > 0;
}

/* Run the program of @pair over frames; return 0 or an error number. */
static int run(const struct pair *pair, struct engine_test_frame *frames,
	       u32 count, char *engine)
{
	struct engine_test test = {
		.insns = (unsigned long)pair->insns, .len = pair->len,
		.frames = (unsigned long)frames, .count = count,
	};

	if (ioctl(device, ENGINE_TEST_RUN, &test))
		return errno;
	strcpy(engine, test.engine);
	return 0;
}

static unsigned long accepted, native, constant;

static bool check_answer(const struct pair *pair,
			 const struct engine_test_frame *frame,
			 const char *engine, int err)
{
	u32 expected = reference(pair);

	accepted += expected != 0;
	if (!err && frame->native == expected && frame->interpreted == expected)
		return true;
	print_pair(pair);
	printf("# error %d, %s %#x, interpreter %#x, libpcap %#x\n", err, engine,
	       frame->native, frame->interpreted, expected);
	return false;
}

static bool try_program(u32 n, u32 first, const char *expected_engine)
{
	struct engine_test_frame requests[EACH];
	struct pair runs[EACH];
	char engine[16] = "";
	u32 i;
	int err;

	for (i = 0; i < EACH; i++) {
		const struct pair *p = &pairs[(n + i * first) % num_pairs];

		runs[i] = *p;
		runs[i].insns = pairs[n].insns;
		runs[i].len = pairs[n].len;
		requests[i] = (struct engine_test_frame) {
			.data = (unsigned long)p->data,
			.wirelen = p->wirelen,
			.buflen = p->buflen,
		};
	}
	err = run(&pairs[n], requests, EACH, engine);
	native += strstr(expected_engine, engine) != NULL;
	constant += !strcmp(engine, "constant");
	for (i = 0; i < EACH; i++)
		if (!check_answer(&runs[i], &requests[i], engine, err))
			return false;
	return true;
}

int main(int argc, char **argv)
{
	unsigned long runs, done = 0, programs = 0;
	bool same = true;
	u32 first, step;

	if (argc != 5) {
		fprintf(stderr, "usage: kernel FIRST RUNS ENGINE PAIRS\n");
		return 2;
	}
	first = strtoul(argv[1], NULL, 0);
	runs = strtoul(argv[2], NULL, 0);
	ok(read_pairs(argv[4]), "the file has programs and frames");
	device = open("/dev/engine-test", O_RDWR);
	ok(device >= 0, "/dev/engine-test can be opened");
	if (!strncmp(argv[3], "interpreter", strlen("interpreter")))
		ok(!setuid(NOBODY), "the process drops its privileges");
	step = num_pairs / (runs / EACH + 1) + 1;
	for (; done < runs && same; done += EACH, programs++) {
		u32 n = programs * step % num_pairs;

		/* Other frames in each round. */
		first += n < step;
		same = try_program(n, first, argv[3]);
	}
	ok(same, "engine %s: all results are libpcap's in %lu runs", argv[3],
	   done);
	printf("# %u pairs, %lu programs, %lu constant\n", num_pairs, programs,
	       constant);
	ok(accepted > done / 20, "more than one in 20 packets is accepted: %lu",
	   accepted);
	equal(native + constant, programs,
	      "programs that are not constant are run by: %s", argv[3]);
	ok(constant < programs / 2, "less than half the programs are constant");
	return done_testing();
}
