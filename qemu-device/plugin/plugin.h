/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the plug-in's own files give each other.
 */
#ifndef VIRTIO_CAPTURE_PLUGIN_H
#define VIRTIO_CAPTURE_PLUGIN_H

#define PLUGIN_NAME "virtio-capture.so"

/**
 * plugin_check_layout: are QEMU's structures those of the headers?
 *
 * The version may be the same and the build's options not: then structures
 * that they change differ. If they do, says so.
 */
bool plugin_check_layout(void);

#endif /* VIRTIO_CAPTURE_PLUGIN_H */
