// SPDX-License-Identifier: GPL-2.0-or-later
/* Limits of each user's descriptors and memory, and what is left for others. */
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

/* A process of a user that has opened as many descriptors as it could. */
struct holder {
	pid_t pid;
	int got;	/* number of descriptors, with buffers if requested */
	int error;	/* of the next one */
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

/* Open up to @n descriptors; if @size, attach them with such buffers. */
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

/* Have a process of a user call take(), and keep it until release(). */
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

/* Return the error of one more descriptor of a user or of root. */
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
	equal(h.got, 4,
	      "a user can have as many descriptors as the parameter says");
	equal(h.error, ENOBUFS, "a user's next descriptor is ENOBUFS");
	equal(one_more(USER, 0), ENOBUFS,
	      "a user's next descriptor in another process is ENOBUFS");
	equal(one_more(OTHER, 0), 0,
	      "another user can have descriptors when the first has all of his [BPF-OPEN-3]");
	equal(one_more(0, 0), 0,
	      "root can have descriptors when a user has all of his");
	release(&h);
	equal(one_more(USER, 0), 0,
	      "a user can open descriptors again after a close");

	h = hold(USER, 0, 4, 0);
	equal(h.got, 4,
	      "a program with root's effective ID for a user opens descriptors");
	equal(one_more(USER, 0), ENOBUFS,
	      "descriptors of a program with root's effective ID count for the user [BPF-OPEN-3]");
	equal(one_more(0, 0), 0,
	      "descriptors of a program with root's effective ID do not count for root");
	release(&h);

	h = hold(0, 0, 5, 0);
	equal(h.error, ENOBUFS,
	      "root's descriptor above the parameter is ENOBUFS");
	equal(one_more(USER, 0), 0,
	      "a user can have descriptors when root has all of its");
	release(&h);
}

/* A user with many user IDs cannot use up the descriptors of all users. */
static void test_all_descriptors(void)
{
	static const struct rlimit many = { 5000, 5000 };
	struct holder h, other;

	if (setrlimit(RLIMIT_NOFILE, &many))
		bail("setrlimit");
	write_file(LIMIT, "4096");
	h = hold(USER, USER, MANY - 10, 0);
	equal(h.error, 0, "one user opens all but ten of 4096 descriptors");
	other = hold(OTHER, OTHER, MANY, 0);
	equal(other.got, 10,
	      "another user gets the last ten descriptors [BPF-OPEN-4]");
	equal(other.error, ENOBUFS,
	      "another user's eleventh descriptor is ENOBUFS");
	equal(one_more(USER, 0), ENOBUFS,
	      "the first user's next descriptor is ENOBUFS when all are open");
	equal(one_more(0, 0), 0,
	      "root can open a descriptor when all are open [BPF-OPEN-4]");
	release(&other);
	release(&h);
	write_file(LIMIT, "256");
}

static void test_memory(const char *usual)
{
	struct holder h;

	write_file(MAXUSERMEM, "1048576");
	h = hold(USER, USER, 5, 131072);
	equal(h.got, 4,
	      "net.bpf.maxusermem 1 MiB: four descriptors with buffers of 128 KiB");
	equal(h.error, ENOBUFS,
	      "net.bpf.maxusermem 1 MiB: BIOCSETIF of a fifth is ENOBUFS [BPF-SETIF-4]");
	equal(one_more(USER, 32), ENOBUFS,
	      "net.bpf.maxusermem used up: BIOCSETIF of another process is ENOBUFS");
	equal(one_more(USER, 0), 0,
	      "net.bpf.maxusermem used up: a descriptor without buffers can be opened");
	equal(one_more(OTHER, 131072), 0,
	      "net.bpf.maxusermem used up: BIOCSETIF of another user succeeds");
	equal(one_more(0, 131072), 0,
	      "net.bpf.maxusermem used up: BIOCSETIF of root succeeds");
	write_file(MAXUSERMEM, "4096");
	ok(!kill(h.pid, 0),
	   "net.bpf.maxusermem lowered: the process with open descriptors goes on");
	write_file(MAXUSERMEM, "1048576");
	release(&h);
	equal(one_more(USER, 131072), 0,
	      "net.bpf.maxusermem used up: BIOCSETIF succeeds after a close");

	write_file(MAXUSERMEM, "16384");
	h = hold(USER, USER, 3, 32);
	equal(h.got, 2, "buffers of 32 bytes are charged as a page each");
	release(&h);
	write_file(MAXUSERMEM, usual);
}

/* Try smaller buffers on the same descriptor, as libpcap does. */
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
	      "BIOCSETIF with the size halved after each ENOBUFS succeeds with 64 KiB"
	      " [BPF-SETIF-4]");
	equal(tries, 3,
	      "BIOCSETIF with the size halved succeeds after three ENOBUFS");
	write_file(MAXUSERMEM, usual);
	close(fd);
}

static void test_all_memory(const char *usual)
{
	struct holder h;

	write_file(MAXUSERMEM, "1000000000000");
	h = hold(USER, USER, 200, 1048576);
	ok(h.got > 8, "no net.bpf.maxusermem: a user gets %d MiB of buffers",
	   2 * h.got);
	equal(h.error, ENOBUFS,
	      "no net.bpf.maxusermem: BIOCSETIF is ENOBUFS before all memory is used");
	equal(one_more(OTHER, 1048576), ENOBUFS,
	      "no net.bpf.maxusermem: BIOCSETIF of another user is ENOBUFS then [BPF-SETIF-4]");
	equal(one_more(0, 1048576), 0,
	      "no net.bpf.maxusermem: BIOCSETIF of root succeeds then");
	release(&h);
	equal(one_more(OTHER, 1048576), 0,
	      "no net.bpf.maxusermem: BIOCSETIF of another user succeeds after a close");
	write_file(MAXUSERMEM, usual);
}

static void test_defaults(unsigned long usual)
{
	struct holder h;

	equal(read_number(LIMIT), 256,
	      "parameter descriptors is 256 by default");
	equal(read_number(MAXBUFSIZE), 4194304,
	      "net.bpf.maxbufsize is 4 MiB by default");
	ok(usual > (20 << 20) && usual <= (64 << 20),
	   "net.bpf.maxusermem is over 20 and up to 64 MiB by default: %lu",
	   usual);
	h = hold(USER, USER, 25, 524288);
	equal(h.got, usual >> 20 < 25 ? usual >> 20 : 25,
	      "default net.bpf.maxusermem: one program with libpcap's buffers for each MiB");
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
