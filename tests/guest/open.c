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

	equal(set_limit("4097"), EINVAL,
	      "parameter descriptors: 4097 is EINVAL");
	equal(set_limit("0"), EINVAL, "parameter descriptors: 0 is EINVAL");
	equal(set_limit("4096"), 0, "parameter descriptors: 4096 is accepted");
	if (setrlimit(RLIMIT_NOFILE, &many))
		bail("setrlimit");
	for (i = 0; i < 4096; i++)
		opened += (fds[i] = open("/dev/bpf", O_RDWR)) >= 0;
	equal(opened, 4096,
	      "4096 descriptors can be open at once [BPF-OPEN-3]");
	equal(error_of(open("/dev/bpf", O_RDWR)), ENOBUFS,
	      "opening a 4097th descriptor is ENOBUFS");
	equal(set_limit("256"), 0,
	      "parameter descriptors: a lower limit is accepted while more are open");
	close(fds[0]);
	equal(error_of(open("/dev/bpf", O_RDWR)), ENOBUFS,
	      "opening a descriptor above the lowered limit is ENOBUFS");
	for (i = 1; i < 4096; i++)
		close(fds[i]);
	i = open("/dev/bpf", O_RDWR);
	ok(i >= 0, "closing all 4096 descriptors makes room again");
	close(i);
}

int main(void)
{
	int fds[256], a, b, i;
	struct bpf_version version;

	a = open_bpf(O_RDWR);
	b = open("/dev/bpf0", O_RDWR);
	ok(b >= 0, "/dev/bpf0 opens a descriptor, too [BPF-OPEN-2]");
	set(a, BIOCSBLEN, 4096);
	equal(get(a, BIOCGBLEN), 4096,
	      "BIOCSBLEN sets the size of its own descriptor [BPF-OPEN-1]");
	equal(get(b, BIOCGBLEN), 32768,
	      "BIOCSBLEN does not set the size of another descriptor [BPF-OPEN-1]");
	close(b);
	b = open("/dev/bpf", O_WRONLY);
	ok(b >= 0, "opening for writing only succeeds");
	close(b);
	equal(ioctl(a, BIOCVERSION, &version), 0, "BIOCVERSION succeeds");
	ok(version.bv_major == 1 && version.bv_minor == 1,
	   "BIOCVERSION gives 1.1 [BPF-VERSION-1]");
	equal(error_of(ioctl(a, _IO('B', 99), 0)), ENOTTY,
	      "an unknown request is ENOTTY [BPF-IOCTL-4]");
	equal(error_of(ioctl(a, TCGETS, 0)), ENOTTY,
	      "a terminal's request is ENOTTY [BPF-IOCTL-4]");
	equal(error_of(ioctl(a, BIOCGBLEN, NULL)), EFAULT,
	      "BIOCGBLEN to NULL is EFAULT");
	equal(error_of(lseek(a, 0, SEEK_SET)), ESPIPE, "lseek is ESPIPE");
	close(a);

	for (i = 0; i < 256; i++)
		fds[i] = open("/dev/bpf", O_RDWR);
	ok(fds[255] >= 0, "256 descriptors can be open at once [BPF-OPEN-3]");
	equal(error_of(open("/dev/bpf", O_RDWR)), ENOBUFS,
	      "opening a 257th descriptor is ENOBUFS [BPF-OPEN-3]");
	close(fds[7]);
	fds[7] = open("/dev/bpf", O_RDWR);
	ok(fds[7] >= 0,
	   "closing a descriptor makes room for another [BPF-CLOSE-1]");
	for (i = 0; i < 256; i++)
		close(fds[i]);
	test_limit();
	return done_testing();
}
