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
	      "at first the buffers are the kernel's [BPF-GETBUFMODE-1]");
	equal(set_errno(fd, BIOCSETBUFMODE, 0), EINVAL,
	      "there is no mode 0 [BPF-SETBUFMODE-1]");
	equal(set_errno(fd, BIOCSETBUFMODE, 3), EINVAL,
	      "nor a third one [BPF-SETBUFMODE-1]");
	equal(error_of(ioctl(fd, BIOCGETZMAX, &max)), EOPNOTSUPP,
	      "kernel's buffers: BIOCGETZMAX [BPF-ZBUF-1]");
	equal(error_of(set_buffers(fd, a, b, PAGE)), EOPNOTSUPP,
	      "kernel's buffers: BIOCSETZBUF [BPF-ZBUF-1]");
	equal(error_of(ioctl(fd, BIOCROTZBUF, &zbuf)), EOPNOTSUPP,
	      "kernel's buffers: BIOCROTZBUF [BPF-ZBUF-1]");
	set(fd, BIOCSETBUFMODE, BPF_BUFMODE_ZBUF);
	equal(get(fd, BIOCGETBUFMODE), BPF_BUFMODE_ZBUF, "the mode is set");
	set(fd, BIOCSETBUFMODE, BPF_BUFMODE_BUFFER);
	set(fd, BIOCSETBUFMODE, BPF_BUFMODE_ZBUF);
	equal(set_errno(fd, BIOCSBLEN, 4096), EOPNOTSUPP,
	      "program's buffers: BIOCSBLEN [BPF-ZBUF-1]");
	equal(get(fd, BIOCGBLEN), 32768, "BIOCGBLEN without buffers");
	equal(error_of(read(fd, buf, sizeof(buf))), EOPNOTSUPP,
	      "program's buffers: read [BPF-ZBUF-1]");
	equal(error_of(attach(fd, "eth0")), EINVAL,
	      "BIOCSETIF without buffers [BPF-SETIF-10]");
	equal(ioctl(fd, BIOCROTZBUF, &zbuf), 0, "BIOCROTZBUF without buffers");
	ok(!zbuf.bz_bufa && !zbuf.bz_bufb && !zbuf.bz_buflen, "gives zeros");
	a[0] = 1;
	a[8] = 2;
	a[31] = 3;
	equal(set_buffers(fd, a, b, PAGE), 0, "BIOCSETZBUF");
	equal(set_errno(fd, BIOCSETBUFMODE, BPF_BUFMODE_BUFFER), EBUSY,
	      "with buffers the mode stays [BPF-SETBUFMODE-2]");
	equal(error_of(set_buffers(fd, a, b, PAGE)), EINVAL,
	      "buffers are set once [BPF-SETZBUF-4]");
	equal(get(fd, BIOCGBLEN), ROOM,
	      "BIOCGBLEN: what packets can use [BPF-GBLEN-2]");
	equal(error_of(attach(fd, "eth9")), ENXIO, "BIOCSETIF that fails");
	equal(attach(fd, "eth0"), 0, "and one that does not");
	ok(!a[0] && !a[8] && !a[31], "the headers are zeros");
	equal(set_errno(fd, BIOCSETBUFMODE, BPF_BUFMODE_ZBUF), EBUSY,
	      "attached the mode stays [BPF-SETBUFMODE-2]");
	equal(error_of(read(fd, buf, sizeof(buf))), EOPNOTSUPP,
	      "attached: read");
	equal(error_of(read(fd, a, ROOM)), EOPNOTSUPP,
	      "attached: read of the right size");
	close(fd);
	fd = open_bpf(O_RDWR);
	attach(fd, "eth0");
	equal(set_errno(fd, BIOCSETBUFMODE, BPF_BUFMODE_ZBUF), EBUSY,
	      "attached with the kernel's: they stay [BPF-SETBUFMODE-2]");
	close(fd);
}

