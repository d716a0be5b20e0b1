// SPDX-License-Identifier: GPL-2.0
/* Sums of the counts of all descriptors since the module was loaded. */
#include <linux/atomic.h>

#include "stats.h"

static atomic64_t stats[VCAP_NUM_STATS];

/** vcap_stats_add() - add packets received, dropped, captured */
void vcap_stats_add(u64 recv, u64 drop, u64 capt)
{
	atomic64_add(recv, &stats[VCAP_STAT_RECEIVED]);
	atomic64_add(drop, &stats[VCAP_STAT_DROPPED]);
	atomic64_add(capt, &stats[VCAP_STAT_CAPTURED]);
}

/** vcap_stats_get() - return a sum */
unsigned long vcap_stats_get(enum vcap_stat which)
{
	return atomic64_read(&stats[which]);
}
