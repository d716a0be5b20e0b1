/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Loads the device into a stock QEMU, as a "TCG plug-in" that instruments
 * nothing and registers a device instead.
 *
 * The device uses QEMU's internal structures, so it must run in the very QEMU
 * that it was built for. All symbols that it wants from QEMU are weak: it can
 * be loaded into any, and says here what is wrong instead of crashing.
 */
#include "qemu/osdep.h"
#include "qapi/qapi-commands-control.h"
#include "trace/control.h"
#include "qemu/qemu-plugin.h"
#include "capture-device.h"
#include "plugin.h"
#include "trace.h"
#include "built-for.h"          /* made by the Makefile: BUILT_FOR_QEMU */

/* All are weak in the end; the compiler must know it of this one. */
#pragma weak qmp_query_version

QEMU_PLUGIN_EXPORT int qemu_plugin_version = QEMU_PLUGIN_VERSION;

/* The version and package as "qemu-system-x86_64 --version" shows them. */
static char *running_qemu(void)
{
    VersionInfo *info;
    char *version;

    if (!qmp_query_version) {
        return g_strdup("another one");
    }
    info = qmp_query_version(NULL);
    version = g_strdup_printf("%" PRId64 ".%" PRId64 ".%" PRId64 "%s%s%s",
                              info->qemu->major, info->qemu->minor,
                              info->qemu->micro,
                              *info->package ? " (" : "", info->package,
                              *info->package ? ")" : "");
    qapi_free_VersionInfo(info);
    return version;
}

static bool check_version(void)
{
    g_autofree char *running = running_qemu();

    if (strcmp(running, BUILT_FOR_QEMU)) {
        fprintf(stderr, PLUGIN_NAME ": it was built for QEMU %s, but this is "
                "QEMU %s; build it again for this one\n", BUILT_FOR_QEMU,
                running);
        return false;
    }
    return true;
}

/* QEMU calls this before it creates the devices of its command line. */
QEMU_PLUGIN_EXPORT int qemu_plugin_install(qemu_plugin_id_t id,
                                           const qemu_info_t *info,
                                           int argc, char **argv)
{
    if (!info->system_emulation) {
        fprintf(stderr, PLUGIN_NAME ": it is for system emulation, not for "
                "user-mode emulation\n");
        return -1;
    }
    if (argc) {
        fprintf(stderr, PLUGIN_NAME ": it takes no argument '%s'\n", argv[0]);
        return -1;
    }
    if (!check_version() || !plugin_check_layout()) {
        return -1;
    }
    if (object_class_by_name(TYPE_VIRTIO_CAPTURE)) {
        fprintf(stderr, PLUGIN_NAME ": it is loaded already\n");
        return -1;
    }

    virtio_capture_tap_register_types();
    virtio_capture_register_types();
    virtio_capture_pci_register_types();
    trace_event_register_group(hw_virtio_capture_trace_events);
    return 0;
}
