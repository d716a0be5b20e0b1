// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Zero copy on /dev/bpf: the kernel fills one of two buffers in the program's
 * memory while the program reads the other, as the section "zero-copy buffers"
 * of FreeBSD's bpf(4) describes.
 */
#include <err.h>
#include <poll.h>
#include <unistd.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include <net/bpf.h>

#include "bench.h"

/* The program owns a buffer while the generations differ. */
static bool is_ours(const struct bpf_zbuf_header *buffer)
{
	return __atomic_load_n(&buffer->bzh_kernel_gen, __ATOMIC_ACQUIRE) !=
	       buffer->bzh_user_gen;
}

static void give_back(struct bpf_zbuf_header *buffer)
{
	__atomic_store_n(&buffer->bzh_user_gen, buffer->bzh_kernel_gen,
			 __ATOMIC_RELEASE);
}

/* Allocate two buffers, touch their pages, and set them for the descriptor. */
static void add_buffers(int fd, const struct receiver *r, struct bpf_zbuf *zbuf)
{
	unsigned int mode = BPF_BUFMODE_ZBUF;
	size_t size = r->memory / 2, largest;
	uint8_t *memory;

	bpf_set(fd, BIOCSETBUFMODE, &mode, "BIOCSETBUFMODE");
	bpf_set(fd, BIOCGETZMAX, &largest, "BIOCGETZMAX");
	if (size > largest)
		size = largest;
	memory = mmap(NULL, 2 * size, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (memory == MAP_FAILED)
		err(1, "mmap");
	*zbuf = (struct bpf_zbuf){ memory, memory + size, size };
	bpf_set(fd, BIOCSETZBUF, zbuf, "BIOCSETZBUF");
}

/*
 * Wait for packets or the timeout; then rotate the buffers if the kernel has not
 * done so.
 */
static void await(int fd, const struct bpf_zbuf_header *next,
		  struct receiver *r)
{
	struct pollfd wait = { .fd = fd, .events = POLLIN };
	struct bpf_zbuf rotated;

	r->calls++;
	if (poll(&wait, 1, is_at_once(r) ? -1 : (int)r->timeout_ms) < 0 ||
	    is_ours(next))
		return;
	bpf_set(fd, BIOCROTZBUF, &rotated, "BIOCROTZBUF");
}

void receive_zbuf(struct receiver *r)
{
	struct bpf_zbuf_header *buffers[2];
	struct bpf_stat stats;
	struct bpf_zbuf zbuf;
	unsigned int next = 0;
	int fd = bpf_open();

	add_buffers(fd, r, &zbuf);
	buffers[0] = zbuf.bz_bufa;
	buffers[1] = zbuf.bz_bufb;
	bpf_attach(fd, r);
	r->ready = true;
	while (!r->stopped) {
		if (!is_ours(buffers[next])) {
			await(fd, buffers[next], r);
			continue;
		}
		if (is_at_once(r))
			MARK(MARK_READ);
		bpf_walk((uint8_t *)(buffers[next] + 1),
			 buffers[next]->bzh_kernel_len, r);
		give_back(buffers[next]);
		next ^= 1;
	}
	bpf_set(fd, BIOCGSTATS, &stats, "BIOCGSTATS");
	r->dropped = stats.bs_drop;
}
