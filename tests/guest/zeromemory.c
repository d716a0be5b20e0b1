// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The memory of zero-copy buffers: which kinds are allowed, and what happens
 * when the program uses it for something else.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "zbuf.h"

#define DRIVER	"/sys/bus/virtio/drivers/virtio_capture"
#define LEN	(4 * PAGE)
#define HUGE	(2 << 20)
#define PATTERN	0x5a

static int error_with(void *a, void *b, size_t len)
{
	int fd = open_zero(O_RDWR), error = error_of(set_buffers(fd, a, b, len));

	close(fd);
	return error;
}

/* Map a file of a real file system: ramfs has its files in memory. */
static void *map_file(size_t len)
{
	void *p;
	int fd;

	mkdir("/ramfs", 0700);
	if (mount("none", "/ramfs", "ramfs", 0, NULL) < 0)
		bail("ramfs");
	fd = open("/ramfs/file", O_RDWR | O_CREAT, 0600);
	if (fd < 0 || ftruncate(fd, len))
		bail("/ramfs/file");
	p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		bail("mmap of a file");
	close(fd);
	return p;
}

static void test_refused(void)
{
	uint8_t *good = map_pages(LEN), *bad = map_pages(LEN);
	long before = pinned();
	void *file = map_file(LEN);

	mprotect(bad, LEN, PROT_READ);
	equal(error_with(good, bad, LEN), EFAULT,
	      "BIOCSETZBUF, second buffer read-only: EFAULT [BPF-SETZBUF-3]");
	equal(error_with(bad, good, LEN), EFAULT,
	      "BIOCSETZBUF, first buffer read-only: EFAULT");
	mprotect(bad, LEN, PROT_NONE);
	equal(error_with(good, bad, LEN), EFAULT,
	      "BIOCSETZBUF, memory without access: EFAULT");
	mprotect(bad, LEN, PROT_READ | PROT_WRITE);
	munmap(bad + LEN - PAGE, PAGE);
	equal(error_with(good, bad, LEN), EFAULT,
	      "BIOCSETZBUF, a page is not mapped: EFAULT");
	munmap(bad, LEN - PAGE);
	equal(error_with(good, bad, LEN), EFAULT,
	      "BIOCSETZBUF, no page is mapped: EFAULT");
	equal(error_with(good, (void *)-(long)PAGE, PAGE), EINVAL,
	      "BIOCSETZBUF, last page of the address space: EINVAL");
	equal(error_with(good, (void *)-(1L << 40), PAGE), EFAULT,
	      "BIOCSETZBUF, the kernel's addresses: EFAULT");
	equal(error_with(good, file, LEN), EFAULT,
	      "BIOCSETZBUF, a shared mapping of a file: EFAULT [BPF-SETZBUF-3]");
	equal(pinned(), before,
	      "BIOCSETZBUF that fails leaves no memory pinned");
	equal(locked_kib(), 0,
	      "BIOCSETZBUF that fails leaves no memory charged");
	munmap(good, LEN);
	munmap(file, LEN);
	umount("/ramfs");
}

/* Map shared memory; @order: each page separately, in another order. */
static void *map_shared(int fd, size_t len, int order)
{
	size_t n = len / PAGE, i;
	uint8_t *p;

	p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		bail("mmap of shared memory");
	for (i = 0; order && i < n; i++)
		if (mmap(p + i * PAGE, PAGE, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_FIXED, fd,
			 (i * 7 + 3) % n * PAGE) == MAP_FAILED)
			bail("mmap of a page");
	return p;
}

static int shared_memory(size_t len)
{
	int fd = memfd_create("buffer", 0);

	if (fd < 0 || ftruncate(fd, len))
		bail("memfd");
	return fd;
}

/* Capture enough frames to use all of the memory several times. */
static void check_memory(const char *name, void *a, void *b, size_t len)
{
	struct zero z = zero_at(a, b, len);
	uint32_t seq = 0, sent = 0, size = 1000;
	uint64_t drops = 0;
	int good = 1, n;

	while (sent * (uint64_t)size < 5 * len) {
		n = len / 2 / size < 50 ? len / 2 / size : 50;
		send_frames("eth0", sent, n, size);
		sent += n;
		drops = stats(z.fd).bs_drop;
		while (available(&z)) {
			good &= check_next(&z, &seq);
			finish_next(&z);
		}
	}
	good &= read_all(&z, &seq);
	ok(good && seq == sent && !drops, "%s: every frame once and in order",
	   name);
	zero_close(&z);
}

