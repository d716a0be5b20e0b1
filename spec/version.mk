# SPDX-License-Identifier: BSD-2-Clause
# The version of all parts, and its date; Makefiles and Kbuild include this.
# Files in packages have that date as their time stamp, so that packages are
# reproducible.
VIRTIO_CAPTURE_VERSION := 0.1
VIRTIO_CAPTURE_DATE := 2026-11-30
