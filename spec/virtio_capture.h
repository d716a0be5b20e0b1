/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Virtio Capture Device: everything that crosses between device and driver.
 *
 * Both sides include this file; spec/capture-device.md explains it. All fields
 * are little-endian. No structure has padding: reserved fields are named, the
 * sender sets them to zero and the receiver ignores them.
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
 * With VIRTIO_CAPTURE_F_LISTENER_QUEUES: listener 0 has the capture queue, and
 * each listener from 1 on has a queue of its own, behind the other three.
 */
#define VIRTIO_CAPTURE_VQ_LISTENER(listener) \
	(VIRTIO_CAPTURE_NUM_VQS - 1 + (listener))
#define VIRTIO_CAPTURE_MAX_LISTENER_QUEUES	64

/* Feature bits. */
#define VIRTIO_CAPTURE_F_NIC_PCI	0	/* the NIC's place on PCI is told */
#define VIRTIO_CAPTURE_F_FILTER		1	/* the device runs programs */
#define VIRTIO_CAPTURE_F_LISTENER_QUEUES 2	/* needs FILTER */

/**
 * struct virtio_capture_config - device configuration space, read-only
 * @mac: the tapped NIC's permanent MAC address; zeros without a NIC
 * @status: VIRTIO_CAPTURE_S_* bits
 * @link_type: LINKTYPE_ (DLT_) number of the captured frames; 1 is Ethernet
 * @mtu: largest payload of a frame to inject, without link-layer header, bytes
 * @max_frame: no frame that the device captures is longer than this, bytes.
 *             A capture buffer that holds a record of such a frame
 *             (VIRTIO_CAPTURE_RECORD_HDRLEN more) never truncates one.
 *
 * These are there with VIRTIO_CAPTURE_F_NIC_PCI only, and zeros unless @status has
 * VIRTIO_CAPTURE_S_PCI:
 *
 * @pci_segment: the PCI segment group of the tapped NIC's function
 * @pci_bus: its bus, as the driver's side has numbered it
 * @pci_devfn: its device number, times 8, plus its function number
 *
 * And these with VIRTIO_CAPTURE_F_LISTENER_QUEUES only:
 *
 * @listener_queues: how many listeners have a queue of their own, 1 to
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
#define VIRTIO_CAPTURE_S_PCI		4	/* it is the PCI function told */
#define VIRTIO_CAPTURE_S_OFF		8	/* the host switched capture off */

#define VIRTIO_CAPTURE_LINK_ETHERNET	1

/**
 * struct virtio_capture_record - header of one captured frame in a buffer
 * @sec: time at which the frame crossed the tap: seconds
 * @subsec: and microseconds, or nanoseconds with VIRTIO_CAPTURE_R_NANOSECONDS
 * @caplen: bytes of the frame that follow the header
 * @datalen: length of the frame on the wire, bytes; at least @caplen
 * @hdrlen: offset from this header to the frame, VIRTIO_CAPTURE_RECORD_HDRLEN
 * @flags: VIRTIO_CAPTURE_R_* bits
 * @dropped: low 32 bits of the device's count of frames that it dropped for
 *           want of a buffer, as it was when it captured this frame; of those
 *           for this listener
 *
 * The first 26 bytes are /dev/bpf's struct bpf_hdr of a little-endian LP64
 * system. Every record starts at a multiple of 8 bytes from the start of the
 * buffer, and zeros fill the space between two records. The used length of a
 * buffer is a multiple of 8.
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

/* Bytes that a record with caplen bytes of frame takes in a buffer. */
#define VIRTIO_CAPTURE_RECORD_SIZE(caplen) \
	((VIRTIO_CAPTURE_RECORD_HDRLEN + (caplen) + \
	  VIRTIO_CAPTURE_RECORD_ALIGN - 1) & \
	 ~(VIRTIO_CAPTURE_RECORD_ALIGN - 1))

