// SPDX-License-Identifier: GPL-2.0-or-later
/* What nobody listens to costs the guest nothing: no interrupt comes. */
#include <stdio.h>

#include "guest.h"

/* Interrupts of all capture queues so far. */
static unsigned long interrupts(void)
{
	FILE *f = fopen("/proc/interrupts", "r");
	unsigned long sum = 0;
	char line[1024], *field;

	while (f && fgets(line, sizeof(line), f)) {
		if (!strstr(line, "-capture"))
			continue;
		strtok(line, " ");
		while ((field = strtok(NULL, " ")) && *field >= '0' &&
		       *field <= '9')
			sum += strtoul(field, NULL, 10);
	}
	if (!f)
		bail("/proc/interrupts");
	fclose(f);
	return sum;
}

/* The same once none has come for longer than any is delayed. */
static unsigned long settled(void)
{
	unsigned long before;

	do {
		before = interrupts();
		usleep(100000);
	} while (interrupts() != before);
	return before;
}

/* The interrupts for frames that eth0 sends; a busy host may take its time. */
static unsigned long caused(bool any)
{
	unsigned long before = settled();
	int i;

	send_frames("eth0", 0, 10, 100);
	for (i = 0; any && i < 100 && interrupts() == before; i++)
		usleep(100000);
	return settled() - before;
}

#define SPREAD	6

/*
 * Interrupts for ten frames that come one by one, but all sooner than a device
 * that may delay them completes a buffer. On a busy host some may still come
 * together: the best of several tries.
 */
static unsigned long spread(void)
{
	unsigned long before, count, best = 0;
	int i, j;

	for (i = 0; i < 20 && best < SPREAD; i++) {
		before = settled();
		for (j = 0; j < 10; j++) {
			send_frames("eth0", j, 1, 100);
			usleep(500);
		}
		count = settled() - before;
		best = count > best ? count : best;
	}
	return best;
}

int main(void)
{
	int fd, other;

	equal(caused(false), 0, "no descriptor: no interrupts");
	fd = listen_on("eth0", 0, O_RDWR);
	ok(caused(true) > 0, "frames for a descriptor interrupt");
	set(fd, BIOCSDIRECTION, BPF_D_IN);
	equal(caused(false), 0, "frames that it does not want do not");
	other = listen_on("eth0", 0, O_RDWR);
	ok(caused(true) > 0, "those that another one wants do");
	set(other, BIOCIMMEDIATE, 1);
	ok(spread() >= SPREAD, "in immediate mode the device delays none");
	close(other);
	equal(caused(false), 0, "until that is closed");
	close(fd);
	equal(caused(false), 0, "all closed: no interrupts");
	return done_testing();
}
