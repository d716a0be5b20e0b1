// SPDX-License-Identifier: GPL-2.0-or-later
/* BIOCLOCK, BIOCSETWF, BIOCSETFNR, feedback: what the BSDs have beyond NetBSD. */
#include "guest.h"

static int set_program(int fd, unsigned long request, unsigned int code)
{
	struct bpf_insn insns[] = { BPF_STMT(code, 1) };
	struct bpf_program program = { 1, insns };

	return error_of(ioctl(fd, request, &program));
}

static void test_feedback(int fd)
{
	equal(get(fd, BIOCGFEEDBACK), 0,
	      "feedback: off by default [BPF-OPEN-7]");
	set(fd, BIOCSFEEDBACK, 0x100);
	equal(get(fd, BIOCGFEEDBACK), 1,
	      "feedback: not 0 is 1 [BPF-GFEEDBACK-1]");
}

static void test_write_filter(int fd)
{
	equal(set_program(fd, BIOCSETWF, BPF_RET | BPF_K), 0, "a write filter");
	equal(set_program(fd, BIOCSETWF, BPF_RET | BPF_X), EINVAL,
	      "an invalid one [BPF-SETWF-3]");
}

static void test_lock(int fd)
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

	equal(ioctl(fd, BIOCLOCK, NULL), 0, "BIOCLOCK");
	for (i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		memset(arg, 0, sizeof(arg));
		equal(error_of(ioctl(fd, refused[i].request, arg)), EPERM,
		      "%s is refused then [BPF-LOCK-1]", refused[i].name);
	}
	for (i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++) {
		memset(arg, 0, sizeof(arg));
		equal(error_of(ioctl(fd, allowed[i].request, arg)), 0,
		      "%s is not [BPF-LOCK-2]", allowed[i].name);
	}
	equal(error_of(ioctl(fd, _IO('B', 99), 0)), ENOTTY,
	      "an unknown request stays unknown [BPF-LOCK-3]");
}

/* Packets of two formats do not mix. */
static void test_tstamp_change(void)
{
	int fd = listen_on("eth0", 4096, O_RDWR | O_NONBLOCK);
	static char buf[4096];

	send_frames("eth0", 1, 2, 100);
	equal(stats(fd).bs_capt, 2, "two packets with microseconds");
	set(fd, BIOCSTSTAMP, BPF_T_MICROTIME);
	set(fd, BIOCSTSTAMP, BPF_T_NANOTIME);
	equal(error_of(read(fd, buf, sizeof(buf))), EAGAIN,
	      "are gone when the format changes [BPF-STSTAMP-3]");
	equal(stats(fd).bs_capt, 2, "but stay counted [BPF-STSTAMP-3]");
	send_frames("eth0", 3, 1, 100);
	set(fd, BIOCSTSTAMP, BPF_T_BINTIME);
	equal(error_of(read(fd, buf, sizeof(buf))), EAGAIN,
	      "so are those that only the device had");
	equal(stats(fd).bs_capt, 3, "and they are counted");
	close(fd);
}

int main(void)
{
	int fd = listen_on("eth0", 0, O_RDWR);

	test_feedback(fd);
	test_write_filter(fd);
	test_lock(fd);
	close(fd);
	test_tstamp_change();
	return done_testing();
}
