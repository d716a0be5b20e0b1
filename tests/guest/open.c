// SPDX-License-Identifier: GPL-2.0-or-later
/* Every open of the cloner is a descriptor of its own; there are 256. */
#include <sys/resource.h>

#include "guest.h"

#define LIMIT	"/sys/module/virtio_capture/parameters/descriptors"

static int set_limit(const char *text)
{
	int fd = open(LIMIT, O_WRONLY), result;

	result = error_of(write(fd, text, strlen(text)));
	close(fd);
	return result;
}

static void test_limit(void)
{
	static const struct rlimit many = { 5000, 5000 };
	static int fds[4096];
	int i, opened = 0;

	equal(set_limit("4097"), EINVAL, "no limit above 4096");
	equal(set_limit("0"), EINVAL, "and none of 0");
	equal(set_limit("4096"), 0, "4096 descriptors");
	if (setrlimit(RLIMIT_NOFILE, &many))
		bail("setrlimit");
	for (i = 0; i < 4096; i++)
		opened += (fds[i] = open("/dev/bpf", O_RDWR)) >= 0;
	equal(opened, 4096, "can be open at once [BPF-OPEN-3]");
	equal(error_of(open("/dev/bpf", O_RDWR)), ENOBUFS, "and no more");
	equal(set_limit("256"), 0, "a lower limit while they are open");
	close(fds[0]);
	equal(error_of(open("/dev/bpf", O_RDWR)), ENOBUFS,
	      "is for those to come");
	for (i = 1; i < 4096; i++)
		close(fds[i]);
	i = open("/dev/bpf", O_RDWR);
	ok(i >= 0, "all of them closed make room again");
	close(i);
}

int main(void)
{
	int fds[256], a, b, i;
	struct bpf_version version;

	a = open_bpf(O_RDWR);
	b = open("/dev/bpf0", O_RDWR);
	ok(b >= 0, "/dev/bpf0 is a second name [BPF-OPEN-2]");
	set(a, BIOCSBLEN, 4096);
	equal(get(a, BIOCGBLEN), 4096,
	      "a size set on one descriptor [BPF-OPEN-1]");
	equal(get(b, BIOCGBLEN), 32768,
	      "does not show on the other [BPF-OPEN-1]");
	close(b);
	b = open("/dev/bpf", O_WRONLY);
	ok(b >= 0, "open for writing only");
	close(b);
	equal(ioctl(a, BIOCVERSION, &version), 0, "BIOCVERSION");
	ok(version.bv_major == 1 && version.bv_minor == 1,
	   "is 1.1 [BPF-VERSION-1]");
	equal(error_of(ioctl(a, _IO('B', 99), 0)), ENOTTY,
	      "unknown request [BPF-IOCTL-4]");
	equal(error_of(ioctl(a, TCGETS, 0)), ENOTTY,
	      "another device's [BPF-IOCTL-4]");
	equal(error_of(ioctl(a, BIOCGBLEN, NULL)), EFAULT, "a bad address");
	equal(error_of(lseek(a, 0, SEEK_SET)), ESPIPE, "no seeking");
	close(a);

	for (i = 0; i < 256; i++)
		fds[i] = open("/dev/bpf", O_RDWR);
	ok(fds[255] >= 0, "256 descriptors at once [BPF-OPEN-3]");
	equal(error_of(open("/dev/bpf", O_RDWR)), ENOBUFS,
	      "no 257th [BPF-OPEN-3]");
	close(fds[7]);
	fds[7] = open("/dev/bpf", O_RDWR);
	ok(fds[7] >= 0, "one closed makes room for another [BPF-CLOSE-1]");
	for (i = 0; i < 256; i++)
		close(fds[i]);
	test_limit();
	return done_testing();
}
