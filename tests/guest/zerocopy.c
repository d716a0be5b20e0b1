// SPDX-License-Identifier: GPL-2.0-or-later
/* Zero-copy buffers: modes and errors, rotation, drops, flush. */
#include <sched.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "zbuf.h"

#define MAXBUFSIZE	"/proc/sys/net/bpf/maxbufsize"
#define MAXUSERMEM	"/proc/sys/net/bpf/maxusermem"

static void read_file(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY);
	ssize_t len = read(fd, text, size - 1);

	if (len < 0)
		bail(path);
	text[len] = '\0';
	close(fd);
}

static int set_errno(int fd, unsigned long request, unsigned int value)
{
	return error_of(ioctl(fd, request, &value));
}

static void test_modes(void)
{
	uint8_t *a = map_pages(PAGE), *b = map_pages(PAGE);
	struct bpf_zbuf zbuf;
	unsigned char buf[64];
	size_t max = 0;
	int fd = open_bpf(O_RDWR);

	equal(get(fd, BIOCGETBUFMODE), BPF_BUFMODE_BUFFER,
	      "BIOCGETBUFMODE: the buffers are the kernel's at first [BPF-GETBUFMODE-1]");
	equal(set_errno(fd, BIOCSETBUFMODE, 0), EINVAL,
	      "BIOCSETBUFMODE 0 is EINVAL [BPF-SETBUFMODE-1]");
	equal(set_errno(fd, BIOCSETBUFMODE, 3), EINVAL,
	      "BIOCSETBUFMODE 3 is EINVAL [BPF-SETBUFMODE-1]");
	equal(error_of(ioctl(fd, BIOCGETZMAX, &max)), EOPNOTSUPP,
	      "kernel's buffers: BIOCGETZMAX is EOPNOTSUPP [BPF-ZBUF-1]");
	equal(error_of(set_buffers(fd, a, b, PAGE)), EOPNOTSUPP,
	      "kernel's buffers: BIOCSETZBUF is EOPNOTSUPP [BPF-ZBUF-1]");
	equal(error_of(ioctl(fd, BIOCROTZBUF, &zbuf)), EOPNOTSUPP,
	      "kernel's buffers: BIOCROTZBUF is EOPNOTSUPP [BPF-ZBUF-1]");
	set(fd, BIOCSETBUFMODE, BPF_BUFMODE_ZBUF);
	equal(get(fd, BIOCGETBUFMODE), BPF_BUFMODE_ZBUF,
	      "BIOCSETBUFMODE BPF_BUFMODE_ZBUF: BIOCGETBUFMODE gives it");
	set(fd, BIOCSETBUFMODE, BPF_BUFMODE_BUFFER);
	set(fd, BIOCSETBUFMODE, BPF_BUFMODE_ZBUF);
	equal(set_errno(fd, BIOCSBLEN, 4096), EOPNOTSUPP,
	      "program's buffers: BIOCSBLEN is EOPNOTSUPP [BPF-ZBUF-1]");
	equal(get(fd, BIOCGBLEN), 32768,
	      "program's buffers, none set: BIOCGBLEN gives 32768");
	equal(error_of(read(fd, buf, sizeof(buf))), EOPNOTSUPP,
	      "program's buffers: read is EOPNOTSUPP [BPF-ZBUF-1]");
	equal(error_of(attach(fd, "eth0")), EINVAL,
	      "program's buffers, none set: BIOCSETIF is EINVAL [BPF-SETIF-10]");
	equal(ioctl(fd, BIOCROTZBUF, &zbuf), 0,
	      "program's buffers, none set: BIOCROTZBUF succeeds");
	ok(!zbuf.bz_bufa && !zbuf.bz_bufb && !zbuf.bz_buflen,
	   "program's buffers, none set: BIOCROTZBUF gives zeros");
	a[0] = 1;
	a[8] = 2;
	a[31] = 3;
	equal(set_buffers(fd, a, b, PAGE), 0, "BIOCSETZBUF succeeds");
	equal(set_errno(fd, BIOCSETBUFMODE, BPF_BUFMODE_BUFFER), EBUSY,
	      "buffers set: BIOCSETBUFMODE is EBUSY [BPF-SETBUFMODE-2]");
	equal(error_of(set_buffers(fd, a, b, PAGE)), EINVAL,
	      "buffers set: a second BIOCSETZBUF is EINVAL [BPF-SETZBUF-4]");
	equal(get(fd, BIOCGBLEN), ROOM,
	      "buffers set: BIOCGBLEN gives their size without the header [BPF-GBLEN-2]");
	equal(error_of(attach(fd, "eth9")), ENXIO,
	      "buffers set: BIOCSETIF to an unknown interface is ENXIO");
	equal(attach(fd, "eth0"), 0,
	      "buffers set: BIOCSETIF succeeds after one that failed");
	ok(!a[0] && !a[8] && !a[31],
	   "attached: the headers of the buffers are zeros");
	equal(set_errno(fd, BIOCSETBUFMODE, BPF_BUFMODE_ZBUF), EBUSY,
	      "attached, program's buffers: BIOCSETBUFMODE is EBUSY [BPF-SETBUFMODE-2]");
	equal(error_of(read(fd, buf, sizeof(buf))), EOPNOTSUPP,
	      "attached, program's buffers: read of the default size is EOPNOTSUPP");
	equal(error_of(read(fd, a, ROOM)), EOPNOTSUPP,
	      "attached, program's buffers: read of the buffer's size is EOPNOTSUPP");
	close(fd);
	fd = open_bpf(O_RDWR);
	attach(fd, "eth0");
	equal(set_errno(fd, BIOCSETBUFMODE, BPF_BUFMODE_ZBUF), EBUSY,
	      "attached, kernel's buffers: BIOCSETBUFMODE is EBUSY [BPF-SETBUFMODE-2]");
	close(fd);
}

