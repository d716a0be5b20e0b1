// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Runs the driver's interpreter, and rewritten programs on a model of Linux's
 * filter machine, against libpcap's bpf_filter():
 *
 *   differential SEED PAIRS [PROGRAMS FRAMES]
 *
 * tries so many pairs of a program and a frame; the files are compile.c's
 * output and a capture file of Ethernet frames.
 */
#include <stdlib.h>

#include "filter.h"
#include "filters.h"
#include "linux-machine.h"
#include "programs.h"
#include "rewrite.h"
#include "tap.h"

#define FRAMES		32
#define EACH		16	/* of them for a program */

static struct vcap_rewrite rewritten;

static u32 interpret(const struct program *p, const struct frame *f)
{
	return run_filter(p->insns, p->len, f->data, f->wirelen, f->buflen);
}

static bool interpreter_differs(const struct program *p, const struct frame *f)
{
	return interpret(p, f) != reference(p, f);
}

/* Uses what the last rewrite left. */
static bool machine_differs(const struct program *p, const struct frame *f)
{
	return linux_run(rewritten.insns, f->data, f->wirelen, f->buflen) !=
	       reference(p, f);
}

static bool rewrite_invalid(const struct program *p, const struct frame *f)
{
	(void)f;
	return vcap_filter_rewrite(p->insns, p->len, &rewritten) &&
	       !linux_valid(rewritten.insns, rewritten.len);
}

static bool rewrite_differs(const struct program *p, const struct frame *f)
{
	return vcap_filter_rewrite(p->insns, p->len, &rewritten) &&
	       linux_valid(rewritten.insns, rewritten.len) &&
	       machine_differs(p, f);
}

/* No mismatch: true. Else it is shown, as small as it gets. */
static bool agree(bool differ, struct program *p, struct frame *f,
		  differs_fn *differs, const char *what)
{
	if (!differ)
		return true;
	printf("# %s\n", what);
	minimize(p, f, differs);
	vcap_filter_rewrite(p->insns, p->len, &rewritten);
	print_case(p, f);
	printf("# interpreter %#x, libpcap %#x\n",
	       interpret(p, f), reference(p, f));
	return false;
}

static unsigned long accepted, rejected, interpreted, grown;

static bool try_frame(struct program *p, struct frame *f,
		      const struct vcap_decoded *decoded, bool native)
{
	u32 answer = vcap_filter_run(decoded, f->data, f->wirelen, f->buflen);

	if (answer)
		accepted++;
	else
		rejected++;
	return agree(answer != reference(p, f), p, f, interpreter_differs,
		     "the interpreter answers otherwise than libpcap") &&
	       agree(native && machine_differs(p, f), p, f, rewrite_differs,
		     "the rewritten program answers otherwise than libpcap");
}

static bool try_program(struct program *p, struct frame *frames, u32 first)
{
	bool native = vcap_filter_rewrite(p->insns, p->len, &rewritten);
	struct vcap_decoded *decoded;
	bool same = true;
	u32 i;

	interpreted += !native;
	grown += native && rewritten.len > p->len;
	if (!agree(native && !linux_valid(rewritten.insns, rewritten.len), p,
		   frames, rewrite_invalid, "Linux would not take the program"))
		return false;
	decoded = decode_filter(p->insns, p->len);
	for (i = 0; i < EACH && same; i++)
		same = try_frame(p, &frames[(first + i) % FRAMES], decoded,
				 native);
	free(decoded);
	return same;
}

int main(int argc, char **argv)
{
	static struct program p;
	struct frame frames[FRAMES] = { 0 };
	unsigned long pairs, done, kinds[KINDS] = { 0 };
	bool same = true;
	u32 i, n = 0;

	if (argc != 3 && argc != 5) {
		fprintf(stderr,
			"usage: differential SEED PAIRS [PROGRAMS FRAMES]\n");
		return 2;
	}
	seed_random(strtoull(argv[1], NULL, 0));
	pairs = strtoul(argv[2], NULL, 0);
	printf("# seed %s\n", argv[1]);
	if (argc == 5) {
		ok(read_programs(argv[3]), "there are compiled programs");
		ok(read_frames(argv[4]), "there are real frames");
	}
	for (done = 0; done < pairs && same; done += EACH, n++) {
		/* One new frame for each program is enough of a change. */
		for (i = 0; i < (n == 0 ? FRAMES : 1U); i++) {
			u32 slot = (n + i) % FRAMES;

			free(frames[slot].data);
			make_frame(&frames[slot]);
		}
		kinds[make_program(&p)]++;
		same = try_program(&p, frames, n);
	}
	for (i = 0; i < FRAMES; i++)
		free(frames[i].data);
	ok(same, "no answer is another than libpcap's in %lu pairs", done);
	printf("# programs: %lu random, %lu long, %lu compiled, %lu mutated\n",
	       kinds[RANDOM], kinds[LONG], kinds[COMPILED], kinds[MUTATED]);
	printf("# %lu rewritten to more instructions, %lu not to be rewritten\n",
	       grown, interpreted);
	ok(accepted > done / 20, "%lu packets accepted", accepted);
	ok(rejected > done / 20, "%lu rejected", rejected);
	ok(grown > n / 20, "some programs needed a rewrite");
	ok(interpreted > 0, "and some the interpreter");
	return done_testing();
}
