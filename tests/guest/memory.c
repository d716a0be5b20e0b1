// SPDX-License-Identifier: GPL-2.0-or-later
/* Buffers for which there is not enough memory. */
#include <sys/mman.h>
#include <sys/wait.h>

#include "guest.h"

#define MAXBUFSIZE	"/proc/sys/net/bpf/maxbufsize"
#define MAXUSERMEM	"/proc/sys/net/bpf/maxusermem"
#define LIMIT		"/sys/module/virtio_capture/parameters/descriptors"
#define LARGE		(16 << 20)
#define MANY		1024	/* with 32 GiB of buffers */
#define VICTIMS		3
#define VICTIM		(8 << 20)	/* what is left is less than a buffer */

static void read_file(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY);

	if (read(fd, text, size - 1) < 0)
		bail(path);
	close(fd);
}

/*
 * If memory runs out, an allocation elsewhere may have the kernel kill a
 * process: KASAN does so for the shadow of a buffer. Start one that the kernel
 * kills before all others.
 */
static pid_t start_victim(void)
{
	int ready[2];
	char byte;
	pid_t pid;

	if (pipe(ready) || (pid = fork()) < 0)
		bail("victim");
	if (pid == 0) {
		write_file("/proc/self/oom_score_adj", "1000");
		/* Not malloc(): the compiler removes it if it is not read. */
		if (mmap(NULL, VICTIM, PROT_READ | PROT_WRITE, MAP_PRIVATE |
			 MAP_ANONYMOUS | MAP_POPULATE, -1, 0) == MAP_FAILED)
			bail("victim's memory");
		if (write(ready[1], "", 1) < 0)
			_exit(1);
		for (;;)
			pause();
	}
	close(ready[1]);
	if (read(ready[0], &byte, 1) != 1)
		bail("victim");
	close(ready[0]);
	return pid;
}

static void end_victim(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static long available_kib(void)
{
	FILE *f = fopen("/proc/meminfo", "r");
	char line[128];
	long kib = -1;

	while (f && kib < 0 && fgets(line, sizeof(line), f))
		if (sscanf(line, "MemAvailable: %ld", &kib) != 1)
			kib = -1;
	if (kib < 0)
		bail("/proc/meminfo");
	fclose(f);
	return kib;
}

/* Set the largest possible filter repeatedly, on @n descriptors. */
static void set_filters(int n, int times)
{
	static struct bpf_insn insns[512];
	struct bpf_program program = { 512, insns };
	int i, fd;

	for (i = 0; i < 512; i++)
		insns[i] = (struct bpf_insn)BPF_STMT(BPF_RET | BPF_K, i);
	while (n--) {
		fd = open_bpf(O_RDWR);
		for (i = 0; i < times; i++)
			if (ioctl(fd, BIOCSETF, &program) < 0)
				bail("BIOCSETF");
		close(fd);
	}
}

/* A filter takes over 8 KiB: a leak of 600 filters would show. */
static void test_filters(void)
{
	long before;

	set_filters(10, 10);
	before = available_kib();
	set_filters(600, 1);
	ok(available_kib() > before - 4000,
	   "close frees the filter: 600 descriptors leave the memory available [BPF-CLOSE-4]");
	before = available_kib();
	set_filters(1, 600);
	ok(available_kib() > before - 4000,
	   "BIOCSETF frees the old filter: 600 filters leave the memory available [BPF-SETF-7]");
}

int main(void)
{
	int fds[MANY], n, i, error = 0;
	pid_t victims[VICTIMS];
	char usual[32] = "";

	read_file(MAXUSERMEM, usual, sizeof(usual));
	write_file(MAXBUFSIZE, "16777216");
	write_file(MAXUSERMEM, "100000000000");
	write_file(LIMIT, "1024");
	for (i = 0; i < VICTIMS; i++)
		victims[i] = start_victim();
	for (n = 0; n < MANY && !error; n++) {
		fds[n] = open_bpf(O_RDWR);
		set(fds[n], BIOCSBLEN, LARGE);
		error = error_of(attach(fds[n], "eth0"));
	}
	equal(error, ENOBUFS,
	      "BIOCSETIF without memory for the buffers is ENOBUFS [BPF-SETIF-3]");
	for (i = 0; i < VICTIMS; i++)
		end_victim(victims[i]);
	n--;
	ok(n > 0,
	   "BIOCSETIF without memory: %d descriptors got their buffers before",
	   n);
	equal(get(fds[n], BIOCGBLEN), LARGE,
	      "BIOCSETIF without memory leaves the size as it was");
	set(fds[n], BIOCSTSTAMP, BPF_T_NANOTIME);
	equal(get(fds[n], BIOCGTSTAMP), BPF_T_NANOTIME,
	      "BIOCSETIF without memory: BIOCSTSTAMP still works");
	equal(error_of(attach(fds[n], "eth9")), ENXIO,
	      "BIOCSETIF without memory leaves the descriptor unattached");
	set(fds[n], BIOCSBLEN, 4096);
	equal(attach(fds[n], "eth0"), 0,
	      "BIOCSETIF without memory succeeds with smaller buffers [BPF-SETIF-3]");
	while (n > 0)
		close(fds[--n]);
	for (n = 0, error = 0; n < MANY / 64 && !error; n++) {
		fds[n] = open_bpf(O_RDWR);
		set(fds[n], BIOCSBLEN, LARGE);
		error = error_of(attach(fds[n], "eth0"));
		close(fds[n]);
	}
	equal(error, 0,
	      "close frees the buffers: BIOCSETIF succeeds again [BPF-CLOSE-3]");
	write_file(MAXBUFSIZE, "4194304");
	write_file(LIMIT, "256");
	write_file(MAXUSERMEM, usual);
	test_filters();
	return done_testing();
}