static void test_locked(void)
{
	uint8_t *a = map_pages(PAGE), *b = map_pages(PAGE);
	struct bpf_zbuf zbuf;
	int fd = open_zero(O_RDWR);
	size_t max;

	equal(ioctl(fd, BIOCLOCK), 0, "program's buffers: BIOCLOCK succeeds");
	equal(set_errno(fd, BIOCSETBUFMODE, BPF_BUFMODE_BUFFER), EPERM,
	      "locked descriptor: BIOCSETBUFMODE is EPERM [BPF-LOCK-1]");
	equal(error_of(set_buffers(fd, a, b, PAGE)), EPERM,
	      "locked descriptor: BIOCSETZBUF is EPERM [BPF-LOCK-1]");
	equal(ioctl(fd, BIOCROTZBUF, &zbuf), 0,
	      "locked descriptor: BIOCROTZBUF succeeds [BPF-LOCK-2]");
	equal(ioctl(fd, BIOCGETZMAX, &max), 0,
	      "locked descriptor: BIOCGETZMAX succeeds [BPF-LOCK-2]");
	equal(get(fd, BIOCGETBUFMODE), BPF_BUFMODE_ZBUF,
	      "locked descriptor: BIOCGETBUFMODE succeeds [BPF-LOCK-2]");
	close(fd);
}

static size_t zmax(void)
{
	int fd = open_zero(O_RDWR);
	size_t max = 0;

	if (ioctl(fd, BIOCGETZMAX, &max) < 0)
		bail("BIOCGETZMAX");
	close(fd);
	return max;
}

static void test_maximum(void)
{
	char usual[32];

	read_file(MAXBUFSIZE, usual, sizeof(usual));
	equal(zmax(), 4 << 20,
	      "BIOCGETZMAX gives 4 MiB by default [BPF-GETZMAX-1]");
	write_file(MAXBUFSIZE, "16777216");
	equal(zmax(), 4 << 20,
	      "net.bpf.maxbufsize above 4 MiB: BIOCGETZMAX gives 4 MiB");
	write_file(MAXBUFSIZE, "100000");
	equal(zmax(), 24 * PAGE,
	      "net.bpf.maxbufsize lowered: BIOCGETZMAX gives it in whole pages [BPF-GETZMAX-1]");
	write_file(MAXBUFSIZE, "32");
	equal(zmax(), PAGE,
	      "net.bpf.maxbufsize below a page: BIOCGETZMAX gives a page");
	write_file(MAXBUFSIZE, usual);
}

