/* SPDX-License-Identifier: GPL-2.0 */
/* Tracepoints of the driver, documented in virtio_capture(4). */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM virtio_capture

#if !defined(VCAP_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define VCAP_TRACE_H

#include <linux/tracepoint.h>

#include "device.h"
#include "model.h"

DECLARE_EVENT_CLASS(virtio_capture_descriptor,
		    TP_PROTO(const struct vcap_file *file),
		    TP_ARGS(file),
		    TP_STRUCT__entry(__array(char, dev, IFNAMSIZ)
				     __array(char, buffers, 16)
				     __field(int, pid)
				     __field(u32, listener)
				     __field(u32, size)),
		    TP_fast_assign(strscpy(__entry->dev,
					   vcap_dev_name(file->dev), IFNAMSIZ);
				   strscpy(__entry->buffers, file->model->name,
					   16);
				   __entry->pid = READ_ONCE(file->pid);
				   __entry->listener = file->lq ?
					file->lq->slot->listener : 0;
				   __entry->size = file->desc.size;),
		    TP_printk("dev=%s pid=%d buffers=%s listener=%u size=%u",
			      __entry->dev, __entry->pid, __entry->buffers,
			      __entry->listener, __entry->size)
);

/* A descriptor was attached; @listener: 0 without a listener queue. */
DEFINE_EVENT(virtio_capture_descriptor, virtio_capture_attach,
	     TP_PROTO(const struct vcap_file *file), TP_ARGS(file));

/* A descriptor is about to be detached. */
DEFINE_EVENT(virtio_capture_descriptor, virtio_capture_detach,
	     TP_PROTO(const struct vcap_file *file), TP_ARGS(file));

/* A used buffer was taken; @listener: 0 for the shared queue. */
TRACE_EVENT(virtio_capture_buffer_used,
	    TP_PROTO(const struct vcap_dev *dev, u32 listener, u32 len),
	    TP_ARGS(dev, listener, len),
	    TP_STRUCT__entry(__array(char, dev, IFNAMSIZ)
			     __field(u32, listener)
			     __field(u32, len)),
	    TP_fast_assign(strscpy(__entry->dev, dev->name, IFNAMSIZ);
			   __entry->listener = listener;
			   __entry->len = len;),
	    TP_printk("dev=%s listener=%u len=%u", __entry->dev,
		      __entry->listener, __entry->len)
);

/* The driver has rotated buffers that it fills; @len: of the hold buffer. */
TRACE_EVENT(virtio_capture_rotate,
	    TP_PROTO(const struct vcap_file *file, u32 len),
	    TP_ARGS(file, len),
	    TP_STRUCT__entry(__array(char, dev, IFNAMSIZ)
			     __field(int, pid)
			     __field(u32, len)),
	    TP_fast_assign(strscpy(__entry->dev, vcap_dev_name(file->dev),
				   IFNAMSIZ);
			   __entry->pid = READ_ONCE(file->pid);
			   __entry->len = len;),
	    TP_printk("dev=%s pid=%d len=%u", __entry->dev, __entry->pid,
		      __entry->len)
);

/* The driver or the device has dropped packets of a descriptor. */
TRACE_EVENT(virtio_capture_drop,
	    TP_PROTO(const struct vcap_file *file, u64 count),
	    TP_ARGS(file, count),
	    TP_STRUCT__entry(__array(char, dev, IFNAMSIZ)
			     __field(int, pid)
			     __field(u64, count)),
	    TP_fast_assign(strscpy(__entry->dev, vcap_dev_name(file->dev),
				   IFNAMSIZ);
			   __entry->pid = READ_ONCE(file->pid);
			   __entry->count = count;),
	    TP_printk("dev=%s pid=%d count=%llu", __entry->dev, __entry->pid,
		      __entry->count)
);

#endif /* VCAP_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
