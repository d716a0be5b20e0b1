// SPDX-License-Identifier: GPL-2.0-or-later
/* tcpdump as a receiver: the image's or the host's. */
#include <err.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/wait.h>

#include "bench.h"

#define MAX_ARGS	18

static pid_t pid;

/* tcpdump writes to its standard error when it has begun to listen. */
int start_tcpdump(const char *const *program, const char *interface)
{
	const char *args[MAX_ARGS];
	char text[4096] = "";
	size_t used = 0;
	int fds[2], n;

	for (n = 0; program[n]; n++)
		args[n] = program[n];
	args[n++] = interface;
	args[n] = NULL;
	if (pipe(fds))
		err(1, "pipe");
	pid = fork();
	if (pid < 0)
		err(1, "fork");
	if (pid == 0) {
		dup2(fds[1], 2);
		execv(args[0], (char **)args);
		err(1, "%s", args[0]);
	}
	close(fds[1]);
	while (!strstr(text, "listening on")) {
		ssize_t len = read(fds[0], text + used, sizeof(text) - 1 - used);

		if (len <= 0)
			errx(1, "%s", text);
		used += len;
	}
	return fds[0];
}

/* tcpdump writes its counts when it ends. */
void end_tcpdump(int fd, struct receiver *r)
{
	char line[256];
	FILE *words = fdopen(fd, "r");

	kill(pid, SIGINT);
	while (fgets(line, sizeof(line), words)) {
		if (strstr(line, "packets captured") ||
		    strstr(line, "packet captured"))
			r->frames = atol(line);
		else if (strstr(line, "dropped by kernel"))
			r->dropped = atol(line);
	}
	fclose(words);
	waitpid(pid, NULL, 0);
}