static void test_locked(void)
{
	uint8_t *a = map_pages(PAGE), *b = map_pages(PAGE);
	struct bpf_zbuf zbuf;
	int fd = open_zero(O_RDWR);
	size_t max;

	equal(ioctl(fd, BIOCLOCK), 0, "locked");
	equal(set_errno(fd, BIOCSETBUFMODE, BPF_BUFMODE_BUFFER), EPERM,
	      "locked: BIOCSETBUFMODE");
	equal(error_of(set_buffers(fd, a, b, PAGE)), EPERM,
	      "locked: BIOCSETZBUF");
	equal(ioctl(fd, BIOCROTZBUF, &zbuf), 0, "locked: BIOCROTZBUF");
	equal(ioctl(fd, BIOCGETZMAX, &max), 0, "locked: BIOCGETZMAX");
	equal(get(fd, BIOCGETBUFMODE), BPF_BUFMODE_ZBUF,
	      "locked: BIOCGETBUFMODE");
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
	equal(zmax(), 4 << 20, "the largest buffer is 4 MiB [BPF-GETZMAX-1]");
	write_file(MAXBUFSIZE, "16777216");
	equal(zmax(), 4 << 20, "and never larger");
	write_file(MAXBUFSIZE, "100000");
	equal(zmax(), 24 * PAGE,
	      "maxbufsize lowers it, to whole pages [BPF-GETZMAX-1]");
	write_file(MAXBUFSIZE, "32");
	equal(zmax(), PAGE, "but a page there is");
	write_file(MAXBUFSIZE, usual);
}

static void test_bad_buffers(void)
{
	size_t len = 4 << 20;
	uint8_t *a = map_pages(len + PAGE), *b = map_pages(len + PAGE);
	int fd = open_zero(O_RDWR);

	equal(error_of(set_buffers(fd, NULL, b, PAGE)), EINVAL,
	      "no first one [BPF-SETZBUF-1]");
	equal(error_of(set_buffers(fd, a, NULL, PAGE)), EINVAL,
	      "no second one");
	equal(error_of(set_buffers(fd, a, b, 0)), EINVAL,
	      "no size [BPF-SETZBUF-1]");
	equal(error_of(set_buffers(fd, a, b, PAGE / 2)), EINVAL,
	      "half a page [BPF-SETZBUF-1]");
	equal(error_of(set_buffers(fd, a, b, PAGE + 8)), EINVAL,
	      "a page and some bytes");
	equal(error_of(set_buffers(fd, a + 8, b, PAGE)), EINVAL,
	      "the first one not at a page [BPF-SETZBUF-1]");
	equal(error_of(set_buffers(fd, a, b + 2048, PAGE)), EINVAL,
	      "nor the second one");
	equal(error_of(set_buffers(fd, a, b, len + PAGE)), EINVAL,
	      "a page too long [BPF-SETZBUF-1]");
	equal(error_of(set_buffers(fd, a, a, PAGE)), EINVAL,
	      "the same memory twice [BPF-SETZBUF-2]");
	equal(error_of(set_buffers(fd, a, a + PAGE, 2 * PAGE)), EINVAL,
	      "and a part of it");
	equal(error_of(ioctl(fd, BIOCSETZBUF, NULL)), EFAULT,
	      "BIOCSETZBUF: a bad address");
	equal(error_of(ioctl(fd, BIOCROTZBUF, NULL)), EFAULT,
	      "BIOCROTZBUF: a bad address");
	equal(get(fd, BIOCGBLEN), 32768, "nothing was set");
	equal(set_buffers(fd, a, a + PAGE, PAGE), 0,
	      "one behind the other in one piece");
	close(fd);
	munmap(a, len + PAGE);
	munmap(b, len + PAGE);
}

/* Exactly full, a packet that does not fit, and what is told of both. */
static void test_rotation(void)
{
	struct zero z = zero_listen(PAGE);
	uint32_t seq = 0;

	fill(&z, 0, FIT, 96);
	ok(!owns(&z, 0) && !readable(z.fd, 0), "room for one more: the kernel's");
	equal(get(z.fd, FIONREAD), 0, "nothing to be had");
	fill(&z, FIT, 1, LAST);
	ok(owns(&z, 0), "exactly full: the program's [BPF-ZBUF-4]");
	ok(!owns(&z, 1), "the first buffer first [BPF-ZBUF-3]");
	ok(readable(z.fd, 0), "and readable");
	equal(available(&z), ROOM, "with all its bytes");
	equal(get(z.fd, FIONREAD), ROOM, "which FIONREAD tells");
	equal(zheader(&z, 0)->bzh_kernel_gen, 1, "generation 1");
	ok(check_next(&z, &seq) && seq == FIT + 1, "every packet, in order");
	fill(&z, FIT + 1, FIT, 96);
	ok(!owns(&z, 1), "the second buffer is filled meanwhile");
	finish_next(&z);
	ok(!readable(z.fd, 0),
	   "given back: not readable any more [BPF-ZBUF-8]");
	fill(&z, 2 * FIT + 1, 1, 96);
	ok(owns(&z, 1) && !owns(&z, 0),
	   "a packet that does not fit rotates [BPF-ZBUF-4]");
	equal(available(&z), FIT * 128, "it is not split");
	ok(check_next(&z, &seq) && seq == 2 * FIT + 1, "the packets before it");
	finish_next(&z);
	equal(rotate(&z).bz_buflen, 128, "it is in the other one");
	ok(check_next(&z, &seq) && seq == 2 * FIT + 2, "whole");
	equal(zheader(&z, 0)->bzh_kernel_gen, 2, "generation 2");
	finish_next(&z);
	zero_close(&z);
}