/* One mapping each: Linux 6.1.192 has a locking warning if one is split. */
static void *map_huge(void)
{
	void *p = mmap(NULL, HUGE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);

	if (p == MAP_FAILED)
		bail("huge pages");
	return p;
}

static void test_huge(void)
{
	if (access("/sys/kernel/mm/hugepages/hugepages-2048kB", F_OK)) {
		ok(1, "huge pages # SKIP the kernel has none of 2 MiB");
		return;
	}
	write_file("/proc/sys/vm/nr_hugepages", "4");
	check_memory("huge pages", map_huge(), map_huge(), HUGE);
	write_file("/proc/sys/vm/nr_hugepages", "0");
}

static void test_kinds(void)
{
	int a = shared_memory(LEN), b = shared_memory(LEN);
	uint8_t *p, *q;

	check_memory("shared memory", map_shared(a, LEN, 0),
		     map_shared(b, LEN, 0), LEN);
	p = map_shared(a, LEN, 0);
	q = map_shared(a, LEN, 0);
	equal(error_with(p, q, LEN), EINVAL,
	      "BIOCSETZBUF, one page mapped at two addresses: EINVAL [BPF-SETZBUF-2]");
	close(a);
	close(b);

	a = shared_memory(64 * PAGE);
	b = shared_memory(64 * PAGE);
	check_memory("pages in any order", map_shared(a, 64 * PAGE, 1),
		     map_shared(b, 64 * PAGE, 1), 64 * PAGE);
	close(a);
	close(b);

	p = map_pages(4 * HUGE);
	p = (uint8_t *)(((uintptr_t)p + HUGE - 1) & -(uintptr_t)HUGE);
	madvise(p, 3 * HUGE, MADV_HUGEPAGE);
	memset(p, 0, 3 * HUGE);
	check_memory("transparent huge pages", p, p + HUGE, HUGE);
	munmap(p + 2 * HUGE, HUGE);
}

static int untouched(const uint8_t *p, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		if (p[i] != PATTERN)
			return 0;
	return 1;
}

/* Send enough frames to overfill both buffers. */
static void flood(const struct zero *z)
{
	int i;

	for (i = 0; i < 4; i++) {
		send_frames("eth0", 0, 20, 1000);
		stats(z->fd);
	}
}