static void test_bad_buffers(void)
{
	size_t len = 4 << 20;
	uint8_t *a = map_pages(len + PAGE), *b = map_pages(len + PAGE);
	int fd = open_zero(O_RDWR);

	equal(error_of(set_buffers(fd, NULL, b, PAGE)), EINVAL,
	      "BIOCSETZBUF with the first buffer NULL is EINVAL [BPF-SETZBUF-1]");
	equal(error_of(set_buffers(fd, a, NULL, PAGE)), EINVAL,
	      "BIOCSETZBUF with the second buffer NULL is EINVAL");
	equal(error_of(set_buffers(fd, a, b, 0)), EINVAL,
	      "BIOCSETZBUF with size 0 is EINVAL [BPF-SETZBUF-1]");
	equal(error_of(set_buffers(fd, a, b, PAGE / 2)), EINVAL,
	      "BIOCSETZBUF with half a page is EINVAL [BPF-SETZBUF-1]");
	equal(error_of(set_buffers(fd, a, b, PAGE + 8)), EINVAL,
	      "BIOCSETZBUF with a page and 8 bytes is EINVAL");
	equal(error_of(set_buffers(fd, a + 8, b, PAGE)), EINVAL,
	      "BIOCSETZBUF with the first buffer not at a page is EINVAL [BPF-SETZBUF-1]");
	equal(error_of(set_buffers(fd, a, b + 2048, PAGE)), EINVAL,
	      "BIOCSETZBUF with the second buffer not at a page is EINVAL");
	equal(error_of(set_buffers(fd, a, b, len + PAGE)), EINVAL,
	      "BIOCSETZBUF with a page more than the largest buffer is EINVAL [BPF-SETZBUF-1]");
	equal(error_of(set_buffers(fd, a, a, PAGE)), EINVAL,
	      "BIOCSETZBUF with the same memory twice is EINVAL [BPF-SETZBUF-2]");
	equal(error_of(set_buffers(fd, a, a + PAGE, 2 * PAGE)), EINVAL,
	      "BIOCSETZBUF with overlapping buffers is EINVAL");
	equal(error_of(ioctl(fd, BIOCSETZBUF, NULL)), EFAULT,
	      "BIOCSETZBUF from a bad address is EFAULT");
	equal(error_of(ioctl(fd, BIOCROTZBUF, NULL)), EFAULT,
	      "BIOCROTZBUF to a bad address is EFAULT");
	equal(get(fd, BIOCGBLEN), 32768,
	      "BIOCSETZBUF that fails leaves BIOCGBLEN as it was");
	equal(set_buffers(fd, a, a + PAGE, PAGE), 0,
	      "BIOCSETZBUF with one buffer behind the other succeeds");
	close(fd);
	munmap(a, len + PAGE);
	munmap(b, len + PAGE);
}

/* A full buffer, a packet that does not fit, and what is reported of both. */
static void test_rotation(void)
{
	struct zero z = zero_listen(PAGE);
	uint32_t seq = 0;

	fill(&z, 0, FIT, 96);
	ok(!owns(&z, 0) && !readable(z.fd, 0),
	   "buffer with room for one packet more: the kernel's, not readable");
	equal(get(z.fd, FIONREAD), 0,
	      "buffer with room for one packet more: FIONREAD is 0");
	fill(&z, FIT, 1, LAST);
	ok(owns(&z, 0),
	   "buffer exactly full: it is the program's [BPF-ZBUF-4]");
	ok(!owns(&z, 1),
	   "buffer exactly full: the second buffer is the kernel's [BPF-ZBUF-3]");
	ok(readable(z.fd, 0), "buffer exactly full: readable");
	equal(available(&z), ROOM,
	      "buffer exactly full: its header has the length of all packets");
	equal(get(z.fd, FIONREAD), ROOM,
	      "buffer exactly full: FIONREAD gives the same");
	equal(zheader(&z, 0)->bzh_kernel_gen, 1,
	      "buffer exactly full: its header has generation 1");
	ok(check_next(&z, &seq) && seq == FIT + 1,
	   "buffer exactly full: it has every packet in order");
	fill(&z, FIT + 1, FIT, 96);
	ok(!owns(&z, 1),
	   "program has the first buffer: the second one is filled, and the kernel's");
	finish_next(&z);
	ok(!readable(z.fd, 0),
	   "program gave the buffer back: not readable [BPF-ZBUF-8]");
	fill(&z, 2 * FIT + 1, 1, 96);
	ok(owns(&z, 1) && !owns(&z, 0),
	   "a packet that does not fit makes the second buffer the program's [BPF-ZBUF-4]");
	equal(available(&z), FIT * 128,
	      "a packet that does not fit is not split");
	ok(check_next(&z, &seq) && seq == 2 * FIT + 1,
	   "a packet that does not fit: the packets before it are in order");
	finish_next(&z);
	equal(rotate(&z).bz_buflen, 128,
	      "BIOCROTZBUF gives the buffer with the packet that did not fit");
	ok(check_next(&z, &seq) && seq == 2 * FIT + 2,
	   "the packet that did not fit is whole");
	equal(zheader(&z, 0)->bzh_kernel_gen, 2,
	      "the first buffer a second time: its header has generation 2");
	finish_next(&z);
	zero_close(&z);
}

