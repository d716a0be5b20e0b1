// SPDX-License-Identifier: GPL-2.0-or-later
/* Whether the device, where it can, or the driver fills the buffers. */
#include <stdio.h>

#include "guest.h"

#define MANY	20	/* more than the 16 queues for listeners that there are */
#define SIZE	4096

static uint8_t buf[SIZE];

/* Return the number of lines of /proc/net/bpf with that filter. */
static int told(const char *filter)
{
	FILE *f = fopen("/proc/net/bpf", "r");
	char line[256];
	int n = 0;

	while (f && fgets(line, sizeof(line), f))
		n += strstr(line, filter) != NULL;
	if (!f)
		bail("/proc/net/bpf");
	fclose(f);
	return n;
}

static void test_many(void)
{
	int fds[MANY], i, right = 0, seen = 0;
	char others[32];

	for (i = 0; i < MANY; i++)
		fds[i] = listen_on("eth0", SIZE, O_RDWR | O_NONBLOCK);
	equal(told(" device "), device_fills() ? 16 : 0,
	      "more listeners than queues: the first have them [CAP-DRV-CFG-7]");
	snprintf(others, sizeof(others), " kernel %s ", filter_engine());
	equal(told(others), device_fills() ? MANY - 16 : MANY,
	      "more listeners than queues: the driver serves the others [CAP-DRV-LQ-1]");
	send_frames("eth0", 0, 10, 100);
	for (i = 0; i < MANY; i++) {
		right += stats(fds[i]).bs_capt == 10;
		seen += read(fds[i], buf, SIZE) == 10 * 136;
	}
	equal(right, MANY, "more listeners than queues: all count the frames");
	equal(seen, MANY, "more listeners than queues: all get the packets");
	close(fds[0]);
	fds[0] = listen_on("eth0", SIZE, O_RDWR | O_NONBLOCK);
	equal(told(" device "), device_fills() ? 16 : 0,
	      "a queue of a closed descriptor goes to the next one opened");
	for (i = 0; i < MANY; i++)
		close(fds[i]);
}

/* The device does not support binary fractions. */
static void test_fractions(void)
{
	int fd = listen_on("eth0", SIZE, O_RDWR), i, wrong = 0, some = 0;
	struct bpf_xhdr *hdr = (struct bpf_xhdr *)buf;

	set(fd, BIOCIMMEDIATE, 1);
	set(fd, BIOCSTSTAMP, BPF_T_BINTIME);
	for (i = 0; i < 5; i++) {
		send_frames("eth0", i, 1, 100);
		if (read(fd, buf, SIZE) != 136)
			bail("read");
		wrong += (uint32_t)hdr->bh_tstamp.bt_frac != 0;
		some += hdr->bh_tstamp.bt_frac >> 32 != 0;
	}
	equal(wrong, 0, "binary fractions: the lower half is zeros");
	ok(some > 0, "binary fractions: the upper half is not zeros");
	close(fd);
}

int main(void)
{
	test_many();
	test_fractions();
	return done_testing();
}
