// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A libFuzzer target: the validator, the interpreter and the rewriter. An input
 * is a byte n; 2 n + 1 instructions, as they are; and a packet, the rest.
 */
#include <stddef.h>
#include <stdlib.h>

#include "filter.h"
#include "filters.h"
#include "linux-machine.h"
#include "rewrite.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

static void check_rewrite(const struct bsd_insn *insns, u32 len, const u8 *pkt,
			  u32 size)
{
	/* On the heap, where a write behind its end is seen. */
	struct vcap_rewrite *re = malloc(sizeof(*re));
	u32 wirelen = size * 2;

	memset(re, 0xa5, sizeof(*re));
	if (vcap_filter_rewrite(insns, len, re)) {
		if (!linux_valid(re->insns, re->len))
			abort();
		if (linux_run(re->insns, pkt, wirelen, size) !=
		    run_filter(insns, len, pkt, wirelen, size))
			abort();
	}
	free(re);
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
		check_rewrite(insns, len, data + 1 + bytes, size - 1 - bytes);
	}
	free(insns);
	return 0;
}
