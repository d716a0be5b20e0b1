// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A libFuzzer target for the validator, the interpreter and the translator. The
 * results of the interpreter, and of translated programs on a checking eBPF
 * machine (ebpf.c), are compared with libpcap's bpf_filter().
 *
 * Invalid instructions are made valid, so that every input's program runs.
 *
 * With PAIRS=FILE in the environment, the inputs' pairs of a program and a
 * frame are appended to FILE.
 */
#include <stdlib.h>

#include "ebpf.h"
#include "filter.h"
#include "filters.h"
#include "input.h"
#include "pairs.h"
#include "translate.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

static FILE *pairs;

/* Return the code if it is valid, else a valid one. */
static u16 known_code(u16 code)
{
	static const u8 codes[] = {
		0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x0c, 0x14,
		0x15, 0x16, 0x1c, 0x1d, 0x20, 0x24, 0x25, 0x28, 0x2c, 0x2d,
		0x30, 0x34, 0x35, 0x3c, 0x3d, 0x40, 0x44, 0x45, 0x48, 0x4c,
		0x4d, 0x50, 0x54, 0x5c, 0x60, 0x61, 0x64, 0x6c, 0x74, 0x7c,
		0x80, 0x81, 0x84, 0x87, 0x94, 0x9c, 0xa4, 0xac, 0xb1,
	};

	if (code <= 0xff && memchr(codes, code, sizeof(codes)))
		return code;
	return codes[code % sizeof(codes)];
}

/* @after: number of instructions after this one */
static void make_valid_insn(struct bsd_insn *in, u32 after)
{
	in->code = known_code(in->code);
	switch (in->code) {
	case BPF_LD | BPF_MEM:
	case BPF_LDX | BPF_MEM:
	case BPF_ST:
	case BPF_STX:
		in->k %= BPF_MEMWORDS;
		break;
	case BPF_ALU | BPF_DIV | BPF_K:
	case BPF_ALU | BPF_MOD | BPF_K:
		in->k += !in->k;
		break;
	}
	if (!after) {
		if (BPF_CLASS(in->code) != BPF_RET)
			in->code = BPF_RET | BPF_A;
	} else if (in->code == (BPF_JMP | BPF_JA)) {
		in->k %= after;
	} else if (BPF_CLASS(in->code) == BPF_JMP) {
		in->jt %= after;
		in->jf %= after;
	}
}

static void demand(bool condition, const struct pair *pair, const char *what)
{
	if (condition)
		return;
	printf("# %s:\n", what);
	print_pair(pair);
	fflush(stdout);
	abort();
}

/* Check that the validator refuses exactly the invalid programs. */
static void make_valid(struct pair *pair)
{
	static struct bsd_insn before[BPF_MAXINSNS];
	size_t size = pair->len * sizeof(before[0]);
	bool valid;
	u32 i;

	memcpy(before, pair->insns, size);
	for (i = 0; i < pair->len; i++)
		make_valid_insn(&pair->insns[i], pair->len - 1 - i);
	valid = !memcmp(before, pair->insns, size);
	demand(vcap_filter_valid(before, pair->len) == valid, pair,
	       "the validator accepts an invalid or refuses a valid program");
	demand(vcap_filter_valid(pair->insns, pair->len), pair,
	       "the validator refuses a valid program");
}

/* Translate into memory whose usable part is initialised, the rest poisoned. */
static struct vcap_translation *translate(const struct pair *pair)
{
	struct vcap_translation *t = malloc(sizeof(*t));

	memset(t->insns, 0xa5, sizeof(t->insns[0]) *
	       (pair->len * VCAP_TRANSLATE_GROWTH + VCAP_TRANSLATE_FRAME));
	vcap_filter_translate(pair->insns, pair->len, t);
	return t;
}

/* A frame truncated to the snapshot length must give the same result. */
static void check_snaplen(const struct pair *pair, u32 expected)
{
	u32 need = vcap_filter_snaplen(pair->insns, pair->len);
	struct pair cut = *pair;

	if (need >= pair->buflen)
		return;
	cut.buflen = need;
	demand(expected <= need && reference(&cut) == expected, pair,
	       "the program needs more of the frame than its snapshot length");
}

static void check_answers(const struct pair *pair)
{
	u32 expected = reference(pair), answer;
	struct vcap_translation *t = translate(pair);
	struct vcap_packet packet = { pair->data, pair->wirelen, pair->buflen };
	const char *wrong;

	answer = run_filter(pair->insns, pair->len, pair->data, pair->wirelen,
			    pair->buflen);
	demand(answer == expected, pair,
	       "the interpreter's answer differs from libpcap's");
	wrong = ebpf_run(t, &packet, &answer);
	demand(!wrong, pair, wrong);
	demand(answer == expected, pair,
	       "the translation's answer differs from libpcap's");
	check_snaplen(pair, expected);
	free(t);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const char *path = getenv("PAIRS");

	(void)argc;
	(void)argv;
	pairs = path ? fopen(path, "ab") : NULL;
	if (path && !pairs) {
		perror(path);
		exit(2);
	}
	return 0;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct pair pair = { .len = input_insns(data, size) };
	u32 bytes = pair.len * sizeof(pair.insns[0]);

	if (!pair.len)
		return 0;
	pair.buflen = size - INPUT_HEADER - bytes;
	pair.wirelen = input_wirelen(data, pair.buflen);
	pair.insns = malloc(bytes);
	pair.data = malloc(pair.buflen);
	memcpy(pair.insns, data + INPUT_HEADER, bytes);
	memcpy(pair.data, data + INPUT_HEADER + bytes, pair.buflen);
	make_valid(&pair);
	check_answers(&pair);
	if (pairs && !write_pair(pairs, &pair))
		abort();
	free_pair(&pair);
	return 0;
}
