// SPDX-License-Identifier: GPL-2.0
/*
 * The offset from the device's clock to the guest's CLOCK_REALTIME.
 *
 * The device adds it to the time of each record, so that a record carries the
 * guest's time. It is measured as NTP does it: the device's clock is read
 * between two readings of the guest's, and the shorter the round trip, the
 * better the bound on the error.
 */
#include <linux/jiffies.h>
#include <linux/ktime.h>

#include "vcap.h"

#define ROUNDS	4

/** vcap_clock_set() - measure the offset and tell the device; listen_lock */
int vcap_clock_set(struct vcap_dev *dev)
{
	struct virtio_capture_counters counters;
	u64 before, after, best = U64_MAX;
	s64 offset = 0;
	int err, i;

	lockdep_assert_held(&dev->listen_lock);
	for (i = 0; i < ROUNDS; i++) {
		before = ktime_get_real_ns();
		err = vcap_control_clock(dev, NULL, &counters);
		after = ktime_get_real_ns();
		if (err)
			return err;
		/* Shorter than the best, or stepped back: nothing to learn. */
		if (after - before >= best)
			continue;
		best = after - before;
		offset = (s64)(before + best / 2 - le64_to_cpu(counters.clock));
	}
	err = vcap_control_clock(dev, &offset, &counters);
	if (err)
		return err;
	dev->clock_offset = offset;
	WRITE_ONCE(dev->clock_checked, jiffies);
	return 0;
}

/*
 * Does the offset agree with one reading of the device's clock? The reading was
 * made between two of CLOCK_REALTIME, so the true offset is in an interval. If
 * the one in use is not, somebody set the guest's clock, or it drifted.
 */
static bool offset_agrees(const struct vcap_dev *dev, u64 before, u64 after,
			  u64 clock)
{
	return dev->clock_offset >= (s64)(before - clock) &&
	       dev->clock_offset <= (s64)(after - clock);
}

/**
 * vcap_clock_check() - compare the clocks by a reading, and set the offset anew
 * @dev: the device
 * @before: CLOCK_REALTIME before the device's clock was read, ns
 * @after: and after it
 * @clock: the reading
 */
void vcap_clock_check(struct vcap_dev *dev, u64 before, u64 after, u64 clock)
{
	mutex_lock(&dev->listen_lock);
	if (!offset_agrees(dev, before, after, clock))
		vcap_clock_set(dev);
	else
		WRITE_ONCE(dev->clock_checked, jiffies);
	mutex_unlock(&dev->listen_lock);
}

/** vcap_clock_refresh() - the same, if the last check is over a second old */
void vcap_clock_refresh(struct vcap_dev *dev)
{
	struct virtio_capture_counters counters;
	u64 before, after;

	if (time_before(jiffies, READ_ONCE(dev->clock_checked) + HZ))
		return;
	before = ktime_get_real_ns();
	if (vcap_control_clock(dev, NULL, &counters))
		return;
	after = ktime_get_real_ns();
	vcap_clock_check(dev, before, after, le64_to_cpu(counters.clock));
}
