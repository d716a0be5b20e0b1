// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A read that copies packets to the program blocks half-way, on a page that is
 * missing until the test provides it (userfaultfd). Events meanwhile must not
 * change the packets of this read.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <linux/userfaultfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "guest.h"

#define PAGE	4096
#define SIZE	PAGE	/* 32 packets of 96 bytes fill it exactly */
#define FULL	32

static uint8_t *page;
static int reader_fd;

/* Map a page whose first access blocks; returns the userfaultfd. */
static int make_page(void)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register range = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	int uffd = syscall(SYS_userfaultfd, O_CLOEXEC);

	page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	range.range.start = (uintptr_t)page;
	range.range.len = PAGE;
	if (uffd < 0 || page == MAP_FAILED || ioctl(uffd, UFFDIO_API, &api) ||
	    ioctl(uffd, UFFDIO_REGISTER, &range))
		bail("userfaultfd");
	return uffd;
}

/* Wait until a thread faults on the page. */
static void await_fault(int uffd)
{
	struct uffd_msg msg;

	if (read(uffd, &msg, sizeof(msg)) != sizeof(msg) ||
	    msg.event != UFFD_EVENT_PAGEFAULT)
		bail("page fault");
}

/* Provide the page. */
static void give_page(int uffd)
{
	struct uffdio_zeropage zero = {
		.range = { (uintptr_t)page, PAGE },
	};

	if (ioctl(uffd, UFFDIO_ZEROPAGE, &zero))
		bail("UFFDIO_ZEROPAGE");
}

static void *reader(void *arg)
{
	(void)arg;
	return (void *)(long)read(reader_fd, page, SIZE);
}

/* Return true if these are the packets from @first on. */
static int has_packets(const uint8_t *packets, uint32_t first)
{
	uint32_t i;

	for (i = 0; i < FULL; i++) {
		struct bpf_hdr *h = (struct bpf_hdr *)(packets + i * 128);
		struct frame expected;

		make_frame(&expected, first + i, 96);
		if (h->bh_caplen != 96 ||
		    memcmp(packet_frame(h), &expected, 96))
			return 0;
	}
	return 1;
}

static void send_full(uint32_t first)
{
	send_frames("eth0", first, FULL, 96);
	stats(reader_fd);
}

/* Start a thread whose read blocks half-way through copying. */
static int start_read(pthread_t *thread)
{
	int uffd = make_page();

	reader_fd = listen_on("eth0", SIZE, O_RDWR);
	send_full(0);
	pthread_create(thread, NULL, reader, NULL);
	await_fault(uffd);
	return uffd;
}

static long end_read(pthread_t thread, int uffd)
{
	void *len;

	give_page(uffd);
	pthread_join(thread, &len);
	close(uffd);
	return (long)len;
}

static void test_more_packets(void)
{
	static uint8_t buf[SIZE];
	pthread_t thread;
	int uffd = start_read(&thread);

	equal(error_of(read(reader_fd, buf, SIZE)), EIO,
	      "while a read copies: a second read is EIO");
	equal(get(reader_fd, FIONREAD), SIZE,
	      "while a read copies: FIONREAD still gives the buffer's length");
	send_full(100);
	equal(stats(reader_fd).bs_drop, 0,
	      "while a read copies: the other buffer is filled without drops");
	send_full(200);
	equal(stats(reader_fd).bs_drop, FULL,
	      "while a read copies: packets without room are dropped");
	equal(end_read(thread, uffd), SIZE,
	      "while a read copies: the read ends with the whole buffer");
	ok(has_packets(page, 0),
	   "while a read copies: packets that come leave its buffer as it was [BPF-READ-19]");
	equal(read(reader_fd, buf, SIZE), SIZE,
	      "after the read: the next one gets the packets that came meanwhile [BPF-READ-19]");
	ok(has_packets(buf, 100),
	   "after the read: the packets that came meanwhile are whole");
	munmap(page, PAGE);
	close(reader_fd);
}

static void test_flush(void)
{
	static uint8_t buf[SIZE];
	pthread_t thread;
	int uffd = start_read(&thread);

	equal(ioctl(reader_fd, BIOCFLUSH, NULL), 0,
	      "while a read copies: BIOCFLUSH succeeds");
	send_full(100);
	send_full(200);
	equal(end_read(thread, uffd), SIZE,
	      "BIOCFLUSH while a read copies: the read ends with the whole buffer");
	ok(has_packets(page, 0),
	   "BIOCFLUSH while a read copies: the read gets packets from before it");
	equal(read(reader_fd, buf, SIZE), SIZE,
	      "BIOCFLUSH while a read copies: the next read gets a whole buffer");
	ok(has_packets(buf, 100),
	   "BIOCFLUSH while a read copies: the next read gets packets from after it");
	munmap(page, PAGE);
	close(reader_fd);
}

int main(void)
{
	test_more_packets();
	test_flush();
	return done_testing();
}
