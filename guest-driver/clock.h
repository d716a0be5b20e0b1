/* SPDX-License-Identifier: GPL-2.0 */
/* The offset from the device's clock to the guest's CLOCK_REALTIME. */
#ifndef VCAP_CLOCK_H
#define VCAP_CLOCK_H

#include <linux/mutex.h>
#include <linux/types.h>

#include "control.h"

/**
 * struct vcap_clock - the offset that a device adds to the times of records
 * @lock: protects @offset; held while the offset is measured
 * @offset: difference of CLOCK_REALTIME and the device's clock, ns
 * @checked: time of the last comparison, jiffies
 * @asked: time when vcap_clock_is_due() last returned true, jiffies
 */
struct vcap_clock {
	struct mutex lock;	/* offset */
	s64 offset;
	unsigned long checked;
	unsigned long asked;
};

void vcap_clock_init(struct vcap_clock *clock);
int vcap_clock_set(struct vcap_clock *clock, struct vcap_control *control);
int vcap_clock_check(struct vcap_clock *clock, struct vcap_control *control,
		     u64 before, u64 after, u64 reading);
bool vcap_clock_is_due(struct vcap_clock *clock);
int vcap_clock_refresh(struct vcap_clock *clock, struct vcap_control *control);

#endif /* VCAP_CLOCK_H */
