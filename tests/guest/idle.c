// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Without listeners capture costs the guest nothing, and readers that wait
 * cause no interrupts while no frames arrive.
 */
#include <errno.h>
#include <stdio.h>

#include "guest.h"

static uint8_t buf[1048576];

/* Return the number of interrupts so far of all queues of a kind. */
static unsigned long interrupts_of(const char *kind)
{
	FILE *f = fopen("/proc/interrupts", "r");
	unsigned long sum = 0;
	char line[1024], *field;

	while (f && fgets(line, sizeof(line), f)) {
		if (!strstr(line, kind))
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

static unsigned long interrupts(void)
{
	return interrupts_of("-capture") + interrupts_of("-listener");
}

/* The same, after a period without interrupts longer than any delay. */
static unsigned long settled(void)
{
	unsigned long before;

	do {
		before = interrupts();
		usleep(100000);
	} while (interrupts() != before);
	return before;
}

/*
 * Return the number of commands so far: the interrupts for their replies. Some
 * may be missing: another processor may handle the interrupt only after the
 * driver has found the reply, and a reply that the driver has found before the
 * device sends the interrupt needs none.
 */
static unsigned long commands(void)
{
	unsigned long before;

	do {
		before = interrupts_of("-control");
		usleep(100000);
	} while (interrupts_of("-control") != before);
	return before;
}

/* Count the interrupts for frames that eth0 sends; a busy host may be slow. */
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
 * Count the interrupts for ten frames that are read one by one, and that arrive
 * before a device which may delay them uses a buffer. On a busy host several
 * frames may share an interrupt: return the best of several tries.
 */
static unsigned long spread(int fd)
{
	unsigned long before, count, best = 0;
	int i, j;

	for (i = 0; i < 20 && best < SPREAD; i++) {
		before = settled();
		for (j = 0; j < 10; j++) {
			send_frames("eth0", j, 1, 100);
			usleep(500);
			if (read(fd, buf, BPF_DFLTBUFSIZE) < 0 && errno != EAGAIN)
				bail("read");
		}
		count = settled() - before;
		best = count > best ? count : best;
	}
	return best;
}

static void set_timeout(int fd, int ms)
{
	struct bpf_timeval tv = { ms / 1000, ms % 1000 * 1000 };

	if (ioctl(fd, BIOCSRTIMEOUT, &tv) < 0)
		bail("BIOCSRTIMEOUT");
}

/* The driver does not ask the device for packets that it does not have. */
static void test_timeouts(void)
{
	int fd = listen_on("eth0", 0, O_RDWR), i;
	unsigned int size = get(fd, BIOCGBLEN);
	unsigned long before;

	set_timeout(fd, 20);
	before = commands();
	for (i = 0; i < 20; i++)
		read(fd, buf, size);
	equal(commands() - before, 0,
	      "reads that time out send the device no command");
	for (i = 0; i < 5; i++)
		readable(fd, 100);
	/* A device that fills the buffers is told that the timeout expired. */
	ok(commands() - before <= device_fills(),
	   "polls that time out send the device no command, but that the time is up");
	send_frames("eth0", 0, 1, 100);
	before = commands();
	/* The packet may arrive in the driver even without a timeout. */
	for (i = 0; i < 100 && read(fd, buf, size) != 136; i++)
		;
	ok(i < 100,
	   "read with a timeout: a packet comes with the next timeout");
	close(fd);
}

static void test_held(void)
{
	int fd = listen_on("eth0", 8 * 128, O_RDWR);
	unsigned long before;
	int i;

	send_frames("eth0", 0, 8, 96);
	if (!await_received(fd, 8))
		bail("frames are missing");
	before = commands();
	equal(get(fd, FIONREAD), 8 * 128,
	      "FIONREAD gives the hold buffer's length");
	equal(commands() - before, 0,
	      "FIONREAD with a hold buffer sends the device no command");
	read(fd, buf, 8 * 128);
	before = commands();
	equal(get(fd, FIONREAD), 0, "FIONREAD without a hold buffer gives 0");
	for (i = 0; i < 20 && commands() == before; i++)
		get(fd, FIONREAD);
	ok(i < 20, "FIONREAD without a hold buffer sends the device a command");
	close(fd);
}

/* Count the interrupts for frames that arrive one by one for a while. */
static unsigned long slowly(int fd)
{
	unsigned long before = settled();
	unsigned int i;

	for (i = 0; i < 100; i++) {
		send_frames("eth0", i, 1, 100);
		usleep(25000);
	}
	if (!await_received(fd, 100))
		bail("frames are missing");
	ioctl(fd, BIOCFLUSH);
	return interrupts() - before;
}

/* A large buffer and a long timeout allow the device to wait. */
static void test_low_rate(void)
{
	int fd = listen_on("eth0", 524288, O_RDWR);
	unsigned long usual, few;

	usual = slowly(fd);
	set_timeout(fd, 8000);
	few = slowly(fd);
	ok(few * 4 < usual || (device_fills() && few + usual == 0),
	   "a long read timeout: a quarter of the interrupts at most");
	printf("# %lu instead of %lu\n", few, usual);
	close(fd);
	fd = listen_on("eth0", 4096, O_RDWR);
	set_timeout(fd, 8000);
	send_frames("eth0", 0, 40, 100);
	ok(readable(fd, 4000),
	   "a long read timeout: a full small buffer is readable at once");
	close(fd);
}

int main(void)
{
	int fd, other;

	equal(caused(false), 0, "no descriptor: frames cause no interrupts");
	fd = listen_on("eth0", 0, O_RDWR);
	set(fd, BIOCIMMEDIATE, 1);
	ok(caused(true) > 0, "immediate mode: frames cause interrupts");
	set(fd, BIOCSDIRECTION, BPF_D_IN);
	equal(caused(false), 0, "BPF_D_IN: sent frames cause no interrupts");
	other = listen_on("eth0", 0, O_RDWR | O_NONBLOCK);
	set(other, BIOCIMMEDIATE, 1);
	ok(caused(true) > 0,
	   "a second descriptor with both directions: sent frames cause interrupts");
	ok(spread(other) >= SPREAD,
	   "immediate mode: frames one after the other cause an interrupt each");
	close(other);
	equal(caused(false), 0,
	      "the second descriptor closed: sent frames cause no interrupts");
	close(fd);
	equal(caused(false), 0,
	      "all descriptors closed: frames cause no interrupts [CAP-DRV-LSN-2 BPF-CLOSE-6]");
	test_timeouts();
	test_held();
	test_low_rate();
	return done_testing();
}
