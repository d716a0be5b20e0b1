// SPDX-License-Identifier: GPL-2.0-or-later
/* Buffers that a program shares: which are valid, and who owns one. */
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdlib.h>

#include "tap.h"
#include "zbuf.h"

#define PAGE	4096
#define MAX	(4 * PAGE)

static void test_valid(void)
{
	static const struct {
		const char *name;
		size_t a, b, len;
		bool valid;
	} cases[] = {
		{ "a page each", PAGE, 2 * PAGE, PAGE, true },
		{ "a page each, the second one first", 2 * PAGE, PAGE, PAGE, true },
		{ "the largest buffers", PAGE, 5 * PAGE, MAX, true },
		{ "a page more than the largest", PAGE, 9 * PAGE, MAX + PAGE, false },
		{ "a byte more than the largest", PAGE, 9 * PAGE, MAX + 1, false },
		{ "no first buffer", 0, PAGE, PAGE, false },
		{ "no second buffer", PAGE, 0, PAGE, false },
		{ "size 0", PAGE, 2 * PAGE, 0, false },
		{ "half a page", PAGE, 2 * PAGE, PAGE / 2, false },
		{ "a page and a half", PAGE, 9 * PAGE, PAGE * 3 / 2, false },
		{ "a first buffer not at a page", PAGE + 8, 9 * PAGE, PAGE,
		  false },
		{ "a second buffer not at a page", PAGE, 9 * PAGE + 2048, PAGE, false },
		{ "the same buffer twice", PAGE, PAGE, PAGE, false },
		{ "buffers that overlap by a page", PAGE, 2 * PAGE, 2 * PAGE, false },
		{ "buffers that overlap, the second one first", 2 * PAGE, PAGE, 2 * PAGE,
		  false },
		{ "a buffer up to the end of memory", PAGE, SIZE_MAX - PAGE + 1, PAGE,
		  false },
		{ "a buffer beyond the end of memory", SIZE_MAX - PAGE + 1, PAGE,
		  2 * PAGE, false },
		{ "a size that wraps around", PAGE, 9 * PAGE,
		  SIZE_MAX - PAGE + 1, false },
	};
	unsigned int i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct bpf_zbuf zbuf = {
			.bz_bufa = (void *)cases[i].a,
			.bz_bufb = (void *)cases[i].b,
			.bz_buflen = cases[i].len,
		};

		equal(vcap_zbuf_valid(&zbuf, PAGE, MAX), cases[i].valid,
		      "BIOCSETZBUF of %s is %s", cases[i].name,
		      cases[i].valid ? "valid" : "invalid");
	}
}

/* What a program does: see bpf(4). */
static bool owns(struct bpf_zbuf_header *h)
{
	return h->bzh_user_gen !=
	       __atomic_load_n(&h->bzh_kernel_gen, __ATOMIC_ACQUIRE);
}

static void give_back(struct bpf_zbuf_header *h)
{
	__atomic_store_n(&h->bzh_user_gen, h->bzh_kernel_gen,
			 __ATOMIC_RELEASE);
}

static void test_ownership(void)
{
	struct bpf_zbuf_header *h = malloc(sizeof(*h));
	struct vcap_zbuf z;

	memset(h, 0xa5, sizeof(*h));
	vcap_zbuf_init(&z, h);
	ok(!owns(h), "new buffer: it is the kernel's");
	ok(!h->bzh_kernel_len && !h->_bzh_pad[0] && !h->_bzh_pad[4],
	   "new buffer: its header is zeros");
	ok(!vcap_zbuf_take(&z), "new buffer: the kernel cannot take it again");
	vcap_zbuf_assign(&z, 1000);
	ok(owns(h), "buffer assigned: it is the program's");
	equal(h->bzh_kernel_len, 1000,
	      "buffer assigned: its header has the length");
	ok(!vcap_zbuf_returned(&z), "buffer assigned: it is not returned");
	ok(!vcap_zbuf_take(&z), "buffer assigned: the kernel cannot take it");
	give_back(h);
	ok(z.assigned && vcap_zbuf_returned(&z),
	   "buffer given back: it is returned");
	ok(vcap_zbuf_take(&z), "buffer given back: the kernel can take it");
	ok(!z.assigned && !owns(h), "buffer taken: it is the kernel's");
	ok(!vcap_zbuf_take(&z),
	   "buffer taken: the kernel cannot take it again");
	vcap_zbuf_assign(&z, 8);
	equal(h->bzh_kernel_gen, 2,
	      "buffer assigned again: the next generation");
	free(h);
}

