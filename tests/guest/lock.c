// SPDX-License-Identifier: GPL-2.0-or-later
/* BIOCLOCK: which requests a locked descriptor refuses and allows. */
#include <sys/wait.h>

#include "guest.h"

static void test_requests(int fd)
{
	static const struct {
		const char *name;
		unsigned long request;
	} refused[] = {
		{ "BIOCSBLEN", BIOCSBLEN }, { "BIOCSETF", BIOCSETF },
		{ "BIOCPROMISC", BIOCPROMISC }, { "BIOCSETIF", BIOCSETIF },
		{ "BIOCSHDRCMPLT", BIOCSHDRCMPLT }, { "BIOCSDLT", BIOCSDLT },
		{ "BIOCSSEESENT", BIOCSSEESENT },
		{ "BIOCSFEEDBACK", BIOCSFEEDBACK }, { "BIOCSETWF", BIOCSETWF },
		{ "BIOCSDIRECTION", BIOCSDIRECTION },
		{ "BIOCSETFNR", BIOCSETFNR },
	}, allowed[] = {
		{ "BIOCGBLEN", BIOCGBLEN }, { "BIOCFLUSH", BIOCFLUSH },
		{ "BIOCGDLT", BIOCGDLT }, { "BIOCGETIF", BIOCGETIF },
		{ "BIOCGSTATS", BIOCGSTATS }, { "BIOCIMMEDIATE", BIOCIMMEDIATE },
		{ "BIOCVERSION", BIOCVERSION }, { "BIOCLOCK", BIOCLOCK },
		{ "BIOCGRTIMEOUT", BIOCGRTIMEOUT },
		{ "BIOCSRTIMEOUT", BIOCSRTIMEOUT }, { "FIONREAD", FIONREAD },
		{ "BIOCGSEESENT", BIOCGSEESENT },
		{ "BIOCGDIRECTION", BIOCGDIRECTION },
		{ "BIOCGHDRCMPLT", BIOCGHDRCMPLT },
		{ "BIOCGFEEDBACK", BIOCGFEEDBACK },
	};
	unsigned int i;
	char arg[256];

	for (i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		memset(arg, 0, sizeof(arg));
		equal(error_of(ioctl(fd, refused[i].request, arg)), EPERM,
		      "locked descriptor: %s is EPERM [BPF-LOCK-1]",
		      refused[i].name);
	}
	for (i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++) {
		memset(arg, 0, sizeof(arg));
		equal(error_of(ioctl(fd, allowed[i].request, arg)), 0,
		      "locked descriptor: %s succeeds [BPF-LOCK-2]",
		      allowed[i].name);
	}
	equal(error_of(ioctl(fd, _IO('B', 99), 0)), ENOTTY,
	      "locked descriptor: an unknown request is ENOTTY [BPF-LOCK-3]");
}

/* The lock belongs to the descriptor, so it applies to other processes, too. */
static void test_child(int fd)
{
	unsigned int on = 1;
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0)
		_exit(error_of(ioctl(fd, BIOCSSEESENT, &on)));
	waitpid(pid, &status, 0);
	equal(WEXITSTATUS(status), EPERM,
	      "locked descriptor: BIOCSSEESENT by a child is EPERM [BPF-LOCK-1]");
}

static void test_packets(int fd)
{
	static uint8_t buf[32768];
	struct frame f;

	send_frames("eth0", 1, 1, 100);
	equal(read(fd, buf, sizeof(buf)), HEADER + 104,
	      "locked descriptor: a read gets a packet sent after BIOCLOCK [BPF-LOCK-2]");
	make_frame(&f, 2, 100);
	equal(write(fd, &f, 100), 100,
	      "locked descriptor: a write sends a frame [BPF-LOCK-2]");
}

int main(void)
{
	int fd = listen_on("eth0", 0, O_RDWR | O_NONBLOCK);

	equal(ioctl(fd, BIOCLOCK, NULL), 0, "BIOCLOCK succeeds [BPF-LOCK-1]");
	test_requests(fd);
	test_child(fd);
	test_packets(fd);
	close(fd);
	return done_testing();
}
