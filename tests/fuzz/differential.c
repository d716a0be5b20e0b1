// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Runs the interpreter, and programs translated to eBPF on a machine that does
 * not trust them, against libpcap's bpf_filter():
 *
 *   differential SEED PAIRS [PROGRAMS FRAMES]
 *
 * tries so many pairs of a program and a frame; the files are compile.c's
 * output and a capture file of Ethernet frames.
 */
#include <stdlib.h>

#include "ebpf.h"
#include "filter.h"
#include "filters.h"
#include "programs.h"
#include "tap.h"
#include "translate.h"

#define FRAMES		32
#define EACH		16	/* of them for a program */

static struct vcap_translation translation;

static u32 interpret(const struct program *p, const struct frame *f)
{
	return run_filter(p->insns, p->len, f->data, f->wirelen, f->buflen);
}

static bool interpreter_differs(const struct program *p, const struct frame *f)
{
	return interpret(p, f) != reference(p, f);
}

/* Runs the last translation. */
static const char *run_translation(const struct frame *f, u32 *answer)
{
	struct vcap_packet packet = { f->data, f->wirelen, f->buflen };

	return ebpf_run(&translation, &packet, answer);
}

static bool translation_differs(const struct program *p, const struct frame *f)
{
	u32 answer;

	vcap_filter_translate(p->insns, p->len, &translation);
	return run_translation(f, &answer) || answer != reference(p, f);
}

/* No mismatch: true. Else it is shown, as small as it gets. */
static bool agree(bool differ, struct program *p, struct frame *f,
		  differs_fn *differs, const char *what)
{
	const char *wrong;
	u32 answer = 0;

	if (!differ)
		return true;
	printf("# %s\n", what);
	minimize(p, f, differs);
	print_case(p, f);
	vcap_filter_translate(p->insns, p->len, &translation);
	wrong = run_translation(f, &answer);
	printf("# interpreter %#x, eBPF %#x (%s), libpcap %#x\n",
	       interpret(p, f), answer, wrong ? wrong : "well", reference(p, f));
	return false;
}

static unsigned long accepted, rejected;

static bool try_frame(struct program *p, struct frame *f,
		      const struct vcap_decoded *decoded)
{
	u32 expected = reference(p, f), answer;

	if (expected)
		accepted++;
	else
		rejected++;
	answer = vcap_filter_run(decoded, f->data, f->wirelen, f->buflen);
	if (!agree(answer != expected, p, f, interpreter_differs,
		   "the interpreter answers otherwise than libpcap"))
		return false;
	return agree(run_translation(f, &answer) || answer != expected, p, f,
		     translation_differs,
		     "the translation answers otherwise than libpcap");
}

static bool try_program(struct program *p, struct frame *frames, u32 first)
{
	struct vcap_decoded *decoded = decode_filter(p->insns, p->len);
	bool same = true;
	u32 i;

	memset(&translation, 0xa5, sizeof(translation));
	vcap_filter_translate(p->insns, p->len, &translation);
	for (i = 0; i < EACH && same; i++)
		same = try_frame(p, &frames[(first + i) % FRAMES], decoded);
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
	ok(accepted > done / 20, "%lu packets accepted", accepted);
	ok(rejected > done / 20, "%lu rejected", rejected);
	return done_testing();
}
