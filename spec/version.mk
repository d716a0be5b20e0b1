# SPDX-License-Identifier: BSD-2-Clause
# The version of all parts, and the day it is of; Makefiles and Kbuild read it.
# Packages have that day as the time of their files, so that they are the same
# whenever they are built.
VIRTIO_CAPTURE_VERSION := 0.1
VIRTIO_CAPTURE_DATE := 2026-11-30
