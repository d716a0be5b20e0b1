/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Helpers of the guest's test programs: descriptors, frames, packets.
 *
 * The guest has two NICs, eth0 and eth1, on one hub: each receives what the
 * other one sends. Test frames have an ethertype that nothing else uses.
 */
#ifndef GUEST_H
#define GUEST_H

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <arpa/inet.h>
#include <net/if.h>
#include <linux/if_packet.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/socket.h>

#include <net/bpf.h>

#include "tap.h"

#define ETHERTYPE	0x88b5	/* local experiments (IEEE 802) */
#define HEADER		32	/* bh_hdrlen on LP64 */

/* A test frame: broadcast unless changed. */
struct frame {
	uint8_t dst[6];
	uint8_t src[6];
	uint16_t type;
	uint32_t seq;
	uint8_t payload[2000];
} __attribute__((packed));

/* End the program because the test cannot run in its environment. */
static inline void bail(const char *what)
{
	printf("Bail out! %s: %s\n", what, strerror(errno));
	exit(1);
}

/* Return the error of a call that should fail; 0 if it succeeded. */
#define error_of(call) ({ errno = 0; (call) < 0 ? errno : 0; })

/* Return the factor by which time-outs are extended: see images/vm.1. */
static inline double time_scale(void)
{
	const char *text = getenv("TIME_SCALE");

	return text ? atof(text) : 1;
}

static inline int open_bpf(int flags)
{
	int fd = open("/dev/bpf", flags);

	if (fd < 0)
		bail("open /dev/bpf");
	return fd;
}

static inline void set(int fd, unsigned long request, unsigned int value)
{
	if (ioctl(fd, request, &value) < 0)
		bail("ioctl");
}

static inline unsigned int get(int fd, unsigned long request)
{
	unsigned int value = 0xdeadbeef;

	if (ioctl(fd, request, &value) < 0)
		bail("ioctl");
	return value;
}

static inline int attach(int fd, const char *name)
{
	struct ifreq ifr = { 0 };

	strncpy(ifr.ifr_name, name, IFNAMSIZ);
	return ioctl(fd, BIOCSETIF, &ifr);
}

/* Accept only test frames, uncut. */
static inline void filter_test_frames(int fd)
{
	struct bpf_insn insns[] = {
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 12),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETHERTYPE, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 0xffffffff),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct bpf_program program = { 4, insns };

	if (ioctl(fd, BIOCSETF, &program) < 0)
		bail("BIOCSETF");
}

/* Open a descriptor on eth0 with buffers of that size; 0: the default. */
static inline int listen_on(const char *name, unsigned int size, int flags)
{
	int fd = open_bpf(flags);

	if (size)
		set(fd, BIOCSBLEN, size);
	if (attach(fd, name) < 0)
		bail(name);
	filter_test_frames(fd);
	return fd;
}

/* Send a frame on an interface through the kernel's stack. */
static inline void send_raw(const char *name, const struct frame *f, size_t len)
{
	static int s = -1;
	int on = 1;
	struct sockaddr_ll to = {
		.sll_family = AF_PACKET,
		.sll_ifindex = if_nametoindex(name),
		.sll_halen = 6,
	};

	if (s < 0) {
		s = socket(AF_PACKET, SOCK_RAW, 0);
		/*
		 * Bypass the queueing discipline, which may leave a frame to
		 * another CPU: the NIC has it when the call returns.
		 */
		setsockopt(s, SOL_PACKET, PACKET_QDISC_BYPASS, &on,
			   sizeof(on));
	}
	while (sendto(s, f, len, 0, (struct sockaddr *)&to, sizeof(to)) !=
	       (ssize_t)len) {
		if (errno != ENOBUFS)
			bail("sendto");
		usleep(1000);	/* the NIC's ring is full */
	}
}

static inline void make_frame(struct frame *f, uint32_t seq, size_t len)
{
	size_t i;

	memset(f, 0, sizeof(*f));
	memset(f->dst, 0xff, 6);
	memcpy(f->src, "\x52\x54\x00\x99\x99\x99", 6);
	f->type = htons(ETHERTYPE);
	f->seq = htonl(seq);
	for (i = 0; i + 18 < len; i++)
		f->payload[i] = (uint8_t)(seq * 7 + i);
}

