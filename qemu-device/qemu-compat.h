/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Differences between the QEMU versions for which this device can be built.
 *
 * The other files are written for the newest of these versions; everything that
 * older ones need differently is in this file only.
 */
#ifndef VIRTIO_CAPTURE_QEMU_COMPAT_H
#define VIRTIO_CAPTURE_QEMU_COMPAT_H

#include "hw/qdev-properties.h"
#include "qemu/seqlock.h"
#include "qemu/thread.h"

#if QEMU_VERSION_MAJOR == 10 && QEMU_VERSION_MINOR == 0

#include "hw/pci/pci_device.h"
#include "system/accel-ops.h"
#include "system/cpu-timers.h"
#include "system/cpu-timers-internal.h"

#define capture_class_set_props device_class_set_props

/* virtio_instance_init_common() does this. */
static inline void capture_alias_properties(Object *proxy, Object *device)
{
}

#define capture_access_is_direct(region, is_write) \
    memory_access_is_direct(region, is_write, MEMTXATTRS_UNSPECIFIED)

#elif QEMU_VERSION_MAJOR == 7 && QEMU_VERSION_MINOR == 2

#include "hw/pci/pci.h"
#include "sysemu/accel-ops.h"
#include "sysemu/cpu-timers.h"
#include "softmmu/timers-state.h"

/* This QEMU wants a writable array that ends with an empty property. */
static inline void capture_class_add_props(DeviceClass *dc,
                                           const Property *props, size_t n)
{
    Property *copy = g_new0(Property, n + 1);

    memcpy(copy, props, n * sizeof(*props));
    device_class_set_props(dc, copy);
}

#define capture_class_set_props(dc, props) \
    capture_class_add_props(dc, props, ARRAY_SIZE(props))

/*
 * Give a virtio device's proxy aliases of those properties that
 * virtio_instance_init_common() leaves out: those of the device's class that
 * are not of type Property.
 */
static inline void capture_alias_properties(Object *proxy, Object *device)
{
    ObjectPropertyIterator iter;
    ObjectProperty *prop;

    object_class_property_iter_init(&iter, object_get_class(device));
    while ((prop = object_property_iter_next(&iter))) {
        if (!object_property_find(proxy, prop->name)) {
            object_property_add_alias(proxy, prop->name, device, prop->name);
        }
    }
}

#define capture_access_is_direct memory_access_is_direct

#else
#error "virtio-capture supports QEMU 7.2 and 10.0 only; see qemu-compat.h"
#endif

#endif /* VIRTIO_CAPTURE_QEMU_COMPAT_H */