static void test_rotate(void)
{
	struct zero z = zero_listen(2 * PAGE);
	struct bpf_zbuf zbuf = rotate(&z);
	uint32_t seq = 0;

	ok(!zbuf.bz_bufa && !zbuf.bz_bufb && !zbuf.bz_buflen,
	   "BIOCROTZBUF without packets gives zeros [BPF-ROTZBUF-2]");
	ok(!owns(&z, 0) && !owns(&z, 1),
	   "BIOCROTZBUF without packets makes no buffer the program's");
	rotate(&z);
	send_frames("eth0", 0, 2, 100);
	zbuf = rotate(&z);
	ok(zbuf.bz_bufa == z.buf[0] && !zbuf.bz_bufb,
	   "BIOCROTZBUF gives frames that were just sent, in the first buffer [BPF-ROTZBUF-1]");
	equal(zbuf.bz_buflen, 2 * 136,
	      "BIOCROTZBUF gives the length of the two packets");
	ok(owns(&z, 0), "BIOCROTZBUF makes the buffer the program's");
	equal(available(&z), 2 * 136,
	      "BIOCROTZBUF: the buffer's header has the same length");
	send_frames("eth0", 2, 1, 100);
	zbuf = rotate(&z);
	ok(!zbuf.bz_bufa && !zbuf.bz_buflen,
	   "BIOCROTZBUF while the program has a buffer gives zeros [BPF-ROTZBUF-2]");
	ok(!owns(&z, 1),
	   "BIOCROTZBUF while the program has a buffer leaves the other the kernel's");
	ok(check_next(&z, &seq) && seq == 2,
	   "BIOCROTZBUF: the buffer has the two packets");
	finish_next(&z);
	zbuf = rotate(&z);
	ok(zbuf.bz_bufa == z.buf[1],
	   "BIOCROTZBUF after the buffer was given back gives the second one");
	ok(check_next(&z, &seq) && seq == 3,
	   "BIOCROTZBUF: the second buffer has the packet that came meanwhile");
	finish_next(&z);
	zero_close(&z);
}

static void test_cut(void)
{
	struct zero z = zero_listen(PAGE);
	struct bpf_hdr *h;
	struct frame f;

	make_frame(&f, 1, 1400);
	fill(&z, 0, 1, 96);
	set(z.fd, BIOCSTSTAMP, BPF_T_NANOTIME);
	equal(rotate(&z).bz_buflen, 0,
	      "BIOCSTSTAMP empties the zero-copy buffers");
	fill(&z, 1, 2, 1400);
	fill(&z, 3, 1, 1400);
	ok(owns(&z, 0),
	   "three packets of 1400 bytes: a page does not hold them, a buffer is given");
	equal(available(&z), 2 * 1432,
	      "three packets of 1400 bytes: the buffer given has two");
	h = (struct bpf_hdr *)packets(&z, 0);
	ok(h->bh_caplen == 1400 && !memcmp(packet_frame(h), &f, 1400),
	   "three packets of 1400 bytes: the first one is whole");
	zero_close(&z);
}

/* Packets are dropped only when both buffers are in use. */
static void test_drops(void)
{
	struct zero z = zero_listen(PAGE);
	uint32_t seq = 0;

	fill(&z, 0, FIT, 96);
	fill(&z, FIT, 1, LAST);
	fill(&z, FIT + 1, FIT, 96);
	equal(stats(z.fd).bs_drop, 0,
	      "program has one full buffer, the other has room: no packet is dropped");
	fill(&z, 1000, 1, 96);
	equal(stats(z.fd).bs_drop, 1,
	      "no room in either buffer: a packet is dropped");
	fill(&z, 2 * FIT + 1, 1, LAST);
	equal(stats(z.fd).bs_drop, 1,
	      "after a drop a shorter packet is stored [BPF-ZBUF-6]");
	fill(&z, 1000, 3, LAST);
	equal(stats(z.fd).bs_drop, 4, "packets are dropped when nothing fits");
	equal(stats(z.fd).bs_capt, 2 * FIT + 6,
	      "dropped packets count as captured");
	ok(check_next(&z, &seq) && seq == FIT + 1,
	   "drops leave the buffer that the program has as it was [BPF-ZBUF-5]");
	finish_next(&z);
	ok(readable(z.fd, 20000),
	   "full buffer given back: the other full one is readable [BPF-ZBUF-6]");
	ok(check_next(&z, &seq) && seq == 2 * FIT + 2,
	   "full buffer given back: the other one has all its packets");
	fill(&z, seq, 1, 96);
	equal(stats(z.fd).bs_drop, 4,
	      "full buffer given back: no further packet is dropped [BPF-ZBUF-7]");
	finish_next(&z);
	rotate(&z);
	ok(check_next(&z, &seq) && seq == 2 * FIT + 3,
	   "full buffer given back: it has the packet that came next");
	zero_close(&z);
}

