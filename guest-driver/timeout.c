// SPDX-License-Identifier: GPL-2.0
/*
 * The read timeout while no read is pending: in poll(2), select(2) and
 * epoll(7), and between the parts of a read that is interrupted by signals.
 *
 * The first wait starts it; later ones do not restart it. When it expires, the
 * descriptor behaves as in immediate mode until a read has ended. A timer
 * queues work, which performs the barrier first, so that packets that only the
 * device has are included.
 */
#include <linux/hrtimer.h>
#include <linux/workqueue.h>

#include "listener.h"
#include "model.h"
#include "timeout.h"

/* Whether the read timeout also applies to poll (net.bpf.polltimeout). */
unsigned int vcap_poll_timeout = 1;

/* Return true if the timeout runs and has expired. */
static bool is_due(const struct vcap_file *file)
{
	lockdep_assert_held(&file->lock);
	return file->timeout_end && ktime_get() >= file->timeout_end &&
	       !file->desc.gone;
}

/* Return true unless the timeout is a poll's, and those were switched off. */
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
	/* On failure, packets that the device has arrive later. */
	vcap_listener_catch_up(file);
	mutex_lock(&file->lock);
	/* Skip this if a read came first, or a later timeout was started. */
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
		/* Have the device deliver the next packet at once. */
		vcap_listener_update(file);
}

static enum hrtimer_restart timer_fn(struct hrtimer *timer)
{
	struct vcap_file *file = container_of(timer, struct vcap_file,
					      timeout_timer);

	/* Freezable: it must not send commands to a suspended device. */
	queue_work(system_freezable_wq, &file->timeout_work);
	return HRTIMER_NORESTART;
}

/** vcap_timeout_init() - initialize the timeout of a descriptor */
void vcap_timeout_init(struct vcap_file *file)
{
	hrtimer_setup(&file->timeout_timer, timer_fn, CLOCK_MONOTONIC,
		      HRTIMER_MODE_ABS);
	INIT_WORK(&file->timeout_work, work_fn);
}

/** vcap_timeout_stop() - stop the timeout, when the descriptor is closed */
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
 * vcap_timeout_poll() - start the timeout for a poll; called with lock
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
 * vcap_timeout_cancel() - stop the timeout; called with lock
 * @file: the descriptor
 *
 * Work that the timer has already queued finds that nothing is due.
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

/** vcap_timeout_begin_read() - a read starts; called with lock */
void vcap_timeout_begin_read(struct vcap_file *file)
{
	/* For a restarted read, keep the deadline of its first part. */
	if (!file->interrupted)
		vcap_timeout_cancel(file);
}

/**
 * vcap_timeout_interrupt_read() - a signal has interrupted a read
 * @file: the descriptor; lock is held
 * @deadline: of the read; KTIME_MAX: none
 *
 * If no handler runs, the kernel restarts the call, with its whole timeout.
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

/** vcap_timeout_end_read() - a read has ended without a signal; with lock */
void vcap_timeout_end_read(struct vcap_file *file)
{
	vcap_timeout_cancel(file);
	file->desc.timed_out = false;
	/* Waiters in epoll may not call poll again: start the timeout here. */
	if (!vcap_listener_readable(file) && wq_has_sleeper(&file->wait))
		vcap_timeout_poll(file);
}