/* Send @n frames of @len bytes, numbered from @first. */
static inline void send_frames(const char *name, uint32_t first, unsigned int n,
			       size_t len)
{
	struct frame f;
	unsigned int i;

	for (i = 0; i < n; i++) {
		make_frame(&f, first + i, len);
		send_raw(name, &f, len);
	}
}

/*
 * Write to an existing file, as the shell's ">" does. Returns the error, or 0:
 * EBADF if it cannot be opened.
 */
static inline int error_of_writing(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_TRUNC);
	int error = error_of(write(fd, text, strlen(text)));

	close(fd);
	return error;
}

/* The same, but failure ends the program. */
static inline void write_file(const char *path, const char *text)
{
	if (error_of_writing(path, text))
		bail(path);
}

static inline struct bpf_stat stats(int fd)
{
	struct bpf_stat st;

	if (ioctl(fd, BIOCGSTATS, &st) < 0)
		bail("BIOCGSTATS");
	return st;
}

/* Return true if a line of a file has these words. */
static inline bool has_line(const char *name, const char *words)
{
	FILE *f = fopen(name, "r");
	bool found = false;
	char line[1024];

	while (f && !found && fgets(line, sizeof(line), f))
		found = strstr(line, words);
	if (f)
		fclose(f);
	return found;
}

/* Return true if the device fills the buffers of descriptors. */
static inline bool device_fills(void)
{
	return has_line("/sys/module/virtio_capture/parameters/offload", "Y") &&
	       has_line("/proc/interrupts", "-listener");
}

#define JIT_ENABLE	"/proc/sys/net/core/bpf_jit_enable"

/*
 * Return the name in /proc/net/bpf of what runs filters in the driver: on some
 * processors the kernel has no JIT compiler.
 */
static inline const char *filter_engine(void)
{
	return access(JIT_ENABLE, F_OK) ? "kernel" : "jit";
}

/* Return the buffer model and filter engine of one of the first descriptors. */
static inline const char *served_by(void)
{
	static char words[32];

	if (device_fills())
		return "device device";
	snprintf(words, sizeof(words), "kernel %s", filter_engine());
	return words;
}

static inline int readable(int fd, int timeout_ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, timeout_ms) == 1 && (p.revents & POLLIN);
}

/* Return the result of select(2) for reading. */
static inline int selected(int fd, int timeout_ms)
{
	struct timeval tv = { timeout_ms / 1000, timeout_ms % 1000 * 1000 };
	fd_set set;

	FD_ZERO(&set);
	FD_SET(fd, &set);
	return select(fd + 1, &set, NULL, NULL, &tv);
}

/*
 * Wait until the descriptor has counted @n frames. The counts include all that
 * the NIC has sent; this waits for the NIC.
 */
static inline int await_received(int fd, unsigned int n)
{
	int i;

	for (i = 0; i < 2000; i++) {
		if (stats(fd).bs_capt >= n)
			return 1;
		usleep(5000);
	}
	return 0;
}

/* Wait until a thread of this process sleeps, for example in a read. */
static inline void await_sleep(volatile pid_t *tid)
{
	char path[64], state = 0;
	FILE *f;

	do {
		usleep(10000);
		snprintf(path, sizeof(path), "/proc/self/task/%d/stat", *tid);
		f = fopen(path, "r");
		if (!f)
			continue;
		if (fscanf(f, "%*d %*s %c", &state) != 1)
			state = 0;
		fclose(f);
	} while (state != 'S');
}

/* Return the next packet of a read's data; NULL at the end. */
static inline struct bpf_hdr *next_packet(uint8_t *buf, ssize_t len, size_t *off)
{
	struct bpf_hdr *h = (struct bpf_hdr *)(buf + *off);

	if (len <= 0 || *off + HEADER > (size_t)len)
		return NULL;
	*off += BPF_WORDALIGN(h->bh_hdrlen + h->bh_caplen);
	return h;
}

static inline struct frame *packet_frame(struct bpf_hdr *h)
{
	return (struct frame *)((uint8_t *)h + h->bh_hdrlen);
}

#endif /* GUEST_H */