/* A program that makes no calls still finds the next buffer. */
static void test_memory_only(void)
{
	struct zero z = zero_listen(PAGE);
	uint32_t seq = 0;

	fill(&z, 0, FIT, 96);
	fill(&z, FIT, 1, LAST);
	fill(&z, FIT + 1, FIT, 96);
	fill(&z, 2 * FIT + 1, 1, LAST);
	ok(check_next(&z, &seq),
	   "program without calls: the first buffer has its packets");
	finish_next(&z);
	while (!owns(&z, z.next))
		sched_yield();
	ok(check_next(&z, &seq) && seq == 2 * FIT + 2,
	   "program without calls: the second buffer is its own after giving back the first"
	   " [BPF-ZBUF-7]");
	zero_close(&z);
}

static void test_flush(void)
{
	struct zero z = zero_listen(PAGE);
	uint32_t seq = 0;

	fill(&z, 0, FIT, 96);
	fill(&z, FIT, 1, LAST);
	fill(&z, 1000, 5, 96);
	equal(ioctl(z.fd, BIOCFLUSH), 0,
	      "BIOCFLUSH succeeds while the program has a buffer");
	equal(stats(z.fd).bs_capt, 0, "BIOCFLUSH resets the counts");
	ok(owns(&z, 0) && check_next(&z, &seq) && seq == FIT + 1,
	   "BIOCFLUSH leaves the program the buffer that it has [BPF-ZBUF-11]");
	finish_next(&z);
	equal(rotate(&z).bz_buflen, 0,
	      "BIOCFLUSH empties the buffer that is the kernel's [BPF-ZBUF-11]");
	fill(&z, FIT + 1, 1, 96);
	equal(rotate(&z).bz_buflen, 128,
	      "BIOCFLUSH: the next packet is given by BIOCROTZBUF");
	ok(owns(&z, 1) && check_next(&z, &seq),
	   "BIOCFLUSH: the next packet is in the second buffer");
	zero_close(&z);
}

static void test_filter(void)
{
	struct bpf_insn insns[] = { BPF_STMT(BPF_RET | BPF_K, 20) };
	struct bpf_program program = { 1, insns };
	struct zero z = zero_listen(PAGE);
	struct bpf_hdr *h;
	struct frame f;

	make_frame(&f, 1, 100);
	f.type = htons(ETHERTYPE + 1);
	send_raw("eth0", &f, 100);
	equal(rotate(&z).bz_buflen, 0,
	      "a frame that the filter rejects is in no buffer");
	fill(&z, 1, 1, 100);
	equal(ioctl(z.fd, BIOCSETF, &program), 0, "BIOCSETF succeeds");
	equal(rotate(&z).bz_buflen, 0, "BIOCSETF empties the buffers");
	send_frames("eth0", 1, 1, 100);
	equal(rotate(&z).bz_buflen, 56,
	      "BIOCSETF of a filter that keeps 20 bytes: the packet has 56 with header");
	h = (struct bpf_hdr *)packets(&z, z.next);
	ok(h->bh_caplen == 20 && h->bh_datalen == 100,
	   "BIOCSETF of a filter that keeps 20 bytes: lengths are 20 and 100");
	zero_close(&z);
}