static void test_unmapped(void)
{
	struct zero z = zero_listen(LEN);
	uint8_t *p;

	send_frames("eth0", 0, 3, 100);
	munmap(z.buf[0], LEN);
	munmap(z.buf[1], LEN);
	p = mmap(z.buf[0], LEN, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	memset(p, PATTERN, LEN);
	flood(&z);
	equal(stats(z.fd).bs_capt, 83, "buffers unmapped: capture goes on");
	ok(untouched(p, LEN),
	   "buffers unmapped: new memory at the address is not written");
	ok(readable(z.fd, 0), "buffers unmapped: readable");
	ok(rotate(&z).bz_buflen == 0,
	   "buffers unmapped: BIOCROTZBUF gives no other buffer");
	close(z.fd);
	ok(untouched(p, LEN),
	   "buffers unmapped: close does not write the new memory");
	munmap(p, LEN);
}

static void test_discarded(void)
{
	struct zero z = zero_listen(LEN);

	send_frames("eth0", 0, 3, 100);
	rotate(&z);
	equal(madvise(z.buf[0], LEN, MADV_DONTNEED), 0,
	      "madvise(MADV_DONTNEED) of the first buffer succeeds");
	equal(madvise(z.buf[1], LEN, MADV_DONTNEED), 0,
	      "madvise(MADV_DONTNEED) of the second buffer succeeds");
	memset(z.buf[0], PATTERN, LEN);
	memset(z.buf[1], PATTERN, LEN);
	flood(&z);
	equal(stats(z.fd).bs_capt, 83, "pages discarded: capture goes on");
	ok(untouched(z.buf[0], LEN) && untouched(z.buf[1], LEN),
	   "pages discarded: the new pages are not written");
	zero_close(&z);
}

static void test_moved(void)
{
	struct zero z = zero_listen(LEN);
	uint8_t *old = z.buf[0];
	struct bpf_zbuf zbuf;
	uint32_t seq = 0;

	z.buf[0] = mremap(old, LEN, LEN, MREMAP_MAYMOVE | MREMAP_FIXED,
			  map_pages(LEN));
	ok(z.buf[0] != MAP_FAILED && z.buf[0] != old, "mremap moves a buffer");
	send_frames("eth0", 0, 3, 100);
	zbuf = rotate(&z);
	ok(zbuf.bz_bufa == old,
	   "buffer moved: BIOCROTZBUF gives its old address");
	ok(check_next(&z, &seq) && seq == 3,
	   "buffer moved: the packets are at the new address");
	zero_close(&z);
}

static void test_fork(void)
{
	struct zero z = zero_listen(LEN);
	uint32_t seq = 0;
	int ends[2], status;
	pid_t pid;
	char c = 0;

	fflush(stdout);
	send_frames("eth0", 0, 3, 100);
	rotate(&z);
	if (pipe(ends))
		bail("pipe");
	pid = fork();
	if (pid == 0) {
		int good = check_next(&z, &seq) && seq == 3;

		close(ends[1]);
		memset(z.buf[0], PATTERN, LEN);
		memset(z.buf[1], PATTERN, LEN);
		flood(&z);
		good &= read(ends[0], &c, 1) == 0;
		good &= untouched(z.buf[0], LEN) && untouched(z.buf[1], LEN);
		/* The parent continues; the descriptor is still shared. */
		good &= stats(z.fd).bs_capt >= 83;
		_exit(!good);
	}
	close(ends[0]);
	ok(check_next(&z, &seq) && seq == 3,
	   "after fork: the parent gets its packets");
	finish_next(&z);
	while (stats(z.fd).bs_capt < 83)
		usleep(1000);
	while (available(&z) || rotate(&z).bz_buflen)
		finish_next(&z);
	seq = 1000;
	send_frames("eth0", seq, 2, 100);
	rotate(&z);
	ok(check_next(&z, &seq) && seq == 1002,
	   "after fork: the parent's capture goes on");
	close(ends[1]);
	waitpid(pid, &status, 0);
	equal(status, 0, "after fork: the child's memory is not written");
	zero_close(&z);
}

/* The process that set the buffers exits; another has the descriptor. */
static void test_exit(void)
{
	int fds[2], fd, status;
	char c = 0, control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec iov = { &c, 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1,
			      .msg_control = control,
			      .msg_controllen = sizeof(control) };
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
	uint64_t before;
	struct bpf_zbuf zbuf;
	uint8_t *p;
	pid_t pid;

	fflush(stdout);
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds))
		bail("socketpair");
	pid = fork();
	if (pid == 0) {
		struct zero z = zero_listen(LEN);

		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(cmsg), &z.fd, sizeof(int));
		send_frames("eth0", 0, 3, 100);
		rotate(&z);
		_exit(sendmsg(fds[1], &msg, 0) != 1);
	}
	if (recvmsg(fds[0], &msg, 0) != 1)
		bail("recvmsg");
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(int));
	waitpid(pid, &status, 0);
	equal(status, 0,
	      "process that set buffers ends after sending the descriptor to another");
	/* If the memory had been freed, this process would get it. */
	p = map_pages(32 << 20);
	memset(p, PATTERN, 32 << 20);
	before = stats(fd).bs_capt;
	send_frames("eth0", 0, 100, 1000);
	equal(stats(fd).bs_capt, before + 100,
	      "process ended: capture goes on for the other one");
	ok(untouched(p, 32 << 20),
	   "process ended: no memory of the other one is written");
	equal(ioctl(fd, BIOCROTZBUF, &zbuf), 0,
	      "process ended: BIOCROTZBUF succeeds");
	close(fd);
	ok(untouched(p, 32 << 20),
	   "process ended: close writes no memory of the other one");
	munmap(p, 32 << 20);
	close(fds[0]);
	close(fds[1]);
}

/* Processes are killed during a capture. */
static void test_killed(void)
{
	long before = pinned();
	int i;

	fflush(stdout);
	for (i = 0; i < 10; i++) {
		pid_t pid = fork();

		if (pid == 0) {
			struct zero z = zero_listen(LEN);

			for (;;)
				flood(&z);
		}
		usleep(20000 * i);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	/* The kernel does the last close a moment later. */
	for (i = 0; i < 1000 && pinned() != before; i++)
		usleep(10000);
	equal(pinned(), before, "process killed: no memory stays pinned");
}

/* Another program in the same process has only the descriptor. */
static int after_exec(int fd)
{
	uint8_t *p = map_pages(16 << 20);
	struct bpf_zbuf zbuf;
	uint64_t before = stats(fd).bs_capt;

	memset(p, PATTERN, 16 << 20);
	send_frames("eth0", 0, 100, 1000);
	if (stats(fd).bs_capt != before + 100 || !readable(fd, 0) ||
	    ioctl(fd, BIOCROTZBUF, &zbuf) || !untouched(p, 16 << 20))
		return 1;
	close(fd);
	return !untouched(p, 16 << 20) || locked_kib() != 0;
}

static void test_exec(void)
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		struct zero z = zero_listen(LEN);
		char text[16];

		send_frames("eth0", 0, 3, 100);
		rotate(&z);
		snprintf(text, sizeof(text), "%d", z.fd);
		execl("/proc/self/exe", "zeromemory", text, NULL);
		_exit(100);
	}
	waitpid(pid, &status, 0);
	equal(status, 0, "exec: the next program's memory is not written");
}

