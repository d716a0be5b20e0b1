/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Virtio Capture Device: the interface between device and driver.
 *
 * Both sides include this file; spec/capture-device.md specifies it. All fields
 * are little-endian. No structure has padding. The sender sets reserved fields
 * to zero, and the receiver ignores them.
 */
#ifndef VIRTIO_CAPTURE_H
#define VIRTIO_CAPTURE_H

#include <linux/types.h>

/* Virtio device ID (PCI 1af4:107f). Modern devices only. */
#define VIRTIO_ID_CAPTURE		63

/* Virtqueues. */
#define VIRTIO_CAPTURE_VQ_CAPTURE	0	/* device-writable buffers */
#define VIRTIO_CAPTURE_VQ_CONTROL	1	/* command, then reply */
#define VIRTIO_CAPTURE_VQ_INJECT	2	/* frame to send, then reply */
#define VIRTIO_CAPTURE_NUM_VQS		3

/*
 * With VIRTIO_CAPTURE_F_LISTENER_QUEUES: listener 0 uses the capture queue, and
 * each listener from 1 on has a queue of its own, after these three.
 */
#define VIRTIO_CAPTURE_VQ_LISTENER(listener) \
	(VIRTIO_CAPTURE_NUM_VQS - 1 + (listener))
#define VIRTIO_CAPTURE_MAX_LISTENER_QUEUES	64

/* Feature bits. */
#define VIRTIO_CAPTURE_F_NIC_PCI	0	/* configuration: NIC's PCI address */
#define VIRTIO_CAPTURE_F_FILTER		1	/* the device runs programs */
#define VIRTIO_CAPTURE_F_LISTENER_QUEUES 2	/* requires FILTER */

/**
 * struct virtio_capture_config - device configuration space, read-only
 * @mac: the tapped NIC's permanent MAC address; zeros without a NIC
 * @status: VIRTIO_CAPTURE_S_* bits
 * @link_type: LINKTYPE_ (DLT_) number of the captured frames; 1 is Ethernet
 * @mtu: largest payload of a frame to inject, without link-layer header, bytes
 * @max_frame: maximum length of a captured frame, bytes. A capture buffer with
 *             room for a record of such a frame (VIRTIO_CAPTURE_RECORD_HDRLEN
 *             more) never truncates a frame.
 *
 * These exist with VIRTIO_CAPTURE_F_NIC_PCI only, and are zero unless @status
 * has VIRTIO_CAPTURE_S_PCI:
 *
 * @pci_segment: PCI segment group of the tapped NIC's function
 * @pci_bus: its bus number, as assigned by the guest
 * @pci_devfn: its device number times 8, plus its function number
 *
 * These exist with VIRTIO_CAPTURE_F_LISTENER_QUEUES only:
 *
 * @listener_queues: number of listeners with a queue of their own, 1 to
 *                   VIRTIO_CAPTURE_MAX_LISTENER_QUEUES
 * @reserved: zero
 */
struct virtio_capture_config {
	__u8 mac[6];
	__le16 status;
	__le32 link_type;
	__le32 mtu;
	__le32 max_frame;
	__le16 pci_segment;
	__u8 pci_bus;
	__u8 pci_devfn;
	__le16 listener_queues;
	__le16 reserved;
};

/*
 * Size of the configuration space without VIRTIO_CAPTURE_F_LISTENER_QUEUES, and
 * without VIRTIO_CAPTURE_F_NIC_PCI as well.
 */
#define VIRTIO_CAPTURE_CONFIG_PCI	24
#define VIRTIO_CAPTURE_CONFIG_BASE	20

#define VIRTIO_CAPTURE_S_NIC		1	/* a NIC uses the tapped netdev */
#define VIRTIO_CAPTURE_S_LINK_UP	2	/* its link is up */
#define VIRTIO_CAPTURE_S_PCI		4	/* the PCI address is valid */
#define VIRTIO_CAPTURE_S_OFF		8	/* the host switched capture off */

#define VIRTIO_CAPTURE_LINK_ETHERNET	1

/**
 * struct virtio_capture_record - header of one captured frame in a buffer
 * @sec: time at which the frame crossed the tap: seconds
 * @subsec: the rest of that time in microseconds, or in nanoseconds with
 *          VIRTIO_CAPTURE_R_NANOSECONDS
 * @caplen: bytes of the frame that follow the header
 * @datalen: length of the frame on the wire, bytes; at least @caplen
 * @hdrlen: offset from this header to the frame, VIRTIO_CAPTURE_RECORD_HDRLEN
 * @flags: VIRTIO_CAPTURE_R_* bits
 * @dropped: low 32 bits of the listener's count of dropped frames when this
 *           frame was captured
 *
 * The first 26 bytes are /dev/bpf's struct bpf_hdr of a little-endian LP64
 * system. Every record starts at a multiple of 8 bytes from the start of the
 * buffer, and the space between two records is filled with zeros. The used
 * length of a buffer is a multiple of 8.
 */
