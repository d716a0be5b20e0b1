// SPDX-License-Identifier: GPL-2.0-or-later
/* One descriptor with several users: children, duplicates, threads. */
#define _GNU_SOURCE
#include <pthread.h>
#include <sys/wait.h>

#include "guest.h"

#define SIZE	4096

static uint8_t buf[SIZE];

/* Return the pid in /proc/net/bpf of the only descriptor. */
static int told_pid(void)
{
	FILE *file = fopen("/proc/net/bpf", "r");
	int pid = -1;

	if (!file || fscanf(file, "%*[^\n] %d", &pid) != 1)
		bail("/proc/net/bpf");
	fclose(file);
	return pid;
}

/* Return the states in /proc/net/bpf, in the order of opening. */
static const char *told_states(void)
{
	static char states[256];
	FILE *file = fopen("/proc/net/bpf", "r");
	char line[256], *state;

	states[0] = '\0';
	while (file && fgets(line, sizeof(line), file)) {
		state = strrchr(line, ' ');
		if (*line >= '0' && *line <= '9' && state &&
		    strlen(states) + strlen(state) < sizeof(states))
			strcat(states, strtok(state, "\n"));
	}
	if (!file)
		bail("/proc/net/bpf");
	fclose(file);
	return states;
}

/* Run a function in a child; return its result. */
static int in_child(int (*function)(int fd), int fd, pid_t *pid)
{
	int status;

	*pid = fork();
	if (*pid == 0)
		_exit(function(fd));
	waitpid(*pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

static int child_reads(int fd)
{
	return read(fd, buf, SIZE) == 2 * 136 ? 0 : 1;
}

static int child_asks(int fd)
{
	set(fd, BIOCIMMEDIATE, 1);
	return get(fd, BIOCGBLEN) == SIZE ? 0 : 1;
}

static int child_writes(int fd)
{
	struct frame f;

	make_frame(&f, 9, 60);
	return write(fd, &f, 60) == 60 ? 0 : 1;
}

static void test_fork(void)
{
	int fd = listen_on("eth0", SIZE, O_RDWR | O_NONBLOCK);
	pid_t child;

	equal(told_pid(), getpid(),
	      "/proc/net/bpf shows the process that opened a descriptor [BPF-PEERS-5]");
	send_frames("eth0", 0, 2, 100);
	stats(fd);
	equal(in_child(child_reads, fd, &child), 0,
	      "a child reads from its parent's descriptor [BPF-READ-28]");
	equal(error_of(read(fd, buf, SIZE)), EAGAIN,
	      "what a child has read its parent does not read again");
	equal(in_child(child_asks, fd, &child), 0,
	      "a child makes requests on its parent's descriptor [BPF-READ-28]");
	equal(told_pid(), child,
	      "/proc/net/bpf shows the child that made a request [BPF-IOCTL-2]");
	send_frames("eth0", 2, 1, 100);
	stats(fd);
	ok(readable(fd, 0),
	   "immediate mode set by a child is in force for its parent");
	equal(told_pid(), getpid(),
	      "/proc/net/bpf shows the parent after a call of its own");
	equal(read(fd, buf, SIZE), 136, "the parent reads after the child");
	equal(in_child(child_writes, fd, &child), 0,
	      "a child writes to its parent's descriptor [BPF-READ-28]");
	equal(stats(fd).bs_capt, 4,
	      "the parent captures the frame that its child wrote");
	close(fd);
}

/* The descriptor exists until its last reference is closed. */
static void test_last_close(void)
{
	int fd = listen_on("eth0", SIZE, O_RDWR | O_NONBLOCK), copy = dup(fd);

	close(fd);
	send_frames("eth0", 0, 2, 100);
	equal(stats(copy).bs_capt, 2,
	      "a duplicate captures after the original is closed [BPF-CLOSE-2]");
	equal(read(copy, buf, SIZE), 2 * 136,
	      "a duplicate is read after the original is closed");
	close(copy);
}

static void *poller(void *arg)
{
	return (void *)(long)readable(*(int *)arg, 20000);
}

static void test_pollers(void)
{
	int fd = listen_on("eth0", SIZE, O_RDWR), i;
	pthread_t threads[3];
	void *woken;

	for (i = 0; i < 3; i++)
		pthread_create(&threads[i], NULL, poller, &fd);
	usleep(50000);
	send_frames("eth0", 0, 35, 100);
	for (i = 0; i < 3; i++) {
		pthread_join(threads[i], &woken);
		ok(woken,
		   "three polls of one descriptor: poll %d is woken [BPF-POLL-15]",
		   i + 1);
	}
	close(fd);
}

static volatile pid_t reader_tid;

static void *reader(void *arg)
{
	reader_tid = gettid();
	return (void *)(long)read(*(int *)arg, buf, SIZE);
}

/* While a read is pending in one thread, others can use the descriptor. */
static void test_threads(void)
{
	int fd = listen_on("eth0", SIZE, O_RDWR), unattached, idle;
	struct timeval tv = { 60, 0 };
	static uint8_t other[SIZE];
	struct frame f;
	pthread_t thread;
	void *len;

	pthread_create(&thread, NULL, reader, &fd);
	await_sleep(&reader_tid);
	equal(error_of(read(fd, other, SIZE)), EIO,
	      "read pending: a second read is EIO");
	equal(error_of(read(fd, other, 1)), EIO,
	      "read pending: a second read of the wrong size is EIO [BPF-READ-2]");
	unattached = open_bpf(O_RDWR);
	idle = listen_on("eth0", SIZE, O_RDWR);
	ok(!strcmp(told_states(), " waiting unattached idle"),
	   "read pending: /proc/net/bpf shows the states:%s [BPF-PEERS-4]",
	   told_states());
	close(unattached);
	close(idle);
	make_frame(&f, 1, 60);
	equal(write(fd, &f, 60), 60, "read pending: write succeeds");
	equal(stats(fd).bs_capt, 1,
	      "read pending: BIOCGSTATS counts the written frame");
	equal(ioctl(fd, BIOCSRTIMEOUT, &tv), 0,
	      "read pending: BIOCSRTIMEOUT succeeds [BPF-IOCTL-1]");
	ok(!readable(fd, 0), "read pending: poll says not readable");
	equal(ioctl(fd, BIOCFLUSH, NULL), 0,
	      "read pending: BIOCFLUSH succeeds");
	send_frames("eth0", 0, 1, 100);
	equal(stats(fd).bs_capt, 1,
	      "read pending: after BIOCFLUSH one frame is counted");
	set(fd, BIOCIMMEDIATE, 1);
	pthread_join(thread, &len);
	equal((long)len, 136,
	      "read pending: BIOCIMMEDIATE ends it with the stored packet [BPF-READ-12]");
	close(fd);
}

int main(void)
{
	test_fork();
	test_last_close();
	test_pollers();
	test_threads();
	return done_testing();
}