static void test_rotate(void)
{
	struct zero z = zero_listen(2 * PAGE);
	struct bpf_zbuf zbuf = rotate(&z);
	uint32_t seq = 0;

	ok(!zbuf.bz_bufa && !zbuf.bz_bufb && !zbuf.bz_buflen,
	   "no packet: BIOCROTZBUF gives zeros [BPF-ROTZBUF-2]");
	ok(!owns(&z, 0) && !owns(&z, 1), "and nobody anything");
	rotate(&z);
	send_frames("eth0", 0, 2, 100);
	zbuf = rotate(&z);
	ok(zbuf.bz_bufa == z.buf[0] && !zbuf.bz_bufb,
	   "what was just sent is in the first buffer, still the first [BPF-ROTZBUF-1]");
	equal(zbuf.bz_buflen, 2 * 136, "and no more");
	ok(owns(&z, 0), "it is the program's");
	equal(available(&z), 2 * 136, "the header says the same");
	send_frames("eth0", 2, 1, 100);
	zbuf = rotate(&z);
	ok(!zbuf.bz_bufa && !zbuf.bz_buflen,
	   "while the program has one it gets no other [BPF-ROTZBUF-2]");
	ok(!owns(&z, 1), "by force");
	ok(check_next(&z, &seq) && seq == 2, "its packets");
	finish_next(&z);
	zbuf = rotate(&z);
	ok(zbuf.bz_bufa == z.buf[1], "but then it does");
	ok(check_next(&z, &seq) && seq == 3, "with the one that came meanwhile");
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
	equal(rotate(&z).bz_buflen, 0, "other time stamps: emptied");
	fill(&z, 1, 2, 1400);
	fill(&z, 3, 1, 1400);
	ok(owns(&z, 0), "three do not fit");
	equal(available(&z), 2 * 1432, "two do");
	h = (struct bpf_hdr *)packets(&z, 0);
	ok(h->bh_caplen == 1400 && !memcmp(packet_frame(h), &f, 1400),
	   "whole");
	zero_close(&z);
}

/* Drops when both are taken, and not before. */
static void test_drops(void)
{
	struct zero z = zero_listen(PAGE);
	uint32_t seq = 0;

	fill(&z, 0, FIT, 96);
	fill(&z, FIT, 1, LAST);
	fill(&z, FIT + 1, FIT, 96);
	equal(stats(z.fd).bs_drop, 0, "one has it, the other one has room");
	fill(&z, 1000, 1, 96);
	equal(stats(z.fd).bs_drop, 1, "no room in either: dropped");
	fill(&z, 2 * FIT + 1, 1, LAST);
	equal(stats(z.fd).bs_drop, 1, "a shorter one still fits [BPF-ZBUF-6]");
	fill(&z, 1000, 3, LAST);
	equal(stats(z.fd).bs_drop, 4, "until nothing does");
	equal(stats(z.fd).bs_capt, 2 * FIT + 6,
	      "dropped ones were accepted by the filter");
	ok(check_next(&z, &seq) && seq == FIT + 1,
	   "what the program has is untouched [BPF-ZBUF-5]");
	finish_next(&z);
	ok(readable(z.fd, 20000),
	   "given back: then the full one is there [BPF-ZBUF-6]");
	ok(check_next(&z, &seq) && seq == 2 * FIT + 2, "all of it");
	fill(&z, seq, 1, 96);
	equal(stats(z.fd).bs_drop, 4, "there is room again [BPF-ZBUF-7]");
	finish_next(&z);
	rotate(&z);
	ok(check_next(&z, &seq) && seq == 2 * FIT + 3, "for what comes next");
	zero_close(&z);
}

