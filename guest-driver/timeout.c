// SPDX-License-Identifier: GPL-2.0
/*
 * The read timeout where no read is there to wait for it: in poll(2), select(2)
 * and epoll(7), and between the parts of a read that signals interrupted.
 *
 * The first wait starts it, and later ones do not put it off. When the time is
 * up, packets are to be had as they come, as in immediate mode, until a read
 * has ended. A timer has the work do the barrier first, so that packets which
 * only the device has count, too.
 */
#include <linux/hrtimer.h>
#include <linux/workqueue.h>

#include "listener.h"
#include "model.h"
#include "timeout.h"

/* Whether the read timeout also ends waiting in poll (net.bpf.polltimeout). */
unsigned int vcap_poll_timeout = 1;

/* Is the time up, and does somebody care? */
static bool is_due(const struct vcap_file *file)
{
	lockdep_assert_held(&file->lock);
	return file->timeout_end && ktime_get() >= file->timeout_end &&
	       !file->desc.gone;
}

/* Is it for who waits now, who may be in poll where that was turned off? */
static bool ends_waiting(const struct vcap_file *file)
{
	return file->interrupted || READ_ONCE(vcap_poll_timeout);
}

static void work_fn(struct work_struct *work)
{
	struct vcap_file *file = container_of(work, struct vcap_file,
					      timeout_work);
	bool due, wake = false;

	mutex_lock(&file->lock);
	due = is_due(file);
	if (due && !ends_waiting(file)) {
		vcap_timeout_cancel(file);
		due = false;
	}
	mutex_unlock(&file->lock);
	if (!due)
		return;
	/* What it cannot get from the device now comes soon by itself. */
	vcap_listener_catch_up(file);
	mutex_lock(&file->lock);
	/* Unless a read came first, or a later timeout began. */
	if (is_due(file)) {
		file->desc.timed_out = ends_waiting(file);
		wake = vcap_listener_readable(file);
		vcap_timeout_cancel(file);
	}
	due = file->desc.timed_out;
	mutex_unlock(&file->lock);
	if (wake)
		vcap_listener_wake(file);
	else if (due)
		/* The next packet is to come at once. */
		vcap_listener_update(file);
}

static enum hrtimer_restart timer_fn(struct hrtimer *timer)
{
	struct vcap_file *file = container_of(timer, struct vcap_file,
					      timeout_timer);

	/* Freezable: no command to a device that is suspended. */
	queue_work(system_freezable_wq, &file->timeout_work);
	return HRTIMER_NORESTART;
}

/** vcap_timeout_init() - for a descriptor that is being opened */
void vcap_timeout_init(struct vcap_file *file)
{
	hrtimer_setup(&file->timeout_timer, timer_fn, CLOCK_MONOTONIC,
		      HRTIMER_MODE_ABS);
	INIT_WORK(&file->timeout_work, work_fn);
}

/** vcap_timeout_stop() - for one that is being closed, which nobody uses */
void vcap_timeout_stop(struct vcap_file *file)
{
	hrtimer_cancel(&file->timeout_timer);
	cancel_work_sync(&file->timeout_work);
}

static void start(struct vcap_file *file, ktime_t end)
{
	file->timeout_end = end;
	hrtimer_start(&file->timeout_timer, end, HRTIMER_MODE_ABS);
}

/**
 * vcap_timeout_poll() - somebody waits in poll; called with lock
 * @file: the descriptor, which is not readable
 */
void vcap_timeout_poll(struct vcap_file *file)
{
	lockdep_assert_held(&file->lock);
	if (file->timeout && !file->timeout_end && !file->desc.timed_out &&
	    READ_ONCE(vcap_poll_timeout))
		start(file, ktime_add(ktime_get(), file->timeout));
}

/**
 * vcap_timeout_cancel() - nobody waits any more, or anew; called with lock
 * @file: the descriptor
 *
 * A work that the timer has already scheduled finds nothing due.
 */
void vcap_timeout_cancel(struct vcap_file *file)
{
	lockdep_assert_held(&file->lock);
	file->interrupted = false;
	if (!file->timeout_end)
		return;
	file->timeout_end = 0;
	hrtimer_cancel(&file->timeout_timer);
}

/** vcap_timeout_begin_read() - a read waits by itself now; called with lock */
void vcap_timeout_begin_read(struct vcap_file *file)
{
	/* If it is the same read again, its first time counts, too. */
	if (!file->interrupted)
		vcap_timeout_cancel(file);
}

/**
 * vcap_timeout_interrupt_read() - a signal ends a read, or interrupts it
 * @file: the descriptor; lock is held
 * @deadline: of the read; KTIME_MAX: none
 *
 * If no handler runs the kernel makes the call again, with all of its timeout.
 */
void vcap_timeout_interrupt_read(struct vcap_file *file, ktime_t deadline)
{
	lockdep_assert_held(&file->lock);
	if (deadline == KTIME_MAX || file->desc.timed_out)
		return;
	file->interrupted = true;
	if (!file->timeout_end || deadline < file->timeout_end)
		start(file, deadline);
}

/** vcap_timeout_end_read() - a read has ended otherwise; called with lock */
void vcap_timeout_end_read(struct vcap_file *file)
{
	vcap_timeout_cancel(file);
	file->desc.timed_out = false;
	/* A waiter in epoll need not call poll again: start its timeout here. */
	if (!vcap_listener_readable(file) && wq_has_sleeper(&file->wait))
		vcap_timeout_poll(file);
}
