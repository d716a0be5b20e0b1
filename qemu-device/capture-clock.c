/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The times in records: the device's clock plus the driver's offset.
 */
#include "qemu/osdep.h"
#include "qemu/accel.h"
#include "capture-clock.h"

/*
 * A value of second_start that no clock value is within a second of: the clock
 * is not negative.
 */
#define NO_SECOND   (INT64_MIN / 2)

void virtio_capture_set_offset(VirtIOCapture *s, int64_t offset)
{
    s->clock_offset = offset;
    s->second_start = NO_SECOND;
}

COLD uint32_t virtio_capture_next_second(VirtIOCapture *s, int64_t now)
{
    int64_t time;
    bool exact = true;

    if (sadd64_overflow(now, s->clock_offset, &time)) {
        time = INT64_MAX; /* the clock is not negative: a positive overflow */
        exact = false;
    } else if (time < 0) {
        time = 0; /* records cannot have times before 1970 */
        exact = false;
    }
    s->second = time / NANOSECONDS_PER_SECOND;
    s->second_start = exact ? now - time % NANOSECONDS_PER_SECOND : NO_SECOND;
    return time % NANOSECONDS_PER_SECOND;
}

/*
 * Whether QEMU's virtual clock is the host's monotonic clock plus an offset,
 * and not a clock of the accelerator.
 */
static bool is_monotonic(void)
{
    const char *accel = object_get_typename(OBJECT(current_accel()));
    g_autofree char *name = g_strconcat(accel, ACCEL_OPS_SUFFIX, NULL);
    ObjectClass *ops = object_class_by_name(name);

    return use_rt_clock && ops && !ACCEL_OPS_CLASS(ops)->get_virtual_clock;
}

void virtio_capture_clock_init(VirtIOCapture *s)
{
    s->clock_is_monotonic = is_monotonic();
    virtio_capture_set_offset(s, 0);
}