/* Frames of all sizes through buffers of all sizes. */
static void test_stream(size_t len, unsigned int frames)
{
	struct zero z = zero_listen(len);
	uint32_t seq = 0, sent = 0;
	int good = 1;

	while (sent < frames) {
		/* No more at once than fit into a buffer. */
		unsigned int size = 60 + sent * 37 % 1400;
		unsigned int n = 1 + len / 2 / (size + 40) % 13;

		fill(&z, sent, n, size);
		sent += n;
		while (available(&z) || readable(z.fd, 0)) {
			good &= check_next(&z, &seq);
			finish_next(&z);
		}
	}
	equal(stats(z.fd).bs_capt, sent,
	      "buffers of %zu bytes: every frame is captured", len);
	equal(stats(z.fd).bs_drop, 0,
	      "buffers of %zu bytes: no frame is dropped", len);
	good &= read_all(&z, &seq);
	ok(good && seq == sent,
	   "buffers of %zu bytes: every frame once and in order [BPF-ZBUF-3]",
	   len);
	zero_close(&z);
}

/* Return the number of lines of /proc/net/bpf with these words. */
static int told(const char *words)
{
	FILE *f = fopen("/proc/net/bpf", "r");
	char line[256];
	int n = 0;

	while (f && fgets(line, sizeof(line), f))
		n += strstr(line, words) != NULL;
	if (!f)
		bail("/proc/net/bpf");
	fclose(f);
	return n;
}

/* More descriptors than the device's 16 queues for listeners. */
static void test_many(void)
{
	unsigned int i, good = 0;
	struct zero z[20];
	char others[32];

	for (i = 0; i < 20; i++)
		z[i] = zero_listen(PAGE);
	equal(told(" zerocopy device "), device_fills() ? 16 : 0,
	      "20 descriptors: the device fills the buffers of the first 16 [BPF-ZBUF-12]");
	snprintf(others, sizeof(others), " zerocopy %s ", filter_engine());
	equal(told(others), device_fills() ? 4 : 20,
	      "20 descriptors: the kernel fills the buffers of the others [BPF-ZBUF-12]");
	send_frames("eth0", 0, 10, 100);
	for (i = 0; i < 20; i++) {
		uint32_t seq = 0;

		good += stats(z[i].fd).bs_capt == 10 && read_all(&z[i], &seq) &&
			seq == 10;
		zero_close(&z[i]);
	}
	equal(good, 20, "20 descriptors: all get every frame [BPF-ZBUF-12]");
}

/* The memory is charged, and uncharged at the end. */
static void test_limits(void)
{
	static const struct rlimit none = { 8 * PAGE, 8 * PAGE };
	char usual[32];
	struct zero z;
	pid_t pid;
	int status, fd, i;

	read_file(MAXUSERMEM, usual, sizeof(usual));
	write_file(MAXUSERMEM, "65536");
	fd = open_zero(O_RDWR);
	equal(error_of(set_buffers(fd, map_pages(9 * PAGE), map_pages(9 * PAGE),
				   9 * PAGE)), ENOBUFS,
	      "BIOCSETZBUF with more than net.bpf.maxusermem is ENOBUFS [BPF-ZBUF-2]");
	equal(set_buffers(fd, map_pages(8 * PAGE), map_pages(8 * PAGE),
			  8 * PAGE), 0,
	      "BIOCSETZBUF with exactly net.bpf.maxusermem succeeds");
	close(fd);
	for (i = 0; i < 20; i++) {
		z = zero_listen(8 * PAGE);
		zero_close(&z);
	}
	ok(i == 20,
	   "close gives charged memory back: 20 descriptors one after the other");
	write_file(MAXUSERMEM, usual);

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		fd = open_zero(O_RDWR);
		if (setrlimit(RLIMIT_MEMLOCK, &none) || setuid(1000))
			_exit(100);
		if (error_of(set_buffers(fd, map_pages(5 * PAGE),
					 map_pages(5 * PAGE), 5 * PAGE)) !=
		    ENOMEM)
			_exit(1);
		if (set_buffers(fd, map_pages(4 * PAGE), map_pages(4 * PAGE),
				4 * PAGE))
			_exit(2);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	equal(status, 0,
	      "BIOCSETZBUF with more than the process may lock is ENOMEM [BPF-ZBUF-2]");
}

int main(void)
{
	test_modes();
	test_locked();
	test_maximum();
	test_bad_buffers();
	test_rotation();
	test_rotate();
	test_cut();
	test_drops();
	test_memory_only();
	test_flush();
	test_filter();
	test_stream(PAGE, 2000);
	test_stream(7 * PAGE, 2000);
	test_stream(4 << 20, 6000);
	test_many();
	test_limits();
	return done_testing();
}
