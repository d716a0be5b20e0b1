// SPDX-License-Identifier: GPL-2.0-or-later
/* What one user has of descriptors and memory, and what that leaves others. */
#define _GNU_SOURCE
#include <grp.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "guest.h"

#define MAXUSERMEM	"/proc/sys/net/bpf/maxusermem"
#define MAXBUFSIZE	"/proc/sys/net/bpf/maxbufsize"
#define LIMIT		"/sys/module/virtio_capture/parameters/descriptors"
#define BPF_GROUP	1234
#define USER		1000
#define OTHER		1001
#define MANY		4096

/* A process of a user that has opened what it could. */
struct holder {
	pid_t pid;
	int got;	/* descriptors, with buffers if they were asked for */
	int error;	/* then */
};

static unsigned long read_number(const char *path)
{
	FILE *f = fopen(path, "r");
	unsigned long value;

	if (!f || fscanf(f, "%lu", &value) != 1)
		bail(path);
	fclose(f);
	return value;
}

/* Open up to @n descriptors; @size: attach them, with buffers of that. */
static void take(struct holder *h, int n, unsigned int size)
{
	int fd;

	for (h->got = 0; h->got < n; h->got++) {
		fd = open("/dev/bpf", O_RDWR);
		if (fd < 0)
			break;
		if (!size)
			continue;
		set(fd, BIOCSBLEN, size);
		if (attach(fd, "eth0") < 0)
			break;
	}
	h->error = h->got < n ? errno : 0;
}

/* Have a process of a user do that, and hold it until release(). */
static struct holder hold(int real, int effective, int n, unsigned int size)
{
	struct holder h;
	int ends[2];
	pid_t pid;

	fflush(stdout);
	if (pipe(ends))
		bail("pipe");
	h.pid = fork();
	if (h.pid == 0) {
		if (setgroups(0, NULL) || setgid(BPF_GROUP) ||
		    setresuid(real, effective, effective))
			bail("setresuid");
		take(&h, n, size);
		if (write(ends[1], &h, sizeof(h)) != sizeof(h))
			bail("write");
		for (;;)
			pause();
	}
	close(ends[1]);
	pid = h.pid;
	if (read(ends[0], &h, sizeof(h)) != sizeof(h))
		bail("read");
	h.pid = pid;
	close(ends[0]);
	return h;
}

static void release(struct holder *h)
{
	kill(h->pid, SIGKILL);
	waitpid(h->pid, NULL, 0);
}

/* The error of one more, of a user or of root. */
static int one_more(int user, unsigned int size)
{
	struct holder h = hold(user, user, 1, size);

	release(&h);
	return h.error;
}

static void test_descriptors(void)
{
	struct holder h;

	write_file(LIMIT, "4");
	h = hold(USER, USER, 5, 0);
	equal(h.got, 4, "a user has as many as the parameter says");
	equal(h.error, ENOBUFS, "and no more");
	equal(one_more(USER, 0), ENOBUFS, "in another process neither");
	equal(one_more(OTHER, 0), 0, "another user has as many [BPF-OPEN-3]");
	equal(one_more(0, 0), 0, "so has root");
	release(&h);
	equal(one_more(USER, 0), 0, "what is closed can be opened again");

	h = hold(USER, 0, 4, 0);
	equal(h.got, 4, "a program that is root for a user");
	equal(one_more(USER, 0), ENOBUFS, "counts for the user [BPF-OPEN-3]");
	equal(one_more(0, 0), 0, "not for root");
	release(&h);

	h = hold(0, 0, 5, 0);
	equal(h.error, ENOBUFS, "root, too, has a limit");
	equal(one_more(USER, 0), 0, "which is not the users'");
	release(&h);
}

