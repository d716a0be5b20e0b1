// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Allocations that fail: after N is written to a thread's file fail-nth, the
 * N-th of what the kernel can make fail on purpose (failslab, fail_page_alloc,
 * fail_usercopy) fails in that thread, and in no other. A kernel that was not
 * built for it has no such file.
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
 * A signal meanwhile would end the program, if what fails is to copy its frame.
 * So a call that failures are injected into is not interrupted.
 */
static void block_signals(int how)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	pthread_sigmask(how, &set, NULL);
}

/*
 * Perhaps have one of the next @reach fail. @fd is not to block then; -1 if it
 * does not.
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

/* No more failures; says whether there was one. */
bool faults_end(struct worker *worker)
{
	char text[16] = "";
	bool failed;

	/* Zero says that it happened. */
	failed = pread(worker->fail_nth, text, sizeof(text) - 1, 0) > 0 &&
		 atoi(text) == 0;
	/* This, too, is within reach of the failure that is still to come. */
	while (pwrite(worker->fail_nth, "0", 1, 0) != 1)
		if (errno != EFAULT && errno != ENOMEM && errno != EINTR)
			bail("fail-nth");
	block_signals(SIG_UNBLOCK);
	count(COUNT_FAULT, failed ? 0 : -1);
	return failed;
}
