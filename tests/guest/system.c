// SPDX-License-Identifier: GPL-2.0-or-later
/* net.bpf, /proc/net/bpf, and the permission to open /dev/bpf. */
#include <grp.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <linux/capability.h>

#include "guest.h"

#define MAXBUFSIZE	"/proc/sys/net/bpf/maxbufsize"
#define MAXUSERMEM	"/proc/sys/net/bpf/maxusermem"
#define JIT_LIMIT	"/proc/sys/net/core/bpf_jit_limit"
#define BPF_GROUP	1234

static const char *read_file(const char *path)
{
	static char text[16384];
	int fd = open(path, O_RDONLY);
	ssize_t len;

	if (fd < 0)
		return NULL;
	len = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[len < 0 ? 0 : len] = '\0';
	return text;
}

static void test_maxbufsize(void)
{
	int fd = open_bpf(O_RDWR);
	unsigned int size = 0xffffffff;
	static char usual[64];

	strcpy(usual, read_file(MAXUSERMEM));
	ok(!strcmp(read_file(MAXBUFSIZE), "4194304\n"),
	   "net.bpf.maxbufsize is 4 MiB by default [BPF-SYSCTL-1]");
	equal(error_of_writing(MAXBUFSIZE, "31"), EINVAL,
	      "net.bpf.maxbufsize: 31 is EINVAL [BPF-SYSCTL-2]");
	equal(error_of_writing(MAXBUFSIZE, "16777217"), EINVAL,
	      "net.bpf.maxbufsize: 16 MiB + 1 is EINVAL [BPF-SYSCTL-2]");
	equal(error_of_writing(MAXBUFSIZE, "16777216"), 0,
	      "net.bpf.maxbufsize: 16 MiB is accepted");
	ioctl(fd, BIOCSBLEN, &size);
	equal(size, 16777216,
	      "net.bpf.maxbufsize 16 MiB: BIOCSBLEN sets 16 MiB [BPF-SYSCTL-2]");
	equal(error_of_writing(MAXUSERMEM, "33554432"), 0,
	      "net.bpf.maxusermem: 32 MiB is accepted");
	equal(attach(fd, "eth0"), 0,
	      "BIOCSETIF with two buffers of 16 MiB succeeds");
	equal(error_of_writing(MAXBUFSIZE, "4194304"), 0,
	      "net.bpf.maxbufsize can be lowered to the default");
	equal(get(fd, BIOCGBLEN), 16777216,
	      "lowering net.bpf.maxbufsize leaves the size of open descriptors");
	error_of_writing(MAXUSERMEM, usual);
	close(fd);
}

static void test_totals(void)
{
	unsigned long recv[2], drop[2], capt[2];
	int fd = listen_on("eth0", 4096, O_RDWR), i;

	for (i = 0; i < 2; i++) {
		if (sscanf(read_file("/proc/sys/net/bpf/stats"), "%lu %lu %lu",
			   &recv[i], &drop[i], &capt[i]) != 3)
			bail("stats");
		if (i == 0) {
			send_frames("eth0", 0, 70, 100);
			stats(fd);
			ioctl(fd, BIOCFLUSH, NULL);
			close(fd);
		}
	}
	ok(recv[1] - recv[0] >= 70,
	   "net.bpf.stats counts 70 received frames after a flush and a close [BPF-SYSCTL-3]");
	equal(capt[1] - capt[0], 70,
	      "net.bpf.stats counts 70 captured frames after a flush and a close");
	equal(drop[1] - drop[0], 10,
	      "net.bpf.stats counts 10 dropped frames after a flush and a close");
	equal(error_of_writing("/proc/sys/net/bpf/stats", "1"), EBADF,
	      "net.bpf.stats cannot be written [BPF-SYSCTL-4]");
}

/* Return the line of this process in /proc/net/bpf without the pid. */
static const char *peer(void)
{
	const char *text = read_file("/proc/net/bpf");
	char start[32], *line;

	if (!text)
		return "(no file)";
	snprintf(start, sizeof(start), "\n%d ", getpid());
	line = strstr(text, start);
	if (!line)
		return "(no line)";
	line += strlen(start);
	line[strcspn(line, "\n")] = '\0';
	return line;
}

static void test_peers(void)
{
	char line[80];
	int fd = open_bpf(O_RDWR);

	ok(!strcmp(peer(), "- 32768 0 0 0 0 0 0 1 inout kernel none unattached"),
	   "/proc/net/bpf, descriptor just opened: %s [BPF-OPEN-7]", peer());
	set(fd, BIOCSBLEN, 4096);
	attach(fd, "eth0");
	filter_test_frames(fd);
	ioctl(fd, BIOCPROMISC, NULL);
	set(fd, BIOCIMMEDIATE, 1);
	set(fd, BIOCSHDRCMPLT, 1);
	set(fd, BIOCSSEESENT, 0);
	snprintf(line, sizeof(line), "eth0 4096 0 0 0 1 1 1 0 in %s idle",
		 served_by());
	ok(!strcmp(peer(), line),
	   "/proc/net/bpf, attached descriptor with everything set: %s [BPF-PEERS-2 BPF-PEERS-3]",
	   peer());
	set(fd, BIOCSDIRECTION, BPF_D_OUT);
	set(fd, BIOCIMMEDIATE, 0);
	send_frames("eth0", 0, 70, 100);
	stats(fd);
	set(fd, BIOCIMMEDIATE, 1);
	snprintf(line, sizeof(line), "eth0 4096 70 10 70 1 1 1 1 out %s idle",
		 served_by());
	ok(!strcmp(peer(), line),
	   "/proc/net/bpf, descriptor with counts: %s [BPF-PEERS-3]", peer());
	close(fd);
	ok(!strcmp(peer(), "(no line)"),
	   "/proc/net/bpf, no line for a closed descriptor: %s [BPF-PEERS-7]",
	   peer());
}