/* The generation number wraps around after the largest value. */
static void test_wrap(void)
{
	struct bpf_zbuf_header h;
	struct vcap_zbuf z;

	vcap_zbuf_init(&z, &h);
	z.gen = UINT32_MAX;
	h.bzh_kernel_gen = UINT32_MAX;
	h.bzh_user_gen = UINT32_MAX;
	vcap_zbuf_assign(&z, 8);
	equal(h.bzh_kernel_gen, 0, "generation 2^32 - 1: the next one is 0");
	ok(owns(&h) && !vcap_zbuf_take(&z),
	   "generation 0: the buffer is the program's");
	give_back(&h);
	ok(vcap_zbuf_take(&z),
	   "generation 0: given back, the kernel can take it");
}

/* A program writes arbitrary values. */
static void test_lies(void)
{
	struct bpf_zbuf_header h;
	struct vcap_zbuf z;

	vcap_zbuf_init(&z, &h);
	h.bzh_user_gen = 7;
	ok(!vcap_zbuf_take(&z),
	   "program gives back a buffer of the kernel's: nothing happens");
	vcap_zbuf_assign(&z, 8);
	h.bzh_user_gen = 2;
	ok(!vcap_zbuf_take(&z),
	   "program writes a future generation: not returned");
	h.bzh_user_gen = 0;
	ok(!vcap_zbuf_take(&z),
	   "program writes a past generation: not returned");
	h.bzh_kernel_gen = 77;
	h.bzh_user_gen = 77;
	ok(!vcap_zbuf_take(&z),
	   "program changes the kernel's generation: not returned");
	h.bzh_user_gen = 1;
	ok(vcap_zbuf_take(&z), "program writes the right generation: returned");
	h.bzh_kernel_len = 0xffffffff;
	vcap_zbuf_assign(&z, 16);
	equal(h.bzh_kernel_gen, 2,
	      "after spoilt headers: the generation goes on");
	equal(h.bzh_kernel_len, 16,
	      "after spoilt headers: the header has the right length");
}

/* Both sides run at once: each sees what the other wrote before. */
#define ROUNDS	10000

static struct {
	struct bpf_zbuf_header header;
	uint32_t data[16];
} shared;

static void *program(void *arg)
{
	unsigned long bad = 0, i, j;

	(void)arg;
	for (i = 0; i < ROUNDS; i++) {
		while (!owns(&shared.header))
			sched_yield();
		bad += shared.header.bzh_kernel_len != i;
		for (j = 0; j < 16; j++)
			bad += shared.data[j] != i;
		give_back(&shared.header);
	}
	return (void *)bad;
}

static void test_order(void)
{
	struct vcap_zbuf z;
	pthread_t thread;
	uint32_t i, j;
	void *bad;

	vcap_zbuf_init(&z, &shared.header);
	pthread_create(&thread, NULL, program, NULL);
	for (i = 0; i < ROUNDS; i++) {
		for (j = 0; j < 16; j++)
			shared.data[j] = i;
		vcap_zbuf_assign(&z, i);
		while (!vcap_zbuf_take(&z))
			sched_yield();
	}
	pthread_join(thread, &bad);
	equal((unsigned long)bad, 0,
	      "%u times assigned and given back: always with the right owner",
	      ROUNDS);
}

int main(void)
{
	test_valid();
	test_ownership();
	test_wrap();
	test_lies();
	test_order();
	return done_testing();
}
