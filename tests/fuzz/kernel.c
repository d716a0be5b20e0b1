// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Runs programs with the driver's engine, in the kernel, against libpcap's
 * bpf_filter(). Runs in a guest that has the module of module/:
 *
 *   kernel SEED PAIRS ENGINE PROGRAMS FRAMES
 *
 * ENGINE is what the driver is to say that it runs them with. For "interpreter"
 * the process gives up its privileges, by which the kernel's translator always
 * has memory.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "module/engine-test.h"
#include "programs.h"
#include "tap.h"

#define EACH	20	/* frames for a program */
#define NOBODY	65534

static int device;

/* Returns the error; the answers are in the frames. */
static int run(const struct program *p, struct engine_test_frame *frames,
	       u32 count, char *engine)
{
	struct engine_test test = {
		.insns = (unsigned long)p->insns, .len = p->len,
		.frames = (unsigned long)frames, .count = count,
	};

	if (ioctl(device, ENGINE_TEST_RUN, &test))
		return errno;
	strcpy(engine, test.engine);
	return 0;
}

static struct engine_test_frame request_for(const struct frame *f)
{
	return (struct engine_test_frame) {
		.data = (unsigned long)f->data,
		.wirelen = f->wirelen,
		.buflen = f->buflen,
	};
}

static bool differs(const struct program *p, const struct frame *f)
{
	struct engine_test_frame frame = request_for(f);
	u32 expected = reference(p, f);
	char engine[16];

	return run(p, &frame, 1, engine) || frame.native != expected ||
	       frame.interpreted != expected;
}

static void show(struct program *p, struct frame *f)
{
	struct engine_test_frame frame;
	char engine[16] = "refused";
	int err;

	minimize(p, f, differs);
	frame = request_for(f);
	err = run(p, &frame, 1, engine);
	print_case(p, f);
	printf("# error %d, %s %#x, interpreter %#x, libpcap %#x\n", err, engine,
	       frame.native, frame.interpreted, reference(p, f));
}

static unsigned long accepted, native, constant;

static bool try_program(struct program *p, const char *expected_engine)
{
	struct engine_test_frame requests[EACH];
	struct frame frames[EACH];
	char engine[16] = "";
	bool same = true;
	int i, err;

	for (i = 0; i < EACH; i++) {
		make_frame(&frames[i]);
		requests[i] = request_for(&frames[i]);
	}
	err = run(p, requests, EACH, engine);
	native += strstr(expected_engine, engine) != NULL;
	constant += !strcmp(engine, "constant");
	for (i = 0; i < EACH && same; i++) {
		u32 expected = reference(p, &frames[i]);

		accepted += expected != 0;
		same = !err && requests[i].native == expected &&
		       requests[i].interpreted == expected;
		if (!same)
			show(p, &frames[i]);
	}
	for (i = 0; i < EACH; i++)
		free(frames[i].data);
	return same;
}

int main(int argc, char **argv)
{
	static struct program p;
	unsigned long pairs, done = 0, programs = 0;
	bool same = true;

	if (argc != 6) {
		fprintf(stderr,
			"usage: kernel SEED PAIRS ENGINE PROGRAMS FRAMES\n");
		return 2;
	}
	seed_random(strtoull(argv[1], NULL, 0));
	pairs = strtoul(argv[2], NULL, 0);
	printf("# seed %s\n", argv[1]);
	ok(read_programs(argv[4]), "there are compiled programs");
	ok(read_frames(argv[5]), "there are real frames");
	device = open("/dev/engine-test", O_RDWR);
	ok(device >= 0, "the guest has the module");
	if (!strncmp(argv[3], "interpreter", strlen("interpreter")))
		ok(!setuid(NOBODY), "the privileges are given up");
	for (; done < pairs && same; done += EACH) {
		make_program(&p);
		same = try_program(&p, argv[3]);
		programs++;
	}
	ok(same, "no answer is another than libpcap's in %lu pairs", done);
	printf("# %lu programs, %lu constant\n", programs, constant);
	ok(accepted > done / 20, "%lu packets accepted", accepted);
	equal(native + constant, programs, "the others are run by: %s", argv[3]);
	ok(constant < programs / 20, "few programs need not run");
	return done_testing();
}
