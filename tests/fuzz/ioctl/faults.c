// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Fault injection: after N is written to a thread's file fail-nth, the N-th
 * call with a fault injection point (failslab, fail_page_alloc, fail_usercopy)
 * fails in that thread only. The file exists only in kernels with fault
 * injection.
 */
#include <sys/syscall.h>

#include "fuzz.h"

void faults_init(struct worker *worker)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/task/%ld/fail-nth",
		 (long)syscall(SYS_gettid));
	worker->fail_nth = open(path, O_RDWR | O_CLOEXEC);
}

/*
 * Block signals during calls with fault injection: if copying the signal's
 * frame fails, the kernel kills the program.
 */
static void block_signals(int how)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	pthread_sigmask(how, &set, NULL);
}

/*
 * Sometimes make one of the next @reach calls with a fault injection point
 * fail, and return true. @fd is set to non-blocking, as signals are blocked;
 * -1: none.
 */
bool faults_begin(struct worker *worker, int fd, unsigned int reach)
{
	char text[16];
	int len;

	if (worker->fail_nth < 0 || below(&worker->random, 4))
		return false;
	if (fd >= 0)
		fcntl(fd, F_SETFL, O_NONBLOCK);
	block_signals(SIG_BLOCK);
	len = snprintf(text, sizeof(text), "%u",
		       1 + below(&worker->random, reach));
	if (pwrite(worker->fail_nth, text, len, 0) != len)
		bail("fail-nth");
	return true;
}

/* Stop fault injection; return true if there was a failure. */
bool faults_end(struct worker *worker)
{
	char text[16] = "";
	bool failed;

	/* Zero means that the failure has happened. */
	failed = pread(worker->fail_nth, text, sizeof(text) - 1, 0) > 0 &&
		 atoi(text) == 0;
	/* A pending failure can make this write fail, too. */
	while (pwrite(worker->fail_nth, "0", 1, 0) != 1)
		if (errno != EFAULT && errno != ENOMEM && errno != EINTR)
			bail("fail-nth");
	block_signals(SIG_UNBLOCK);
	count(COUNT_FAULT, failed ? 0 : -1);
	return failed;
}