static void drop_capabilities(void)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[2] = { 0 };

	/* Drop all capabilities except to override file permissions. */
	data[0].effective = data[0].permitted = 1 << CAP_DAC_OVERRIDE;
	if (syscall(SYS_capset, &header, data))
		bail("capset");
}

/*
 * Set a filter without the capabilities that exempt a user from the limit of
 * the JIT compiler's memory. Return true if the filter is interpreted: by the
 * kernel (Linux 7.3), or by the driver, if the kernel reports that it cannot
 * compile (6.1). The descriptor's line has the pid of the process that set the
 * filter.
 */
static bool is_interpreted(int fd, struct bpf_program *program)
{
	pid_t pid = fork();
	const char *line;
	int status;

	if (pid == 0) {
		drop_capabilities();
		if (ioctl(fd, BIOCSETF, program))
			_exit(1);
		line = peer();
		_exit(!strstr(line, " interpreter unattached") &&
		      !strstr(line, " kernel unattached"));
	}
	waitpid(pid, &status, 0);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* Filters without the JIT compiler, or without memory for it. */
static void test_translator(int fd, struct bpf_program *program)
{
	char limit[32];

	if (access(JIT_ENABLE, F_OK)) {
		ok(1, "the translator # SKIP the kernel has none for this processor");
		return;
	}
	snprintf(limit, sizeof(limit), "%s", read_file(JIT_LIMIT));
	if (error_of_writing(JIT_LIMIT, "1"))
		bail("bpf_jit_limit");
	ok(is_interpreted(fd, program),
	   "a filter without memory for its translation is interpreted");
	error_of_writing(JIT_LIMIT, limit);

	if (error_of_writing(JIT_ENABLE, "0"))
		bail("bpf_jit_enable");
	ioctl(fd, BIOCSETF, program);
	ok(strstr(peer(), " kernel unattached"),
	   "a filter is run by the kernel's interpreter with bpf_jit_enable 0: %s",
	   peer());
	error_of_writing(JIT_ENABLE, "1");
}

/* Return what runs a filter, from the last column but one. */
static void test_engine(void)
{
	struct bpf_insn insns[] = {
		BPF_STMT(BPF_ALU | BPF_LSH | BPF_X, 0),
		BPF_STMT(BPF_RET | BPF_A, 0),
	};
	struct bpf_insn constant = BPF_STMT(BPF_RET | BPF_K, 60);
	struct bpf_program program = { .bf_len = 2, .bf_insns = insns };
	int fd = open_bpf(O_RDWR);
	char engine[32];

	equal(error_of(ioctl(fd, BIOCSETF, &program)), 0,
	      "BIOCSETF of a shift by X succeeds");
	snprintf(engine, sizeof(engine), " %s unattached", filter_engine());
	ok(strstr(peer(), engine),
	   "a shift by X is translated, where that can be: %s", peer());
	test_translator(fd, &program);

	program.bf_len = 1;
	program.bf_insns = &constant;
	ioctl(fd, BIOCSETF, &program);
	ok(strstr(peer(), " constant unattached"),
	   "a single return of a number is shown as constant: %s", peer());

	program.bf_len = 0;
	ioctl(fd, BIOCSETF, &program);
	ok(strstr(peer(), " none unattached"), "no filter is shown as none: %s",
	   peer());
	close(fd);
}

/* Return the error of an open in a child with another identity. */
static int open_as(int user, int group, int drop)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		if (setgroups(0, NULL) || setgid(group) || setuid(user))
			_exit(255);
		if (drop)
			drop_capabilities();
		if (user && read_file("/proc/net/bpf"))
			_exit(254);
		_exit(error_of(open("/dev/bpf", O_RDWR)));
	}
	waitpid(pid, &status, 0);
	return WEXITSTATUS(status);
}

static void test_access(void)
{
	struct stat st;

	stat("/dev/bpf", &st);
	equal(st.st_mode & 0777, 0660, "/dev/bpf has mode 0660");
	equal(st.st_uid, 0, "/dev/bpf is owned by root");
	if (chown("/dev/bpf", 0, BPF_GROUP))
		bail("chown");
	equal(open_as(0, 0, 0), 0, "root may open /dev/bpf");
	equal(open_as(1000, 1000, 0), EACCES,
	      "other users may neither open /dev/bpf nor read /proc/net/bpf [BPF-PEERS-1]");
	equal(open_as(1000, BPF_GROUP, 0), 0,
	      "members of its group may open /dev/bpf");
	equal(open_as(0, 0, 1), EACCES,
	      "root without CAP_NET_RAW may not open /dev/bpf");
	equal(open_as(0, BPF_GROUP, 1), 0,
	      "root without CAP_NET_RAW may open /dev/bpf as a member of its group");
	if (chown("/dev/bpf", 0, st.st_gid))
		bail("chown");
}

int main(void)
{
	test_maxbufsize();
	test_totals();
	test_peers();
	test_engine();
	test_access();
	return done_testing();
}
