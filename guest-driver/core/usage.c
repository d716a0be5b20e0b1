// SPDX-License-Identifier: GPL-2.0-or-later
/* Usage of limited resources by descriptors. */
#include "usage.h"

/* Neither the sum nor the difference may wrap around. */
static bool fits(u64 used, u64 more, u64 limit)
{
	return more == 0 || (used <= limit && more <= limit - used);
}

bool vcap_usage_add(struct vcap_usage *usage, const struct vcap_usage *more,
		    const struct vcap_usage *limit)
{
	if (!fits(usage->descriptors, more->descriptors, limit->descriptors) ||
	    !fits(usage->memory, more->memory, limit->memory))
		return false;
	usage->descriptors += more->descriptors;
	usage->memory += more->memory;
	return true;
}

void vcap_usage_sub(struct vcap_usage *usage, const struct vcap_usage *less)
{
	usage->descriptors -= less->descriptors;
	usage->memory -= less->memory;
}