/* Who has many user IDs is not everybody. */
static void test_all_descriptors(void)
{
	static const struct rlimit many = { 5000, 5000 };
	struct holder h, other;

	if (setrlimit(RLIMIT_NOFILE, &many))
		bail("setrlimit");
	write_file(LIMIT, "4096");
	h = hold(USER, USER, MANY - 10, 0);
	equal(h.error, 0, "nearly all descriptors there are");
	other = hold(OTHER, OTHER, MANY, 0);
	equal(other.got, 10, "leave other users the rest [BPF-OPEN-4]");
	equal(other.error, ENOBUFS, "and no more");
	equal(one_more(USER, 0), ENOBUFS, "nor the first one");
	equal(one_more(0, 0), 0, "but root can open more [BPF-OPEN-4]");
	release(&other);
	release(&h);
	write_file(LIMIT, "256");
}

static void test_memory(const char *usual)
{
	struct holder h;

	write_file(MAXUSERMEM, "1048576");
	h = hold(USER, USER, 5, 131072);
	equal(h.got, 4, "a user's buffers have the memory that he may have");
	equal(h.error, ENOBUFS,
	      "BIOCSETIF fails if they had more [BPF-SETIF-4]");
	equal(one_more(USER, 32), ENOBUFS, "that limits all of the user's processes,");
	equal(one_more(USER, 0), 0, "a descriptor without buffers can be had");
	equal(one_more(OTHER, 131072), 0, "not another user");
	equal(one_more(0, 131072), 0, "nor root");
	write_file(MAXUSERMEM, "4096");
	ok(!kill(h.pid, 0), "a lower limit leaves open descriptors alone");
	write_file(MAXUSERMEM, "1048576");
	release(&h);
	equal(one_more(USER, 131072), 0, "what is closed gives memory back");

	write_file(MAXUSERMEM, "16384");
	h = hold(USER, USER, 3, 32);
	equal(h.got, 2, "the smallest buffer is a page");
	release(&h);
	write_file(MAXUSERMEM, usual);
}

/* The same descriptor with less, as libpcap does it. */
static void test_halving(const char *usual)
{
	unsigned int size = 524288, tries = 0;
	int fd = open_bpf(O_RDWR);

	write_file(MAXUSERMEM, "200000");
	for (; size > 32; size /= 2, tries++) {
		set(fd, BIOCSBLEN, size);
		if (!attach(fd, "eth0") || errno != ENOBUFS)
			break;
	}
	equal(size, 65536,
	      "a program that halves its buffer gets one [BPF-SETIF-4]");
	equal(tries, 3, "after ENOBUFS");
	write_file(MAXUSERMEM, usual);
	close(fd);
}

static void test_all_memory(const char *usual)
{
	struct holder h;

	write_file(MAXUSERMEM, "1000000000000");
	h = hold(USER, USER, 200, 1048576);
	ok(h.got > 8, "a user with %d MiB of buffers", 2 * h.got);
	equal(h.error, ENOBUFS, "cannot have all memory");
	equal(one_more(OTHER, 1048576), ENOBUFS,
	      "nor can all users together [BPF-SETIF-4]");
	equal(one_more(0, 1048576), 0, "but root can have some");
	release(&h);
	equal(one_more(OTHER, 1048576), 0, "what is closed makes room for all");
	write_file(MAXUSERMEM, usual);
}

static void test_defaults(unsigned long usual)
{
	struct holder h;

	equal(read_number(LIMIT), 256, "256 descriptors by default");
	equal(read_number(MAXBUFSIZE), 4194304, "buffers of 4 MiB");
	ok(usual > (20 << 20) && usual <= (64 << 20),
	   "memory for buffers by default: %lu", usual);
	h = hold(USER, USER, 25, 524288);
	equal(h.got, usual >> 20 < 25 ? usual >> 20 : 25,
	      "that is so many programs with libpcap's buffers");
	release(&h);
}

int main(void)
{
	char usual[32];

	snprintf(usual, sizeof(usual), "%lu", read_number(MAXUSERMEM));
	if (chown("/dev/bpf", 0, BPF_GROUP))
		bail("chown");
	test_defaults(read_number(MAXUSERMEM));
	test_descriptors();
	test_all_descriptors();
	test_memory(usual);
	test_halving(usual);
	test_all_memory(usual);
	if (chown("/dev/bpf", 0, 0))
		bail("chown");
	return done_testing();
}