struct virtio_capture_record {
	__le64 sec;
	__le64 subsec;
	__le32 caplen;
	__le32 datalen;
	__le16 hdrlen;
	__le16 flags;
	__le32 dropped;
};

#define VIRTIO_CAPTURE_RECORD_HDRLEN	32
#define VIRTIO_CAPTURE_RECORD_ALIGN	8

/* Bytes that a record with caplen bytes of a frame occupies in a buffer. */
#define VIRTIO_CAPTURE_RECORD_SIZE(caplen) \
	((VIRTIO_CAPTURE_RECORD_HDRLEN + (caplen) + \
	  VIRTIO_CAPTURE_RECORD_ALIGN - 1) & \
	 ~(VIRTIO_CAPTURE_RECORD_ALIGN - 1))

#define VIRTIO_CAPTURE_R_SENT		0x0001	/* sent by the guest's NIC */
#define VIRTIO_CAPTURE_R_OTHERHOST	0x0002	/* rejected by the receive filter */
#define VIRTIO_CAPTURE_R_NEEDS_CSUM	0x0004	/* checksum not yet filled in */
#define VIRTIO_CAPTURE_R_NANOSECONDS	0x0008	/* unit of subsec */

/**
 * struct virtio_capture_ctrl - start of every control command (device-readable)
 * @command: VIRTIO_CAPTURE_C_*
 * @reserved: zero
 *
 * The command's own structure, if it has one, follows. The device writes the
 * reply to the device-writable part of the same buffer: struct
 * virtio_capture_reply, then the command's own reply. With a status other than
 * OK only the former is written.
 */
struct virtio_capture_ctrl {
	__le32 command;
	__le32 reserved;
};

/**
 * struct virtio_capture_reply - start of every reply (device-writable)
 * @status: VIRTIO_CAPTURE_E_*
 * @reserved: zero
 */
struct virtio_capture_reply {
	__le32 status;
	__le32 reserved;
};

#define VIRTIO_CAPTURE_E_OK		0
#define VIRTIO_CAPTURE_E_UNKNOWN	1	/* unknown command */
#define VIRTIO_CAPTURE_E_INVALID	2	/* wrong length, or invalid value */
#define VIRTIO_CAPTURE_E_GONE		3	/* the tapped netdev is gone */
#define VIRTIO_CAPTURE_E_OFF		4	/* the host switched capture off */

/*
 * LISTEN: struct virtio_capture_listen; no reply of its own.
 * Sets the parameters of a listener. They apply to frames that cross the tap
 * afterwards; the device continues to fill the buffer in progress. With a
 * @snaplen of 0 the device also uses every buffer of a listener's own queue,
 * with a used length of 0 if it holds no record.
 */
#define VIRTIO_CAPTURE_C_LISTEN		1

/**
 * struct virtio_capture_listen - the parameters of a listener
 * @snaplen: maximum bytes of a frame to capture; 0: capture nothing, use the
 *           buffer in progress, and remove the tap from the NIC's path if no
 *           other listener is active
 * @flags: VIRTIO_CAPTURE_L_* bits; unknown bits are an error
 * @delay: use a buffer at most this many microseconds after its first record
 *         was written; 0: at the end of that main loop iteration;
 *         VIRTIO_CAPTURE_DELAY_NONE: no limit. If no other buffer is
 *         available, the device may keep the buffer for up to a second; in a
 *         listener's own queue it keeps it until another one is available.
 * @listener: number of the listener; reserved without
 *            VIRTIO_CAPTURE_F_LISTENER_QUEUES
 */
struct virtio_capture_listen {
	__le32 snaplen;
	__le32 flags;
	__le32 delay;
	__le32 listener;
};

#define VIRTIO_CAPTURE_L_RECEIVED	0x0001	/* frames that the NIC receives */
#define VIRTIO_CAPTURE_L_SENT		0x0002	/* frames that the NIC sends */
#define VIRTIO_CAPTURE_L_PROMISC	0x0004	/* received for other hosts, too */
#define VIRTIO_CAPTURE_L_NANOSECONDS	0x0008	/* unit of subsec in records */
#define VIRTIO_CAPTURE_L_ALL		0x000f

#define VIRTIO_CAPTURE_DELAY_NONE	0xffffffffU

/*
 * FLUSH: struct virtio_capture_flush with VIRTIO_CAPTURE_F_LISTENER_QUEUES,
 * otherwise no structure of its own; the reply is struct
 * virtio_capture_counters.
 * A barrier: when the device replies, every frame that the NIC had received or
 * transmitted before the command was made available is in a buffer of the
 * listener or counted as dropped. Before it replies, the device uses the buffer
 * in progress, except for the last available buffer of a listener's own queue.
 */
#define VIRTIO_CAPTURE_C_FLUSH		2

