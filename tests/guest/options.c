// SPDX-License-Identifier: GPL-2.0-or-later
/* Settings that are read back, their limits and errors. */
#include <sys/mman.h>

#include "guest.h"

static int set_timeout(int fd, long sec, long usec)
{
	struct timeval tv = { sec, usec };

	return error_of(ioctl(fd, BIOCSRTIMEOUT, &tv));
}

static void test_booleans(int fd)
{
	equal(get(fd, BIOCGHDRCMPLT), 0,
	      "BIOCGHDRCMPLT: header complete is off by default [BPF-OPEN-7]");
	set(fd, BIOCSHDRCMPLT, 0x100);
	equal(get(fd, BIOCGHDRCMPLT), 1,
	      "BIOCSHDRCMPLT 0x100: BIOCGHDRCMPLT gives 1 [BPF-GHDRCMPLT-1]");
	set(fd, BIOCSHDRCMPLT, 0);
	equal(get(fd, BIOCGHDRCMPLT), 0,
	      "BIOCSHDRCMPLT 0: BIOCGHDRCMPLT gives 0 [BPF-SHDRCMPLT-1]");

	equal(get(fd, BIOCGSEESENT), 1,
	      "BIOCGSEESENT: see sent is on by default [BPF-OPEN-6]");
	equal(get(fd, BIOCGDIRECTION), BPF_D_INOUT,
	      "BIOCGDIRECTION: the direction is in and out by default [BPF-GDIRECTION-1]");
	set(fd, BIOCSSEESENT, 0);
	equal(get(fd, BIOCGSEESENT), 0,
	      "BIOCSSEESENT 0: BIOCGSEESENT gives 0 [BPF-SSEESENT-1]");
	equal(get(fd, BIOCGDIRECTION), BPF_D_IN,
	      "BIOCSSEESENT 0: BIOCGDIRECTION gives BPF_D_IN [BPF-GDIRECTION-2]");
	set(fd, BIOCSSEESENT, 0x100);
	equal(get(fd, BIOCGSEESENT), 1,
	      "BIOCSSEESENT 0x100: BIOCGSEESENT gives 1 [BPF-GSEESENT-1]");
	set(fd, BIOCSDIRECTION, BPF_D_OUT);
	equal(get(fd, BIOCGDIRECTION), BPF_D_OUT,
	      "BIOCSDIRECTION BPF_D_OUT: BIOCGDIRECTION gives it [BPF-GDIRECTION-1]");
	equal(get(fd, BIOCGSEESENT), 1,
	      "BIOCSDIRECTION BPF_D_OUT: BIOCGSEESENT gives 1 [BPF-GDIRECTION-2]");
}

static void test_feedback(int fd)
{
	equal(get(fd, BIOCGFEEDBACK), 0,
	      "BIOCGFEEDBACK: feedback is off by default [BPF-OPEN-7]");
	set(fd, BIOCSFEEDBACK, 0x100);
	equal(get(fd, BIOCGFEEDBACK), 1,
	      "BIOCSFEEDBACK 0x100: BIOCGFEEDBACK gives 1 [BPF-GFEEDBACK-1]");
}

static void test_limits(int fd)
{
	unsigned int value = 3;

	equal(error_of(ioctl(fd, BIOCSDIRECTION, &value)), EINVAL,
	      "BIOCSDIRECTION 3 is EINVAL [BPF-SDIRECTION-2]");
	equal(get(fd, BIOCGDIRECTION), BPF_D_OUT,
	      "BIOCSDIRECTION 3 leaves the direction as it was [BPF-SDIRECTION-2]");
	equal(error_of(ioctl(fd, BIOCSTSTAMP, &value)), EINVAL,
	      "BIOCSTSTAMP 3 is EINVAL [BPF-STSTAMP-2]");
	equal(get(fd, BIOCGTSTAMP), BPF_T_MICROTIME,
	      "BIOCSTSTAMP 3 leaves the default, microseconds [BPF-STSTAMP-2 BPF-GTSTAMP-1]");
	set(fd, BIOCSTSTAMP, BPF_T_NANOTIME);
	equal(get(fd, BIOCGTSTAMP), BPF_T_NANOTIME,
	      "BIOCSTSTAMP BPF_T_NANOTIME: BIOCGTSTAMP gives it [BPF-GTSTAMP-1]");
}

