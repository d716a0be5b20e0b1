/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Check that QEMU's structures have the layout of the headers that the plug-in
 * was built with.
 *
 * QEMU does not export the sizes of its types. But it exports the offsets of
 * members with properties, and those of a derived type are after the end of its
 * parent type.
 */
#include "qemu/osdep.h"
#include "qapi/error.h"
#include "hw/qdev-properties.h"
#include "hw/virtio/virtio-pci.h"
#include "hw/virtio/virtio-rng.h"
#include "net/filter.h"
#include "plugin.h"

/* Types of QEMU objects that can be created without anything else. */
#define PROBE_DEVICE "virtio-rng-pci"
#define PROBE_FILTER "filter-buffer"

static void report_mismatch(const char *type, const char *member,
                            ptrdiff_t found, size_t expected)
{
    fprintf(stderr, PLUGIN_NAME ": this QEMU has the right version, but was "
            "built with other options: its '%s' has '%s' at byte %td, not "
            "%zu\n",
            type, member, found, expected);
}

static bool check_type(const char *type)
{
    if (object_class_by_name(type)) {
        return true;
    }
    fprintf(stderr, PLUGIN_NAME ": this QEMU has no '%s', which the device "
            "needs\n", type);
    return false;
}

static bool check_property(const char *type, const char *name, size_t expected)
{
    ObjectClass *class = object_class_by_name(type);
    ObjectProperty *property = object_class_property_find(class, name);
    const Property *member = property ? property->opaque : NULL;
    ptrdiff_t found = member ? member->offset : -1;

    if (found != expected) {
        report_mismatch(type, name, found, expected);
        return false;
    }
    return true;
}

static bool check_properties(void)
{
    static const struct {
        const char *type;
        const char *property;
        size_t offset;
    } members[] = {
        /* After all of DeviceState, and at the end of PCIDevice. */
        { TYPE_PCI_DEVICE, "addr", offsetof(PCIDevice, devfn) },
        { TYPE_PCI_DEVICE, "acpi-index", offsetof(PCIDevice, acpi_index) },
        /* After all of PCIDevice. */
        { TYPE_VIRTIO_PCI, "ats", offsetof(VirtIOPCIProxy, flags) },
        { PROBE_DEVICE, "vectors", offsetof(VirtIOPCIProxy, nvectors) },
        { TYPE_VIRTIO_DEVICE, "use-started",
          offsetof(VirtIODevice, use_started) },
        /* After all of VirtIODevice. */
        { TYPE_VIRTIO_RNG, "period", offsetof(VirtIORNG, conf.period_ms) },
    };
    size_t i;

    for (i = 0; i < ARRAY_SIZE(members); i++) {
        if (!check_type(members[i].type) ||
            !check_property(members[i].type, members[i].property,
                            members[i].offset)) {
            return false;
        }
    }
    return true;
}

/* The virtio device embedded in a PCI device is after VirtIOPCIProxy. */
static bool check_proxy(void)
{
    Object *device = object_new(PROBE_DEVICE);
    Object *part = object_resolve_path_component(device, "virtio-backend");
    ptrdiff_t found = part ? (char *)part - (char *)device : -1;

    object_unref(device);
    if (found != sizeof(VirtIOPCIProxy)) {
        report_mismatch(PROBE_DEVICE, "virtio-backend", found,
                        sizeof(VirtIOPCIProxy));
        return false;
    }
    return true;
}

/* The part of a filter-buffer object to compare: up to "interval", and more. */
#define FILTER_BYTES    (sizeof(NetFilterState) + 2 * sizeof(void *))

/*
 * Find the offset of a filter's property by setting two values that differ in
 * one byte. A filter is not a device, so its properties do not have an offset.
 */
static ptrdiff_t find_in_filter(const char *property, const char *from,
                                const char *to)
{
    Object *filter = object_new(PROBE_FILTER);
    char before[FILTER_BYTES];
    const char *after = (const char *)filter;
    ptrdiff_t found = -1;
    size_t i, changed = 0;

    object_property_parse(filter, property, from, &error_abort);
    memcpy(before, filter, sizeof(before));
    object_property_parse(filter, property, to, &error_abort);
    for (i = 0; i < sizeof(before); i++) {
        if (before[i] != after[i]) {
            found = i;
            changed++;
        }
    }
    object_unref(filter);
    return changed == 1 ? found : -1;
}

static bool check_filter(void)
{
    static const struct {
        const char *property, *from, *to;
        size_t offset;
    } members[] = {
        { "status", "on", "off", offsetof(NetFilterState, on) },
        { "insert", "behind", "before",
          offsetof(NetFilterState, insert_before_flag) },
        /* After all of NetFilterState, and a pointer. */
        { "interval", "1", "2", sizeof(NetFilterState) + sizeof(void *) },
    };
    ptrdiff_t found;
    size_t i;

    if (!check_type(PROBE_FILTER)) {
        return false;
    }
    for (i = 0; i < ARRAY_SIZE(members); i++) {
        found = find_in_filter(members[i].property, members[i].from,
                               members[i].to);
        if (found != members[i].offset) {
            report_mismatch(PROBE_FILTER, members[i].property, found,
                            members[i].offset);
            return false;
        }
    }
    return true;
}

bool plugin_check_layout(void)
{
    return check_properties() && check_proxy() && check_filter();
}
