/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Definitions that the plug-in's own files share.
 */
#ifndef VIRTIO_CAPTURE_PLUGIN_H
#define VIRTIO_CAPTURE_PLUGIN_H

#define PLUGIN_NAME "virtio-capture.so"

/**
 * plugin_check_layout: check that QEMU's structures have the expected layout
 *
 * A QEMU of the right version can have been built with other options, and some
 * of these change structures. Returns false, with an error message, if a
 * structure differs.
 */
bool plugin_check_layout(void);

#endif /* VIRTIO_CAPTURE_PLUGIN_H */
