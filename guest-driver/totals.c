// SPDX-License-Identifier: GPL-2.0
/* The counts of all descriptors together, since the module was loaded. */
#include <linux/atomic.h>

#include "totals.h"

static atomic64_t totals[VCAP_NUM_TOTALS];

/** vcap_totals_add() - count packets received, dropped, captured */
void vcap_totals_add(u64 recv, u64 drop, u64 capt)
{
	atomic64_add(recv, &totals[VCAP_RECEIVED]);
	atomic64_add(drop, &totals[VCAP_DROPPED]);
	atomic64_add(capt, &totals[VCAP_CAPTURED]);
}

/** vcap_totals_get() - one of the counts */
unsigned long vcap_totals_get(enum vcap_total which)
{
	return atomic64_read(&totals[which]);
}
