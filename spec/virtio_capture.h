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

/* Feature bits. */
#define VIRTIO_CAPTURE_F_NIC_PCI	0	/* the NIC's place on PCI is told */

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
 * The rest is there with VIRTIO_CAPTURE_F_NIC_PCI only, and zeros unless @status
 * has VIRTIO_CAPTURE_S_PCI:
 *
 * @pci_segment: the PCI segment group of the tapped NIC's function
 * @pci_bus: its bus, as the driver's side has numbered it
 * @pci_devfn: its device number, times 8, plus its function number
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
};

/* Size of the configuration space without VIRTIO_CAPTURE_F_NIC_PCI. */
#define VIRTIO_CAPTURE_CONFIG_BASE	20

#define VIRTIO_CAPTURE_S_NIC		1	/* a NIC uses the tapped netdev */
#define VIRTIO_CAPTURE_S_LINK_UP	2	/* its link is up */
#define VIRTIO_CAPTURE_S_PCI		4	/* it is the PCI function told */

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
 *           want of a buffer, as it was when it captured this frame
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

/*
 * LISTEN: struct virtio_capture_listen; no reply of its own.
 * Replaces what the device captures from now on. The frames that crossed
 * before stay captured under the old rules; the buffer in progress goes on.
 */
#define VIRTIO_CAPTURE_C_LISTEN		1

/**
 * struct virtio_capture_listen - what all listeners together want
 * @snaplen: capture at most this many bytes of a frame; 0: capture nothing,
 *           take the tap out of the NIC's path, complete the buffer in progress
 * @flags: VIRTIO_CAPTURE_L_* bits; an unknown one is an error
 * @delay: complete a buffer that holds records at the latest so many
 *         microseconds after its first one; 0: at the end of the event loop's
 *         iteration that brought it; VIRTIO_CAPTURE_DELAY_NONE: not for its
 *         age. The last buffer that the driver gave may be kept for a
 *         second.
 * @reserved: zero
 */
struct virtio_capture_listen {
	__le32 snaplen;
	__le32 flags;
	__le32 delay;
	__le32 reserved;
};

#define VIRTIO_CAPTURE_L_RECEIVED	0x0001	/* frames that the NIC receives */
#define VIRTIO_CAPTURE_L_SENT		0x0002	/* frames that the NIC sends */
#define VIRTIO_CAPTURE_L_PROMISC	0x0004	/* received ones for others, too */
#define VIRTIO_CAPTURE_L_NANOSECONDS	0x0008	/* subsec of the records */
#define VIRTIO_CAPTURE_L_ALL		0x000f

#define VIRTIO_CAPTURE_DELAY_NONE	0xffffffffU

/*
 * FLUSH: no structure of its own; replies struct virtio_capture_counters.
 * A barrier: the device completes the buffer in progress before it answers,
 * and every frame that the NIC had received or transmitted before the command
 * was made available is then in a used buffer or in a count.
 */
#define VIRTIO_CAPTURE_C_FLUSH		2

/**
 * struct virtio_capture_counters - reply to FLUSH and CLOCK
 * @clock: the device's clock when it wrote the reply, ns. It never goes back
 *         and stands still while the virtual machine is stopped.
 * @captured: frames put into buffers since the device was reset
 * @dropped: frames that were to be captured and found no buffer, since then
 */
struct virtio_capture_counters {
	__le64 clock;
	__le64 captured;
	__le64 dropped;
};

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
