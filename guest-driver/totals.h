/* SPDX-License-Identifier: GPL-2.0 */
/* The counts of all descriptors together, since the module was loaded. */
#ifndef VCAP_TOTALS_H
#define VCAP_TOTALS_H

#include <linux/types.h>

enum vcap_total {
	VCAP_RECEIVED,
	VCAP_DROPPED,
	VCAP_CAPTURED,
	VCAP_NUM_TOTALS,
};

void vcap_totals_add(u64 recv, u64 drop, u64 capt);
unsigned long vcap_totals_get(enum vcap_total which);

#endif /* VCAP_TOTALS_H */