#define VIRTIO_CAPTURE_R_SENT		0x0001	/* sent by the guest's NIC */
#define VIRTIO_CAPTURE_R_OTHERHOST	0x0002	/* only for promiscuous listeners */
#define VIRTIO_CAPTURE_R_NEEDS_CSUM	0x0004	/* checksum not yet filled in */
#define VIRTIO_CAPTURE_R_NANOSECONDS	0x0008	/* unit of subsec */

/**
 * struct virtio_capture_ctrl - start of every control command (device-readable)
 * @command: VIRTIO_CAPTURE_C_*
 * @reserved: zero
 *
 * The command's own structure, if it has one, follows. The device answers in
 * the same buffer's device-writable part: struct virtio_capture_reply, then
 * the command's own reply. On any status but OK only the former is written.
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
#define VIRTIO_CAPTURE_E_UNKNOWN	1	/* no such command */
#define VIRTIO_CAPTURE_E_INVALID	2	/* wrong length, or a bad field */
#define VIRTIO_CAPTURE_E_GONE		3	/* the tapped netdev is gone */
#define VIRTIO_CAPTURE_E_OFF		4	/* the host switched capture off */

/*
 * LISTEN: struct virtio_capture_listen; no reply of its own.
 * Replaces what the device captures for a listener from now on. The frames that
 * crossed before stay captured under the old rules; the buffer in progress goes
 * on. With a @snaplen of 0 the device also gives back every buffer of a
 * listener's own queue, with a used length of 0 if it holds no record.
 */
#define VIRTIO_CAPTURE_C_LISTEN		1

/**
 * struct virtio_capture_listen - what a listener wants
 * @snaplen: capture at most this many bytes of a frame; 0: capture nothing,
 *           complete the buffer in progress; the tap leaves the NIC's path when
 *           no listener is left
 * @flags: VIRTIO_CAPTURE_L_* bits; an unknown one is an error
 * @delay: complete a buffer that holds records at the latest so many
 *         microseconds after its first one; 0: at the end of the event loop's
 *         iteration that brought it; VIRTIO_CAPTURE_DELAY_NONE: not for its
 *         age. The last buffer that the driver gave may be kept for a
 *         second; in a listener's own queue it is kept until the driver gives
 *         another.
 * @listener: 0 without VIRTIO_CAPTURE_F_LISTENER_QUEUES, where it is reserved
 */
struct virtio_capture_listen {
	__le32 snaplen;
	__le32 flags;
	__le32 delay;
	__le32 listener;
};

#define VIRTIO_CAPTURE_L_RECEIVED	0x0001	/* frames that the NIC receives */
#define VIRTIO_CAPTURE_L_SENT		0x0002	/* frames that the NIC sends */
#define VIRTIO_CAPTURE_L_PROMISC	0x0004	/* received ones for others, too */
#define VIRTIO_CAPTURE_L_NANOSECONDS	0x0008	/* subsec of the records */
#define VIRTIO_CAPTURE_L_ALL		0x000f

#define VIRTIO_CAPTURE_DELAY_NONE	0xffffffffU

/*
 * FLUSH: struct virtio_capture_flush with VIRTIO_CAPTURE_F_LISTENER_QUEUES,
 * otherwise no structure of its own; replies struct virtio_capture_counters.
 * A barrier: every frame that the NIC had received or transmitted before the
 * command was made available is in a buffer of the listener's or in its counts
 * when the device answers, and before that the device completes the buffer in
 * progress. In a listener's own queue it does not complete the last buffer that
 * the driver gave.
 */
#define VIRTIO_CAPTURE_C_FLUSH		2

/**
 * struct virtio_capture_flush - whose frames, and what becomes of them
 * @listener: whose
 * @flags: VIRTIO_CAPTURE_FLUSH_* bits; an unknown one is an error, and so are
 *         both
 */
struct virtio_capture_flush {
	__le32 listener;
	__le32 flags;
};

#define VIRTIO_CAPTURE_FLUSH_KEEP	0x0001	/* the buffer in progress goes on */
#define VIRTIO_CAPTURE_FLUSH_DISCARD	0x0002	/* its records are discarded */
#define VIRTIO_CAPTURE_FLUSH_ALL	0x0003

