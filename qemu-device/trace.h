/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "trace/trace-hw_virtio_capture.h"

/* Made by tracetool, which declares it nowhere. */
extern TraceEvent *hw_virtio_capture_trace_events[];
