/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What descriptors take of a limited resource, and whether more may be had. */
#ifndef VCAP_USAGE_H
#define VCAP_USAGE_H

#include "shim.h"

/**
 * struct vcap_usage - what is in use, or a limit of it
 * @descriptors: open descriptors
 * @memory: bytes of their buffers
 */
struct vcap_usage {
	u32 descriptors;
	u64 memory;
};

/**
 * vcap_usage_add() - use more, unless that is above the limit
 * @usage: what is in use
 * @more: what is asked for
 * @limit: the most that may be in use; it may be below @usage
 *
 * Only what is asked for is limited: who has too many descriptors, as the limit
 * was lowered, can have memory for those that there are.
 *
 * Return: whether it is in use now. Otherwise @usage is as it was.
 */
bool vcap_usage_add(struct vcap_usage *usage, const struct vcap_usage *more,
		    const struct vcap_usage *limit);

/** vcap_usage_sub() - use less: what vcap_usage_add() added */
void vcap_usage_sub(struct vcap_usage *usage, const struct vcap_usage *less);

#endif /* VCAP_USAGE_H */