/**
 * struct virtio_capture_flush - parameters of FLUSH
 * @listener: number of the listener
 * @flags: one of VIRTIO_CAPTURE_FLUSH_*, or 0; both bits together, or unknown
 *         bits, are an error
 */
struct virtio_capture_flush {
	__le32 listener;
	__le32 flags;
};

#define VIRTIO_CAPTURE_FLUSH_KEEP	0x0001	/* keep the buffer in progress */
#define VIRTIO_CAPTURE_FLUSH_DISCARD	0x0002	/* discard the records in it */
#define VIRTIO_CAPTURE_FLUSH_ALL	0x0003

/**
 * struct virtio_capture_counters - reply to FLUSH, CLOCK and FILTER
 * @clock: device clock when the reply was written, ns. It is monotonic, and
 *         stops while the virtual machine is stopped.
 * @captured: frames written to buffers since the reset
 * @dropped: wanted frames that were dropped since the reset, as no buffer had
 *           room
 *
 * The rest exists with VIRTIO_CAPTURE_F_FILTER only:
 *
 * @seen: frames that the program was run on since the reset, or that it would
 *        have been run on if there were one
 * @used: buffers of the listener's queue that the device has used since the
 *        reset. The frames in these crossed the tap before the command was
 *        executed, and those in later buffers after it.
 *
 * All except @clock are counts of one listener: the command's, or listener 0 in
 * the reply to CLOCK.
 */
struct virtio_capture_counters {
	__le64 clock;
	__le64 captured;
	__le64 dropped;
	__le64 seen;
	__le64 used;
};

/* Size of the counters without VIRTIO_CAPTURE_F_FILTER. */
#define VIRTIO_CAPTURE_COUNTERS_BASE	24

/*
 * CLOCK: struct virtio_capture_clock; the reply is struct
 * virtio_capture_counters. The device replies without delay, as the round-trip
 * time limits the error of a clock comparison.
 */
#define VIRTIO_CAPTURE_C_CLOCK		3

/**
 * struct virtio_capture_clock - parameters of CLOCK
 * @offset: signed, ns; a record's time is the device's clock plus this
 * @flags: VIRTIO_CAPTURE_CLOCK_SET to set the offset, 0 to keep it
 * @reserved: zero
 */
struct virtio_capture_clock {
	__le64 offset;
	__le32 flags;
	__le32 reserved;
};

#define VIRTIO_CAPTURE_CLOCK_SET	0x0001

/*
 * FILTER, with VIRTIO_CAPTURE_F_FILTER: struct virtio_capture_filter, followed
 * by the program; the reply is struct virtio_capture_counters. For the listener
 * the device then captures only frames that the program accepts, and at most as
 * many bytes of a frame as it returns. The device continues to fill the buffer
 * in progress.
 */
#define VIRTIO_CAPTURE_C_FILTER		4

/**
 * struct virtio_capture_insn - an instruction of the BSD packet filter
 * @code: class, mode, size or operation, as in bpf(4)
 * @jt: instructions to skip if a condition is true
 * @jf: instructions to skip if it is false
 * @k: constant
 */
struct virtio_capture_insn {
	__le16 code;
	__u8 jt;
	__u8 jf;
	__le32 k;
};

/**
 * struct virtio_capture_filter - the program of a listener
 * @listener: number of the listener; reserved without
 *            VIRTIO_CAPTURE_F_LISTENER_QUEUES
 * @flags: VIRTIO_CAPTURE_FILTER_* bits; unknown bits are an error
 * @count: number of struct virtio_capture_insn that follow, at most
 *         VIRTIO_CAPTURE_MAX_INSNS; 0 removes the program: every frame is
 *         accepted
 * @reserved: zero
 */
struct virtio_capture_filter {
	__le32 listener;
	__le32 flags;
	__le32 count;
	__le32 reserved;
};

#define VIRTIO_CAPTURE_MAX_INSNS	512

/* Discard the records in the buffer in progress at the same moment. */
#define VIRTIO_CAPTURE_FILTER_DISCARD	0x0001
#define VIRTIO_CAPTURE_FILTER_ALL	0x0001

/**
 * struct virtio_capture_inject - start of a buffer of the inject queue
 * @flags: VIRTIO_CAPTURE_I_* bits; unknown bits are an error
 * @reserved: zero
 *
 * Device-readable. The frame follows, device-readable as well: at least the
 * link-layer header, at most that plus the mtu in the configuration. The device
 * sends it as if the tapped NIC did. It writes a struct virtio_capture_reply to
 * the device-writable part when the netdev has taken the frame: until then the
 * buffer, and those after it, are not used.
 */
struct virtio_capture_inject {
	__le32 flags;
	__le32 reserved;
};

#define VIRTIO_CAPTURE_I_SOURCE		0x0001	/* set the NIC's source address */
#define VIRTIO_CAPTURE_I_FEEDBACK	0x0002	/* the NIC receives it as well */
#define VIRTIO_CAPTURE_I_ALL		0x0003

#endif /* VIRTIO_CAPTURE_H */
