/* SPDX-License-Identifier: GPL-2.0 */
/* Sums of the counts of all descriptors since the module was loaded. */
#ifndef VCAP_STATS_H
#define VCAP_STATS_H

#include <linux/types.h>

enum vcap_stat {
	VCAP_STAT_RECEIVED,
	VCAP_STAT_DROPPED,
	VCAP_STAT_CAPTURED,
	VCAP_NUM_STATS,
};

void vcap_stats_add(u64 recv, u64 drop, u64 capt);
unsigned long vcap_stats_get(enum vcap_stat which);

#endif /* VCAP_STATS_H */