/* A program that makes no calls finds the next buffer all the same. */
static void test_memory_only(void)
{
	struct zero z = zero_listen(PAGE);
	uint32_t seq = 0;

	fill(&z, 0, FIT, 96);
	fill(&z, FIT, 1, LAST);
	fill(&z, FIT + 1, FIT, 96);
	fill(&z, 2 * FIT + 1, 1, LAST);
	ok(check_next(&z, &seq), "one buffer, and another that waits");
	finish_next(&z);
	while (!owns(&z, z.next))
		sched_yield();
	ok(check_next(&z, &seq) && seq == 2 * FIT + 2,
	   "which comes without a call [BPF-ZBUF-7]");
	zero_close(&z);
}

static void test_flush(void)
{
	struct zero z = zero_listen(PAGE);
	uint32_t seq = 0;

	fill(&z, 0, FIT, 96);
	fill(&z, FIT, 1, LAST);
	fill(&z, 1000, 5, 96);
	equal(ioctl(z.fd, BIOCFLUSH), 0, "BIOCFLUSH");
	equal(stats(z.fd).bs_capt, 0, "resets the counts");
	ok(owns(&z, 0) && check_next(&z, &seq) && seq == FIT + 1,
	   "but leaves the program what it has [BPF-ZBUF-11]");
	finish_next(&z);
	equal(rotate(&z).bz_buflen, 0,
	      "and empties the other one [BPF-ZBUF-11]");
	fill(&z, FIT + 1, 1, 96);
	equal(rotate(&z).bz_buflen, 128, "which is used next");
	ok(owns(&z, 1) && check_next(&z, &seq), "in its turn");
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
	equal(rotate(&z).bz_buflen, 0, "a rejected frame is not there");
	fill(&z, 1, 1, 100);
	equal(ioctl(z.fd, BIOCSETF, &program), 0, "another filter");
	equal(rotate(&z).bz_buflen, 0, "empties the buffers");
	send_frames("eth0", 1, 1, 100);
	equal(rotate(&z).bz_buflen, 56, "and cuts");
	h = (struct bpf_hdr *)packets(&z, z.next);
	ok(h->bh_caplen == 20 && h->bh_datalen == 100, "the packets");
	zero_close(&z);
}

/* Many frames of all sizes through buffers of every size. */
static void test_stream(size_t len, unsigned int frames)
{
	struct zero z = zero_listen(len);
	uint32_t seq = 0, sent = 0;
	int good = 1;

	while (sent < frames) {
		/* No more at once than a buffer has room for. */
		unsigned int size = 60 + sent * 37 % 1400;
		unsigned int n = 1 + len / 2 / (size + 40) % 13;

		fill(&z, sent, n, size);
		sent += n;
		while (available(&z) || readable(z.fd, 0)) {
			good &= check_next(&z, &seq);
			finish_next(&z);
		}
	}
	equal(stats(z.fd).bs_capt, sent, "%zu bytes: all are captured", len);
	equal(stats(z.fd).bs_drop, 0, "%zu bytes: none is dropped", len);
	good &= read_all(&z, &seq);
	ok(good && seq == sent,
	   "%zu bytes: every frame once and in order [BPF-ZBUF-3]",
	   len);
	zero_close(&z);
}

/* How many lines of /proc/net/bpf have these words. */
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

/* More of them than the 16 queues that the device has for listeners. */
static void test_many(void)
{
	unsigned int i, good = 0;
	struct zero z[20];
	char others[32];

	for (i = 0; i < 20; i++)
		z[i] = zero_listen(PAGE);
	equal(told(" zerocopy device "), device_fills() ? 16 : 0,
	      "many: the device fills the buffers of the first");
	snprintf(others, sizeof(others), " zerocopy %s ", filter_engine());
	equal(told(others), device_fills() ? 4 : 20,
	      "many: the kernel those of the others");
	send_frames("eth0", 0, 10, 100);
	for (i = 0; i < 20; i++) {
		uint32_t seq = 0;

		good += stats(z[i].fd).bs_capt == 10 && read_all(&z[i], &seq) &&
			seq == 10;
		zero_close(&z[i]);
	}
	equal(good, 20, "many: all get every frame [BPF-ZBUF-12]");
}

/* The memory is charged, and given back. */
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
	      "more than a user can have [BPF-ZBUF-2]");
	equal(set_buffers(fd, map_pages(8 * PAGE), map_pages(8 * PAGE),
			  8 * PAGE), 0, "not more");
	close(fd);
	for (i = 0; i < 20; i++) {
		z = zero_listen(8 * PAGE);
		zero_close(&z);
	}
	ok(i == 20, "a close gives it back");
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
	equal(status, 0, "no more than the process may lock [BPF-ZBUF-2]");
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
