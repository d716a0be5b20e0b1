// SPDX-License-Identifier: GPL-2.0
/*
 * The offset from the device's clock to the guest's CLOCK_REALTIME.
 *
 * The device adds it to the time of each record, so that records contain the
 * guest's time. It is measured as in NTP: the device's clock is read between
 * two readings of the guest's. The shorter the round trip, the smaller the
 * error.
 */
#include <linux/jiffies.h>
#include <linux/ktime.h>

#include "clock.h"

#define ROUNDS	4

/** vcap_clock_init() - initialize an offset that is not known yet */
void vcap_clock_init(struct vcap_clock *clock)
{
	mutex_init(&clock->lock);
	clock->asked = jiffies - HZ;
}

/* Measure the offset and send it to the device. Called with the lock. */
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
		/* Ignore a longer round trip, or a clock that was set back. */
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
 * vcap_clock_set() - measure the offset and send it to the device
 * @clock: the offset
 * @control: the control queue of the device
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
 * Check the offset against a reading of the device's clock that was made
 * between two readings of CLOCK_REALTIME, which bound the true offset. If the
 * current offset is outside these bounds, the guest's clock was set, or it
 * drifted.
 */
static bool agrees(const struct vcap_clock *clock, u64 before, u64 after,
		   u64 reading)
{
	return clock->offset >= (s64)(before - reading) &&
	       clock->offset <= (s64)(after - reading);
}

/**
 * vcap_clock_check() - check the offset by a reading, and set it if it is wrong
 * @clock: the offset
 * @control: the control queue of the device
 * @before: CLOCK_REALTIME before the device's clock was read, ns
 * @after: CLOCK_REALTIME after the device's clock was read, ns
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
 * vcap_clock_is_due() - return true if vcap_clock_refresh() is to be called
 * @clock: the offset
 *
 * Return: true at most once a second.
 */
bool vcap_clock_is_due(struct vcap_clock *clock)
{
	if (!is_old(clock) ||
	    time_before(jiffies, READ_ONCE(clock->asked) + HZ))
		return false;
	WRITE_ONCE(clock->asked, jiffies);
	return true;
}

/** vcap_clock_refresh() - check the offset if the last check is a second old */
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
