/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Helpers to read zero-copy buffers as bpf(4) describes. */
#ifndef ZBUF_H
#define ZBUF_H

#include <sys/mman.h>

#include <machine/atomic.h>

#include "guest.h"

#define PAGE	4096
#define ZHEADER	sizeof(struct bpf_zbuf_header)

/* A buffer of one page: 31 packets of 96 bytes and one of 64 fill it. */
#define ROOM	(PAGE - ZHEADER)
#define FIT	31
#define LAST	64

/* A descriptor, its buffers, and the index of the next one. */
struct zero {
	int fd;
	uint8_t *buf[2];
	size_t len;
	int next;
};

static inline uint8_t *map_pages(size_t len)
{
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		bail("mmap");
	return p;
}

/* Open a descriptor in zero-copy mode, without buffers. */
static inline int open_zero(int flags)
{
	int fd = open_bpf(flags);

	set(fd, BIOCSETBUFMODE, BPF_BUFMODE_ZBUF);
	return fd;
}

static inline int set_buffers(int fd, void *a, void *b, size_t len)
{
	struct bpf_zbuf zbuf = { a, b, len };

	return ioctl(fd, BIOCSETZBUF, &zbuf);
}

/* Open a descriptor on eth0 with buffers at these addresses. */
static inline struct zero zero_at(void *a, void *b, size_t len)
{
	struct zero z = { .fd = open_zero(O_RDWR), .buf = { a, b },
			  .len = len };

	if (set_buffers(z.fd, a, b, len) < 0)
		bail("BIOCSETZBUF");
	if (attach(z.fd, "eth0") < 0)
		bail("eth0");
	filter_test_frames(z.fd);
	return z;
}

static inline struct zero zero_listen(size_t len)
{
	return zero_at(map_pages(len), map_pages(len), len);
}

static inline void zero_close(struct zero *z)
{
	close(z->fd);
	munmap(z->buf[0], z->len);
	munmap(z->buf[1], z->len);
}

static inline struct bpf_zbuf_header *zheader(const struct zero *z, int i)
{
	return (struct bpf_zbuf_header *)z->buf[i];
}

/* Return true if the program owns that buffer. */
static inline int owns(const struct zero *z, int i)
{
	struct bpf_zbuf_header *h = zheader(z, i);

	return h->bzh_user_gen != atomic_load_acq_int(&h->bzh_kernel_gen);
}

static inline void acknowledge(const struct zero *z, int i)
{
	struct bpf_zbuf_header *h = zheader(z, i);

	atomic_store_rel_int(&h->bzh_user_gen, h->bzh_kernel_gen);
}

/* Send frames and make sure that they were captured. */
static inline void fill(struct zero *z, uint32_t first, unsigned int n,
			size_t len)
{
	uint64_t before = stats(z->fd).bs_capt;

	send_frames("eth0", first, n, len);
	if (!await_received(z->fd, before + n))
		bail("frames are missing");
}

/* Return the result of BIOCROTZBUF. */
static inline struct bpf_zbuf rotate(const struct zero *z)
{
	struct bpf_zbuf zbuf;

	memset(&zbuf, 0xff, sizeof(zbuf));
	if (ioctl(z->fd, BIOCROTZBUF, &zbuf) < 0)
		bail("BIOCROTZBUF");
	return zbuf;
}

static inline uint8_t *packets(const struct zero *z, int i)
{
	return z->buf[i] + ZHEADER;
}

/* Return the length of the next buffer if the program owns it, or 0. */
static inline size_t available(const struct zero *z)
{
	return owns(z, z->next) ? zheader(z, z->next)->bzh_kernel_len : 0;
}

/* Return the sequence number of the packet at an offset of a buffer. */
static inline uint32_t zseq(const struct zero *z, int i, size_t off)
{
	return ntohl(packet_frame((struct bpf_hdr *)(packets(z, i) + off))->seq);
}

/*
 * Check that the packets of the next buffer are whole test frames numbered from
 * *@seq, which is advanced, and nothing else. The program keeps the buffer.
 */
static inline int check_next(const struct zero *z, uint32_t *seq)
{
	size_t off = 0, len = available(z);
	struct bpf_hdr *h;
	struct frame f;

	while ((h = next_packet(packets(z, z->next), len, &off))) {
		if (off > len || h->bh_hdrlen != HEADER)
			return 0;
		make_frame(&f, *seq, h->bh_datalen);
		if (h->bh_caplen != h->bh_datalen ||
		    memcmp(packet_frame(h), &f, h->bh_caplen))
			return 0;
		(*seq)++;
	}
	return off == len;
}

/* Acknowledge the next buffer. */
static inline void finish_next(struct zero *z)
{
	acknowledge(z, z->next);
	z->next = !z->next;
}

/* Read all frames, numbered from *@seq; rotate to get the last ones. */
static inline int read_all(struct zero *z, uint32_t *seq)
{
	int good = 1;

	for (;;) {
		if (!available(z))
			rotate(z);
		if (!available(z))
			return good;
		good &= check_next(z, seq);
		finish_next(z);
	}
}

/* Return the number after a word at the start of a line. */
static inline long number(const char *path, const char *word)
{
	FILE *f = fopen(path, "r");
	char line[256];
	long value = -1;

	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, word, strlen(word)))
			value = atol(line + strlen(word));
	if (value < 0)
		bail(word);
	fclose(f);
	return value;
}

/* Return the number of pinned pages of the whole system. */
static inline long pinned(void)
{
	/* Each processor counts separately until the counts are refreshed. */
	int fd = open("/proc/sys/vm/stat_refresh", O_WRONLY);

	if (fd < 0 || write(fd, "1", 1) < 0)
		bail("stat_refresh");
	close(fd);
	return number("/proc/vmstat", "nr_foll_pin_acquired ") -
	       number("/proc/vmstat", "nr_foll_pin_released ");
}

static inline long locked_kib(void)
{
	return number("/proc/self/status", "VmLck:");
}

#endif /* ZBUF_H */