/**
 * struct virtio_capture_counters - reply to FLUSH, CLOCK and FILTER
 * @clock: the device's clock when it wrote the reply, ns. It never goes back
 *         and stands still while the virtual machine is stopped.
 * @captured: frames put into buffers since the device was reset
 * @dropped: frames that were to be captured and found no buffer, since then
 *
 * The rest is there with VIRTIO_CAPTURE_F_FILTER only:
 *
 * @seen: frames that the program was run over, or that would have been if there
 *        were one, since the reset
 * @used: buffers of the listener's queue that the device has used, since then.
 *        The frames of all these had crossed the tap before the command was
 *        executed, and those of later ones after it.
 *
 * All but @clock are of one listener: of that of the command, and of listener 0
 * in the reply to CLOCK.
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
 * CLOCK: struct virtio_capture_clock; replies struct virtio_capture_counters,
 * at once: the round trip bounds the error of a clock comparison.
 */
#define VIRTIO_CAPTURE_C_CLOCK		3

/**
 * struct virtio_capture_clock - the offset of record times
 * @offset: signed ns; a record's time is the device's clock plus this
 * @flags: VIRTIO_CAPTURE_CLOCK_SET to set the offset, 0 to leave it
 * @reserved: zero
 */
struct virtio_capture_clock {
	__le64 offset;
	__le32 flags;
	__le32 reserved;
};

#define VIRTIO_CAPTURE_CLOCK_SET	0x0001

/*
 * FILTER, with VIRTIO_CAPTURE_F_FILTER: struct virtio_capture_filter and the
 * program behind it; replies struct virtio_capture_counters. From now on the
 * device captures for the listener those frames only that the program accepts,
 * and no more bytes of them than it returned. The buffer in progress goes on.
 */
#define VIRTIO_CAPTURE_C_FILTER		4

/**
 * struct virtio_capture_insn - an instruction of the BSD packet filter
 * @code: class, mode, size or operation, as in bpf(4)
 * @jt: instructions to skip if a condition is true
 * @jf: and if it is false
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
 * @listener: whose; 0 without VIRTIO_CAPTURE_F_LISTENER_QUEUES, where it is
 *            reserved
 * @flags: VIRTIO_CAPTURE_FILTER_* bits; an unknown one is an error
 * @count: instructions that follow, struct virtio_capture_insn, at most
 *         VIRTIO_CAPTURE_MAX_INSNS; 0: none is run, and every frame is accepted
 * @reserved: zero
 */
struct virtio_capture_filter {
	__le32 listener;
	__le32 flags;
	__le32 count;
	__le32 reserved;
};

#define VIRTIO_CAPTURE_MAX_INSNS	512

/* The records in the buffer in progress are discarded at the same moment. */
#define VIRTIO_CAPTURE_FILTER_DISCARD	0x0001
#define VIRTIO_CAPTURE_FILTER_ALL	0x0001

/**
 * struct virtio_capture_inject - start of a buffer of the inject queue
 * @flags: VIRTIO_CAPTURE_I_* bits; an unknown one is an error
 * @reserved: zero
 *
 * Device-readable, and so is the frame that follows: at least the link-layer
 * header, at most that and the configuration's mtu. The device sends it as if
 * the tapped NIC did. In the device-writable part it writes a struct
 * virtio_capture_reply, as soon as the backend has the frame: while the backend
 * takes no more, the buffers stay in the queue.
 */
struct virtio_capture_inject {
	__le32 flags;
	__le32 reserved;
};

#define VIRTIO_CAPTURE_I_SOURCE		0x0001	/* put the NIC's address in */
#define VIRTIO_CAPTURE_I_FEEDBACK	0x0002	/* the NIC gets it, too, unchanged */
#define VIRTIO_CAPTURE_I_ALL		0x0003

#endif /* VIRTIO_CAPTURE_H */
