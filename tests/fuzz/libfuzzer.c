// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A libFuzzer target: the validator, the interpreter, the translator. An input
 * is a byte n; 2 n + 1 instructions, as they are; and a packet, the rest.
 */
#include <stddef.h>
#include <stdlib.h>

#include "ebpf.h"
#include "filter.h"
#include "filters.h"
#include "translate.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

static void check_answers(const struct bsd_insn *insns, u32 len, const u8 *pkt,
			  u32 size)
{
	/* On the heap, where a write behind its end is seen. */
	struct vcap_translation *t = malloc(sizeof(*t));
	struct vcap_packet packet = { pkt, size * 2, size };
	u32 answer;

	memset(t, 0xa5, sizeof(*t));
	vcap_filter_translate(insns, len, t);
	if (ebpf_run(t, &packet, &answer) ||
	    answer != run_filter(insns, len, pkt, size * 2, size))
		abort();
	free(t);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct bsd_insn *insns;
	u32 len, bytes;

	if (size < 1)
		return 0;
	len = data[0] * 2 + 1;
	bytes = len * sizeof(*insns);
	if (bytes > size - 1)
		return 0;
	insns = malloc(bytes);
	memcpy(insns, data + 1, bytes);
	if (vcap_filter_valid(insns, len)) {
		vcap_filter_snaplen(insns, len);
		check_answers(insns, len, data + 1 + bytes, size - 1 - bytes);
	}
	free(insns);
	return 0;
}
