// SPDX-License-Identifier: GPL-2.0-or-later
/* Settings read back, with their limits and errors. */
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
	      "header complete: off by default [BPF-OPEN-7]");
	set(fd, BIOCSHDRCMPLT, 0x100);
	equal(get(fd, BIOCGHDRCMPLT), 1,
	      "header complete: not 0 is 1 [BPF-GHDRCMPLT-1]");
	set(fd, BIOCSHDRCMPLT, 0);
	equal(get(fd, BIOCGHDRCMPLT), 0,
	      "header complete: off again [BPF-SHDRCMPLT-1]");

	equal(get(fd, BIOCGSEESENT), 1, "see sent: on by default [BPF-OPEN-6]");
	equal(get(fd, BIOCGDIRECTION), BPF_D_INOUT,
	      "direction: both [BPF-GDIRECTION-1]");
	set(fd, BIOCSSEESENT, 0);
	equal(get(fd, BIOCGSEESENT), 0, "see sent off [BPF-SSEESENT-1]");
	equal(get(fd, BIOCGDIRECTION), BPF_D_IN, "is the direction in [BPF-GDIRECTION-2]");
	set(fd, BIOCSSEESENT, 0x100);
	equal(get(fd, BIOCGSEESENT), 1,
	      "see sent: not 0 is 1 [BPF-GSEESENT-1]");
	set(fd, BIOCSDIRECTION, BPF_D_OUT);
	equal(get(fd, BIOCGDIRECTION), BPF_D_OUT,
	      "direction out [BPF-GDIRECTION-1]");
	equal(get(fd, BIOCGSEESENT), 1, "sees what is sent [BPF-GDIRECTION-2]");
}

static void test_limits(int fd)
{
	unsigned int value = 3;

	equal(error_of(ioctl(fd, BIOCSDIRECTION, &value)), EINVAL,
	      "no such direction [BPF-SDIRECTION-2]");
	equal(get(fd, BIOCGDIRECTION), BPF_D_OUT,
	      "the old one stays [BPF-SDIRECTION-2]");
	equal(error_of(ioctl(fd, BIOCSTSTAMP, &value)), EINVAL,
	      "no such time stamp [BPF-STSTAMP-2]");
	equal(get(fd, BIOCGTSTAMP), BPF_T_MICROTIME,
	      "the old one stays [BPF-STSTAMP-2 BPF-GTSTAMP-1]");
	set(fd, BIOCSTSTAMP, BPF_T_NANOTIME);
	equal(get(fd, BIOCGTSTAMP), BPF_T_NANOTIME, "nanoseconds [BPF-GTSTAMP-1]");
}

static void test_size(int fd)
{
	unsigned int size = 0;

	equal(get(fd, BIOCGBLEN), 32768, "default buffer size [BPF-OPEN-5]");
	equal(ioctl(fd, BIOCSBLEN, &size), 0, "too small a size [BPF-SBLEN-2]");
	equal(size, 32, "is raised to the smallest, and told");
	size = 0xffffffff;
	equal(ioctl(fd, BIOCSBLEN, &size), 0, "too large a size [BPF-SBLEN-3]");
	equal(size, 4194304, "is lowered to the largest [BPF-SBLEN-5]");
	equal(get(fd, BIOCGBLEN), 4194304, "which is then set [BPF-GBLEN-1]");
	set(fd, BIOCSBLEN, 31);
	equal(get(fd, BIOCGBLEN), 32, "just below the smallest [BPF-SBLEN-2]");
	set(fd, BIOCSBLEN, 33);
	equal(get(fd, BIOCGBLEN), 33, "just above it");
	set(fd, BIOCSBLEN, 4194305);
	equal(get(fd, BIOCGBLEN), 4194304,
	      "just above the largest [BPF-SBLEN-3]");
	set(fd, BIOCSBLEN, 4194303);
	equal(get(fd, BIOCGBLEN), 4194303, "just below it");
	set(fd, BIOCSBLEN, 5001);
	equal(get(fd, BIOCGBLEN), 5001,
	      "a valid size is not rounded [BPF-SBLEN-4]");
}

/* What a program could not be told of must not have happened. */
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
		      EFAULT, "%s: a bad address [BPF-SETIF-9 BPF-IOCTL-5]",
		      requests[i].name);
	*page = 4096;
	mprotect(page, 4096, PROT_READ);
	equal(error_of(ioctl(fd, BIOCSBLEN, page)), EFAULT,
	      "BIOCSBLEN: an argument that cannot be written to");
	equal(get(fd, BIOCGBLEN), 5001,
	      "leaves the size as it was [BPF-SBLEN-5]");
	munmap(page, 4096);
}

/* Requests need no access that the descriptor has not. */
static void test_access_modes(void)
{
	static const int modes[] = { O_RDONLY, O_WRONLY };
	unsigned int i;

	for (i = 0; i < 2; i++) {
		int fd = open_bpf(modes[i]);

		set(fd, BIOCSBLEN, 4096);
		equal(get(fd, BIOCGBLEN), 4096, "access mode %d: sizes", modes[i]);
		equal(attach(fd, "eth0"), 0,
		      "access mode %d: BIOCSETIF [BPF-OPEN-9]", modes[i]);
		set(fd, BIOCIMMEDIATE, 1);
		equal(ioctl(fd, BIOCFLUSH, NULL), 0, "access mode %d: BIOCFLUSH",
		      modes[i]);
		close(fd);
	}
}

static void test_timeout(int fd)
{
	struct timeval tv = { 9, 9 };

	equal(ioctl(fd, BIOCGRTIMEOUT, &tv), 0,
	      "no timeout by default [BPF-OPEN-8]");
	ok(tv.tv_sec == 0 && tv.tv_usec == 0, "is zero");
	equal(set_timeout(fd, 1, 234567), 0, "a timeout");
	ioctl(fd, BIOCGRTIMEOUT, &tv);
	ok(tv.tv_sec == 1 && tv.tv_usec == 234567,
	   "read back exactly [BPF-GRTIMEOUT-1]");
	equal(set_timeout(fd, -1, 0), EINVAL,
	      "negative seconds [BPF-SRTIMEOUT-1]");
	equal(set_timeout(fd, 0, -1), EINVAL,
	      "negative microseconds [BPF-SRTIMEOUT-1]");
	equal(set_timeout(fd, 0, 1000000), EINVAL,
	      "a million microseconds [BPF-SRTIMEOUT-1]");
	equal(set_timeout(fd, 2147483, 648000), EDOM,
	      "2^31 milliseconds [BPF-SRTIMEOUT-2]");
	equal(set_timeout(fd, 0x7fffffffffffffff, 0), EDOM,
	      "the end of time [BPF-SRTIMEOUT-2]");
	equal(set_timeout(fd, 18446744074, 0), EDOM, "over 2^64 nanoseconds");
	equal(set_timeout(fd, 2147483, 647999), 0,
	      "just below [BPF-SRTIMEOUT-2]");
	ioctl(fd, BIOCGRTIMEOUT, &tv);
	ok(tv.tv_sec == 2147483 && tv.tv_usec == 647999, "read back");
	equal(set_timeout(fd, 0, 0), 0, "and none again [BPF-SRTIMEOUT-3]");
}

int main(void)
{
	int fd = open_bpf(O_RDWR);

	test_booleans(fd);
	test_limits(fd);
	test_size(fd);
	test_timeout(fd);
	test_addresses(fd);
	close(fd);
	test_access_modes();
	return done_testing();
}
