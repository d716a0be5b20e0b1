/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Usage of limited resources by descriptors. */
#ifndef VCAP_USAGE_H
#define VCAP_USAGE_H

#include "shim.h"

/**
 * struct vcap_usage - current usage, or a limit
 * @descriptors: number of open descriptors
 * @memory: size of their buffers, bytes
 */
struct vcap_usage {
	u32 descriptors;
	u64 memory;
};

/**
 * vcap_usage_add() - add to the usage unless that exceeds the limit
 * @usage: the current usage
 * @more: what to add
 * @limit: the limit; it may be below @usage
 *
 * Only resources that are added to are checked: a user with too many
 * descriptors, after the limit was lowered, can still get memory for them.
 *
 * Return: true on success; otherwise @usage does not change.
 */
bool vcap_usage_add(struct vcap_usage *usage, const struct vcap_usage *more,
		    const struct vcap_usage *limit);

/** vcap_usage_sub() - subtract what vcap_usage_add() has added */
void vcap_usage_sub(struct vcap_usage *usage, const struct vcap_usage *less);

#endif /* VCAP_USAGE_H */