static void test_size(int fd)
{
	unsigned int size = 0;

	equal(get(fd, BIOCGBLEN), 32768,
	      "BIOCGBLEN: the default buffer size is 32768 [BPF-OPEN-5]");
	equal(ioctl(fd, BIOCSBLEN, &size), 0,
	      "BIOCSBLEN 0 succeeds [BPF-SBLEN-2]");
	equal(size, 32, "BIOCSBLEN 0 returns the smallest size, 32");
	size = 0xffffffff;
	equal(ioctl(fd, BIOCSBLEN, &size), 0,
	      "BIOCSBLEN 2^32 - 1 succeeds [BPF-SBLEN-3]");
	equal(size, 4194304,
	      "BIOCSBLEN 2^32 - 1 returns the largest size, 4 MiB [BPF-SBLEN-5]");
	equal(get(fd, BIOCGBLEN), 4194304,
	      "BIOCGBLEN gives the size that BIOCSBLEN returned [BPF-GBLEN-1]");
	set(fd, BIOCSBLEN, 31);
	equal(get(fd, BIOCGBLEN), 32, "BIOCSBLEN 31 sets 32 [BPF-SBLEN-2]");
	set(fd, BIOCSBLEN, 33);
	equal(get(fd, BIOCGBLEN), 33, "BIOCSBLEN 33 sets 33");
	set(fd, BIOCSBLEN, 4194305);
	equal(get(fd, BIOCGBLEN), 4194304,
	      "BIOCSBLEN 4 MiB + 1 sets 4 MiB [BPF-SBLEN-3]");
	set(fd, BIOCSBLEN, 4194303);
	equal(get(fd, BIOCGBLEN), 4194303, "BIOCSBLEN 4 MiB - 1 sets that");
	set(fd, BIOCSBLEN, 5001);
	equal(get(fd, BIOCGBLEN), 5001,
	      "BIOCSBLEN 5001 is not rounded [BPF-SBLEN-4]");
}

/* A request whose result cannot be copied to the program has no effect. */
static void test_addresses(int fd)
{
	static const struct {
		const char *name;
		unsigned long request;
	} requests[] = {
		{ "BIOCGBLEN", BIOCGBLEN }, { "BIOCSBLEN", BIOCSBLEN },
		{ "BIOCSETF", BIOCSETF }, { "BIOCSETIF", BIOCSETIF },
		{ "BIOCGSTATS", BIOCGSTATS }, { "BIOCIMMEDIATE", BIOCIMMEDIATE },
		{ "BIOCVERSION", BIOCVERSION },
		{ "BIOCGHDRCMPLT", BIOCGHDRCMPLT },
		{ "BIOCSHDRCMPLT", BIOCSHDRCMPLT },
		{ "BIOCGSEESENT", BIOCGSEESENT },
		{ "BIOCSSEESENT", BIOCSSEESENT },
		{ "BIOCSRTIMEOUT", BIOCSRTIMEOUT },
		{ "BIOCGRTIMEOUT", BIOCGRTIMEOUT },
		{ "BIOCGFEEDBACK", BIOCGFEEDBACK },
		{ "BIOCSFEEDBACK", BIOCSFEEDBACK }, { "FIONREAD", FIONREAD },
	};
	unsigned int *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), i;

	for (i = 0; i < sizeof(requests) / sizeof(requests[0]); i++)
		equal(error_of(ioctl(fd, requests[i].request, (void *)8)),
		      EFAULT,
		      "%s with a bad address is EFAULT [BPF-SETIF-9 BPF-IOCTL-5]",
		      requests[i].name);
	*page = 4096;
	mprotect(page, 4096, PROT_READ);
	equal(error_of(ioctl(fd, BIOCSBLEN, page)), EFAULT,
	      "BIOCSBLEN with an argument that is read-only memory is EFAULT");
	equal(get(fd, BIOCGBLEN), 5001,
	      "BIOCSBLEN that is EFAULT leaves the size as it was [BPF-SBLEN-5]");
	munmap(page, 4096);
}

