// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Runs a command as user 1000, in a user and a network namespace of its own,
 * where it has root's capabilities: any user of a machine can do this.
 *
 *     outsider COMMAND [ARG...]
 */
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/prctl.h>

#define USER	1000

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		err(2, "%s", path);
	close(fd);
}

int main(int argc, char **argv)
{
	if (argc < 2)
		errx(2, "usage: outsider COMMAND [ARG...]");
	if (setresgid(USER, USER, USER) || setresuid(USER, USER, USER))
		err(2, "user %d", USER);
	/* Otherwise its files in /proc would belong to root. */
	prctl(PR_SET_DUMPABLE, 1);
	if (unshare(CLONE_NEWUSER | CLONE_NEWNET))
		err(2, "namespaces");
	write_file("/proc/self/uid_map", "0 1000 1");
	write_file("/proc/self/setgroups", "deny");
	write_file("/proc/self/gid_map", "0 1000 1");
	execvp(argv[1], argv + 1);
	err(2, "%s", argv[1]);
}
