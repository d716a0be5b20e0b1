/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Decodes and runs programs with the interpreter. */
#ifndef FILTERS_H
#define FILTERS_H

#include <stdlib.h>

#include "interpreter.h"

/* Decode a program on the heap, so that a sanitizer detects overruns. */
static inline struct vcap_decoded *decode_filter(const struct bsd_insn *insns,
						 u32 len)
{
	struct vcap_decoded *decoded = malloc(vcap_filter_decoded_size(len));

	memset(decoded, 0xa5, vcap_filter_decoded_size(len));
	vcap_filter_decode(insns, len, decoded);
	return decoded;
}

/** run_filter() - decode a valid program and run it once */
static inline u32 run_filter(const struct bsd_insn *insns, u32 len,
			     const u8 *pkt, u32 wirelen, u32 buflen)
{
	struct vcap_decoded *decoded = decode_filter(insns, len);
	u32 answer = vcap_filter_run(decoded, pkt, wirelen, buflen);

	free(decoded);
	return answer;
}

#endif /* FILTERS_H */