/* Requests work with any access mode of the descriptor. */
static void test_access_modes(void)
{
	static const int modes[] = { O_RDONLY, O_WRONLY };
	unsigned int i;

	for (i = 0; i < 2; i++) {
		int fd = open_bpf(modes[i]);

		set(fd, BIOCSBLEN, 4096);
		equal(get(fd, BIOCGBLEN), 4096,
		      "access mode %d: BIOCSBLEN sets a size", modes[i]);
		equal(attach(fd, "eth0"), 0,
		      "access mode %d: BIOCSETIF succeeds [BPF-OPEN-9]",
		      modes[i]);
		set(fd, BIOCIMMEDIATE, 1);
		equal(ioctl(fd, BIOCFLUSH, NULL), 0,
		      "access mode %d: BIOCFLUSH succeeds", modes[i]);
		close(fd);
	}
}

static void test_timeout(int fd)
{
	struct timeval tv = { 9, 9 };

	equal(ioctl(fd, BIOCGRTIMEOUT, &tv), 0,
	      "BIOCGRTIMEOUT succeeds before a timeout is set [BPF-OPEN-8]");
	ok(tv.tv_sec == 0 && tv.tv_usec == 0,
	   "BIOCGRTIMEOUT: there is no timeout by default");
	equal(set_timeout(fd, 1, 234567), 0,
	      "BIOCSRTIMEOUT 1.234567 s succeeds");
	ioctl(fd, BIOCGRTIMEOUT, &tv);
	ok(tv.tv_sec == 1 && tv.tv_usec == 234567,
	   "BIOCGRTIMEOUT gives exactly the timeout that was set [BPF-GRTIMEOUT-1]");
	equal(set_timeout(fd, -1, 0), EINVAL,
	      "BIOCSRTIMEOUT with negative seconds is EINVAL [BPF-SRTIMEOUT-1]");
	equal(set_timeout(fd, 0, -1), EINVAL,
	      "BIOCSRTIMEOUT with negative microseconds is EINVAL [BPF-SRTIMEOUT-1]");
	equal(set_timeout(fd, 0, 1000000), EINVAL,
	      "BIOCSRTIMEOUT with a million microseconds is EINVAL [BPF-SRTIMEOUT-1]");
	equal(set_timeout(fd, 2147483, 648000), EDOM,
	      "BIOCSRTIMEOUT 2^31 milliseconds is EDOM [BPF-SRTIMEOUT-2]");
	equal(set_timeout(fd, 0x7fffffffffffffff, 0), EDOM,
	      "BIOCSRTIMEOUT 2^63 - 1 seconds is EDOM [BPF-SRTIMEOUT-2]");
	equal(set_timeout(fd, 18446744074, 0), EDOM,
	      "BIOCSRTIMEOUT over 2^64 nanoseconds is EDOM");
	equal(set_timeout(fd, 2147483, 647999), 0,
	      "BIOCSRTIMEOUT just below 2^31 milliseconds succeeds [BPF-SRTIMEOUT-2]");
	ioctl(fd, BIOCGRTIMEOUT, &tv);
	ok(tv.tv_sec == 2147483 && tv.tv_usec == 647999,
	   "BIOCGRTIMEOUT gives the longest timeout");
	equal(set_timeout(fd, 0, 0), 0,
	      "BIOCSRTIMEOUT 0 succeeds [BPF-SRTIMEOUT-3]");
}

int main(void)
{
	int fd = open_bpf(O_RDWR);

	test_booleans(fd);
	test_feedback(fd);
	test_limits(fd);
	test_size(fd);
	test_timeout(fd);
	test_addresses(fd);
	close(fd);
	test_access_modes();
	return done_testing();
}
