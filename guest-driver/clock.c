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

#include "clock.h"

#define ROUNDS	4

/** vcap_clock_init() - an offset that is not known yet */
void vcap_clock_init(struct vcap_clock *clock)
{
	mutex_init(&clock->lock);
	clock->asked = jiffies - HZ;
}

/* Measure the offset and tell the device. Called with the lock. */
static int set(struct vcap_clock *clock, struct vcap_control *control)
{
	struct vcap_counts counts;
	u64 before, after, best = U64_MAX;
	s64 offset = 0;
	int err, i;

	lockdep_assert_held(&clock->lock);
	for (i = 0; i < ROUNDS; i++) {
		before = ktime_get_real_ns();
		err = vcap_control_clock(control, NULL, &counts);
		after = ktime_get_real_ns();
		if (err)
			return err;
		/* Shorter than the best, or stepped back: nothing to learn. */
		if (after - before >= best)
			continue;
		best = after - before;
		offset = (s64)(before + best / 2 - counts.clock);
	}
	err = vcap_control_clock(control, &offset, &counts);
	if (err)
		return err;
	clock->offset = offset;
	WRITE_ONCE(clock->checked, jiffies);
	return 0;
}

/**
 * vcap_clock_set() - measure the offset and tell the device
 * @clock: the offset
 * @control: how the device's clock is read
 *
 * Return: 0 or the error of a command.
 */
int vcap_clock_set(struct vcap_clock *clock, struct vcap_control *control)
{
	int err;

	mutex_lock(&clock->lock);
	err = set(clock, control);
	mutex_unlock(&clock->lock);
	return err;
}

/*
 * Does the offset agree with one reading of the device's clock? The reading was
 * made between two of CLOCK_REALTIME, so the true offset is in an interval. If
 * the one in use is not, somebody set the guest's clock, or it drifted.
 */
static bool agrees(const struct vcap_clock *clock, u64 before, u64 after,
		   u64 reading)
{
	return clock->offset >= (s64)(before - reading) &&
	       clock->offset <= (s64)(after - reading);
}

/**
 * vcap_clock_check() - compare the clocks by a reading, and set the offset anew
 * @clock: the offset
 * @control: how the device's clock is read
 * @before: CLOCK_REALTIME before the device's clock was read, ns
 * @after: and after it
 * @reading: the device's clock, ns
 *
 * Return: 0 or the error of a command.
 */
int vcap_clock_check(struct vcap_clock *clock, struct vcap_control *control,
		     u64 before, u64 after, u64 reading)
{
	int err = 0;

	mutex_lock(&clock->lock);
	if (!agrees(clock, before, after, reading))
		err = set(clock, control);
	else
		WRITE_ONCE(clock->checked, jiffies);
	mutex_unlock(&clock->lock);
	return err;
}

static bool is_old(const struct vcap_clock *clock)
{
	return !time_before(jiffies, READ_ONCE(clock->checked) + HZ);
}

/**
 * vcap_clock_is_due() - is somebody to call vcap_clock_refresh()?
 * @clock: the offset
 *
 * Return: true once a second at the most.
 */
bool vcap_clock_is_due(struct vcap_clock *clock)
{
	if (!is_old(clock) ||
	    time_before(jiffies, READ_ONCE(clock->asked) + HZ))
		return false;
	WRITE_ONCE(clock->asked, jiffies);
	return true;
}

/** vcap_clock_refresh() - compare the clocks if the last time is a second old */
int vcap_clock_refresh(struct vcap_clock *clock, struct vcap_control *control)
{
	struct vcap_counts counts;
	u64 before, after;
	int err;

	if (!is_old(clock))
		return 0;
	before = ktime_get_real_ns();
	err = vcap_control_clock(control, NULL, &counts);
	if (err)
		return err;
	after = ktime_get_real_ns();
	return vcap_clock_check(clock, control, before, after,
				counts.clock);
}
