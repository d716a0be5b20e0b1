// SPDX-License-Identifier: GPL-2.0-or-later
/* Signals: only those with a handler end a read or write that waits. */
#define _GNU_SOURCE
#include <sys/ptrace.h>
#include <sys/wait.h>

#include "guest.h"

#define SIZE	4096

/* The exit status of a child that waits in a call. */
#define DONE	100	/* the call succeeded */

static uint8_t buf[SIZE];

static void handler(int sig) { (void)sig; }

static void set_timeout(int fd, long seconds)
{
	struct timeval tv = { seconds, 0 };

	if (ioctl(fd, BIOCSRTIMEOUT, &tv) < 0)
		bail("BIOCSRTIMEOUT");
}

static int do_read(int fd)
{
	return read(fd, buf, SIZE) > 0;
}

/* Write until it fails: the queue fills, as the other NIC takes no frames. */
static int do_write(int fd)
{
	struct frame f;

	make_frame(&f, 1, 60);
	while (write(fd, &f, 60) == 60)
		;
	return 0;
}

/* Start a child in a call, with a handler for SIGUSR1. */
static pid_t start(int (*call)(int fd), int fd)
{
	struct sigaction sa = { .sa_handler = handler, .sa_flags = SA_RESTART };
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		sigaction(SIGUSR1, &sa, NULL);
		_exit(call(fd) ? DONE : errno);
	}
	return pid;
}

/* Return the state letter of a process, as in ps(1). */
static char state_of(pid_t pid)
{
	char path[64], state = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	f = fopen(path, "r");
	if (!f || fscanf(f, "%*d %*s %c", &state) != 1)
		bail(path);
	fclose(f);
	return state;
}

/* Wait until a child is in a state, or has exited. */
static void await_state(pid_t pid, char state)
{
	while (state_of(pid) != state && state_of(pid) != 'Z')
		usleep(5000);
}

/* Stop and continue a child that sleeps, several times. */
static void stop_and_continue(pid_t pid, int times)
{
	await_state(pid, 'S');
	while (times--) {
		kill(pid, SIGSTOP);
		await_state(pid, 'T');
		kill(pid, SIGCONT);
		await_state(pid, 'S');
	}
}

/* Attach and detach as a debugger or strace -p does. */
static void attach_and_detach(pid_t pid)
{
	await_state(pid, 'S');
	if (ptrace(PTRACE_ATTACH, pid, NULL, NULL))
		return;		/* it has exited */
	await_state(pid, 't');
	if (ptrace(PTRACE_DETACH, pid, NULL, NULL))
		bail("ptrace");
	await_state(pid, 'S');
}

static int result_of(pid_t pid)
{
	int status;

	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void test_read(long timeout)
{
	int fd = listen_on("eth0", SIZE, O_RDWR);
	pid_t pid;

	set_timeout(fd, timeout);
	pid = start(do_read, fd);
	stop_and_continue(pid, 3);
	attach_and_detach(pid);
	ok(state_of(pid) == 'S',
	   "timeout %ld: read that was stopped and traced is still pending",
	   timeout);
	send_frames("eth0", 0, 31, 100);
	equal(result_of(pid), DONE,
	      "timeout %ld: read that was stopped and traced gets its packets [BPF-READ-26]",
	      timeout);

	ioctl(fd, BIOCFLUSH, NULL);
	pid = start(do_read, fd);
	await_state(pid, 'S');
	kill(pid, SIGUSR1);
	equal(result_of(pid), EINTR,
	      "timeout %ld: read is ended with EINTR by a handler with SA_RESTART",
	      timeout);
	close(fd);
}

/*
 * A read that continues after a stop is restarted. Packets that were there
 * when its first timeout expired do not wait again, no matter how often it is
 * stopped.
 */
static void test_deadline(void)
{
	int fd = listen_on("eth0", SIZE, O_RDWR), stops;
	pid_t pid;

	set_timeout(fd, 1);
	send_frames("eth0", 0, 1, 100);
	stats(fd);
	pid = start(do_read, fd);
	/* Each stop comes long before the timeout expires. */
	for (stops = 0; stops < 100 && state_of(pid) != 'Z'; stops++) {
		kill(pid, SIGSTOP);
		kill(pid, SIGCONT);
		usleep(100000);
	}
	ok(stops < 100,
	   "stops do not put off the read's packets beyond its timeout: %d stops [BPF-READ-26]",
	   stops);
	kill(pid, SIGUSR1);
	equal(result_of(pid), DONE,
	      "read that was stopped often gets its packets");
	close(fd);
}

static void test_write(void)
{
	int fd = listen_on("eth0", SIZE, O_RDWR), i, before;
	struct frame f;
	pid_t pid;

	if (system("ip link set eth1 down"))
		bail("ip");
	make_frame(&f, 1, 60);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	for (i = 0; i < 20000 && write(fd, &f, 60) == 60; i++)
		;
	before = errno;
	fcntl(fd, F_SETFL, 0);
	equal(before, EAGAIN,
	      "non-blocking write with a full queue is EAGAIN after %d frames",
	      i);
	pid = start(do_write, fd);
	stop_and_continue(pid, 3);
	attach_and_detach(pid);
	ok(state_of(pid) != 'Z',
	   "write that was stopped, continued and traced is still pending");
	kill(pid, SIGUSR1);
	equal(result_of(pid), EINTR, "write is ended with EINTR by a handler");
	if (system("ip link set eth1 up"))
		bail("ip");
	close(fd);
}

int main(void)
{
	test_read(0);
	test_read(60);
	test_deadline();
	test_write();
	return done_testing();
}