/* Unbind or bind the device without which eth0 cannot be captured. */
static void unbind(int bind)
{
	static char names[8][64];
	static int n, found = -1;
	struct dirent *entry;
	DIR *dir;
	int fd, i;

	if (bind) {
		write_file(DRIVER "/bind", names[found]);
		return;
	}
	dir = opendir(DRIVER);
	for (n = 0; dir && (entry = readdir(dir)) && n < 8;)
		if (!strncmp(entry->d_name, "virtio", 6))
			snprintf(names[n++], 64, "%.63s", entry->d_name);
	closedir(dir);
	for (i = 0; i < n; i++) {
		write_file(DRIVER "/unbind", names[i]);
		fd = open_bpf(O_RDWR);
		found = i;
		if (attach(fd, "eth0") < 0) {
			close(fd);
			return;
		}
		close(fd);
		write_file(DRIVER "/bind", names[i]);
	}
	bail("no capture device of eth0");
}

static void test_gone(void)
{
	struct zero z;
	struct bpf_zbuf zbuf;
	uint32_t seq = 0;

	/* The first call finds the device by unbinding and binding others. */
	unbind(0);
	unbind(1);
	z = zero_listen(LEN);
	send_frames("eth0", 0, 20, 1000);
	unbind(0);
	ok(readable(z.fd, 0), "interface gone: readable");
	while (available(&z)) {
		ok(check_next(&z, &seq),
		   "interface gone: the program gets packets up to %u", seq);
		finish_next(&z);
		readable(z.fd, 0);
	}
	equal(seq, 20,
	      "interface gone: the last packets are the program's [BPF-ZBUF-14]");
	ok(readable(z.fd, 0), "interface gone, nothing left: readable");
	equal(error_of(ioctl(z.fd, BIOCROTZBUF, &zbuf)), EIO,
	      "interface gone, nothing left: BIOCROTZBUF is EIO [BPF-ZBUF-14]");
	equal(stats(z.fd).bs_capt, 20,
	      "interface gone: BIOCGSTATS gives the counts");
	zero_close(&z);
	unbind(1);
}

/* The machine is suspended, and its devices reset, during a capture. */
static void test_suspend(void)
{
	struct zero z;
	uint32_t seq = 0;
	int good;

	if (access("/sys/power/pm_test", F_OK)) {
		ok(1, "suspend # SKIP the kernel cannot");
		return;
	}
	z = zero_listen(LEN);
	send_frames("eth0", 0, 3, 100);
	rotate(&z);
	send_frames("eth0", 3, 2, 100);
	write_file("/sys/module/suspend/parameters/pm_test_delay", "0");
	write_file("/sys/power/pm_test", "devices");
	write_file("/sys/power/state", "freeze");
	good = check_next(&z, &seq);
	ok(good && seq == 3,
	   "suspend: the buffer that the program has stays as it was");
	finish_next(&z);
	/* The other buffer has at most what came before the suspend. */
	readable(z.fd, 0);
	send_frames("eth0", 5, 4, 100);
	ok(read_all(&z, &seq) && seq == 9,
	   "suspend: capture goes on with the next packet");
	equal(stats(z.fd).bs_drop, 0, "suspend: no packet is dropped");
	zero_close(&z);
}

int main(int argc, char **argv)
{
	long before = pinned();
	int i;

	if (argc > 1)
		return after_exec(atoi(argv[1]));
	test_refused();
	test_kinds();
	test_huge();
	test_unmapped();
	test_discarded();
	test_moved();
	test_fork();
	test_exit();
	test_killed();
	test_exec();
	test_gone();
	test_suspend();
	for (i = 0; i < 1000 && pinned() != before; i++)
		usleep(10000);
	equal(pinned(), before, "in the end no memory is pinned");
	equal(locked_kib(), 0, "in the end no memory is charged");
	return done_testing();
}
