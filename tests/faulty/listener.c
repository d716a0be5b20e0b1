// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Listens to a device that lies (faults.c), and has it tell one lie after the
 * other. After each the driver is bound to the device anew, which must work.
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <dirent.h>
#include <stdarg.h>
#include <sys/wait.h>
#include <time.h>

#include "guest.h"

#define DRIVER	"/sys/bus/virtio/drivers/virtio_capture"
#define NIC_DRIVER "/sys/bus/virtio/drivers/virtio_net"
#define PATIENCE 50	/* seconds; above the driver's own limit of 30 */

static uint8_t buf[65536];
static char device[64];		/* virtioN */
static int kmsg;

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		bail(path);
	close(fd);
}

/* eth0's; the next one has no NIC. */
static void find_device(void)
{
	struct dirent *entry;
	DIR *dir = opendir(DRIVER);

	while (dir && (entry = readdir(dir)))
		if (!strncmp(entry->d_name, "virtio", 6) &&
		    (!device[0] || strverscmp(entry->d_name, device) < 0))
			snprintf(device, sizeof(device), "%.63s", entry->d_name);
	if (!device[0])
		bail("no capture device");
	closedir(dir);
}

static void bind_again(void)
{
	write_file(DRIVER "/unbind", device);
	write_file(DRIVER "/bind", device);
}

/* How many new lines the kernel has written that hold a text. */
static int logged(const char *text)
{
	char line[2048];
	int count = 0;
	ssize_t len;

	while ((len = read(kmsg, line, sizeof(line) - 1)) > 0 ||
	       errno == EPIPE) {
		if (len <= 0)
			continue;
		line[len] = '\0';
		count += strstr(line, text) != NULL;
	}
	return count;
}

/* Have the device tell a lie so often: the frame that carries the order. */
static void order(const char *fault, unsigned int count)
{
	struct frame f;

	make_frame(&f, 1, 200);
	snprintf((char *)f.payload, 100, "FAULT=%s,%u;", fault, count);
	send_raw("eth0", &f, 200);
}

static void interrupted(int sig)
{
	(void)sig;
}

/* Read until that fails; returns the error, or EINTR when it takes too long. */
static int read_to_error(int fd)
{
	ssize_t len;

	alarm(PATIENCE);
	do
		len = read(fd, buf, get(fd, BIOCGBLEN));
	while (len > 0);
	alarm(0);
	return len ? errno : 0;
}

static int listener(void)
{
	return listen_on("eth0", 0, O_RDWR);
}

/* Order a lie, and read the frame with the order, in immediate mode. */
static void listen_to_order(int fd, const char *what, const char *fault,
			    unsigned int count)
{
	set(fd, BIOCIMMEDIATE, 1);
	order(fault, count);
	alarm(PATIENCE);
	ok(read(fd, buf, get(fd, BIOCGBLEN)) > 0, "%s: the order is there",
	   what);
	alarm(0);
}

/* A frame gets from the NIC to a reader. */
static int works(void)
{
	int fd = listener(), len;

	set(fd, BIOCIMMEDIATE, 1);
	send_frames("eth0", 7, 1, 100);
	alarm(PATIENCE);
	len = read(fd, buf, get(fd, BIOCGBLEN));
	alarm(0);
	close(fd);
	return len == HEADER + 104;
}

/* The device is given up; a read that waits learns of it. */
static void fatal(const char *fault, const char *line)
{
	int fd = listener(), waiting = listener(), pipes[2];
	char c = 0;
	pid_t pid;

	logged("");
	if (pipe(pipes))
		bail("pipe");
	pid = fork();
	if (pid == 0) {
		c = (char)read_to_error(waiting);
		_exit(write(pipes[1], &c, 1) != 1);
	}
	usleep(50000);
	order(fault, 1);
	equal(read_to_error(fd), EIO, "%s: a reader gets EIO", fault);
	equal(read(pipes[0], &c, 1), 1, "%s: one that waits wakes", fault);
	equal(c, EIO, "%s: and gets EIO, too", fault);
	waitpid(pid, NULL, 0);
	ok(readable(fd, 0), "%s: a poll ends", fault);
	equal(logged(line), 1, "%s: the kernel says it once: %s", fault, line);
	close(fd);
	fd = open_bpf(O_RDWR);
	equal(error_of(attach(fd, "eth0")), ENXIO,
	      "%s: there is nothing to attach to", fault);
	close(fd);
	close(waiting);
	close(pipes[0]);
	close(pipes[1]);
	bind_again();
	ok(works(), "%s: a reset mends the device", fault);
}

/* The driver lives with it: the device is not given up. */
static void harmless(const char *fault, unsigned int count)
{
	int fd = listener();

	logged("");
	set(fd, BIOCIMMEDIATE, 1);
	order(fault, count);
	send_frames("eth0", 7, 20, 100);
	alarm(PATIENCE);
	ok(read(fd, buf, get(fd, BIOCGBLEN)) > 0, "%s: a read succeeds", fault);
	alarm(0);
	stats(fd);
	ok(works(), "%s: capture goes on", fault);
	equal(logged("given up"), 0, "%s: the device is not given up", fault);
	close(fd);
	bind_again();
}

/*
 * Commands fail: who gave one gets an error, however many there are. In the
 * end the device is to tell the truth again.
 */
static void command_fails(const char *fault, int expected, const char *line)
{
	int fd = listener(), second = open_bpf(O_RDWR), i;
	struct bpf_stat st = { 0 };

	logged("");
	listen_to_order(fd, fault, fault, 1000000);
	/* Times in nanoseconds, which the device has to be told to give. */
	set(second, BIOCSTSTAMP, BPF_T_NANOTIME);
	equal(error_of(attach(second, "eth0")), expected,
	      "%s: BIOCSETIF fails", fault);
	for (i = 0; i < 100; i++)
		ioctl(fd, BIOCGSTATS, &st);
	equal(st.bs_drop, 0, "%s: no count is believed", fault);
	if (line) {
		i = logged(line);
		ok(i > 0 && i < 50, "%s: some lines of the kernel, not 100",
		   fault);
	}
	order("none", 0);
	alarm(PATIENCE);
	ok(read(fd, buf, get(fd, BIOCGBLEN)) > 0, "%s: capture goes on",
	   fault);
	alarm(0);
	close(second);
	close(fd);
	bind_again();
	ok(works(), "%s: a reset mends the device", fault);
}

/* Thousands of commands whose answers are random; then the truth again. */
static void random_answers(unsigned int count)
{
	int fd = listener(), other, attached = 0;
	struct bpf_stat st;
	unsigned int i;

	logged("");
	listen_to_order(fd, "random", "ctl-random", 1000000);
	alarm(PATIENCE);
	for (i = 0; i < count; i++) {
		ioctl(fd, BIOCGSTATS, &st);
		other = open_bpf(O_RDWR);
		set(other, BIOCSTSTAMP, i & 1);
		attached += attach(other, "eth0") == 0;
		close(other);
	}
	alarm(0);
	ok(attached > 0 && attached < (int)count,
	   "random: some commands succeed and some fail");
	equal(logged("given up"), 0, "random: the device is not given up");
	order("none", 0);
	alarm(PATIENCE);
	ok(read(fd, buf, get(fd, BIOCGBLEN)) > 0, "random: capture goes on");
	alarm(0);
	close(fd);
	bind_again();
	ok(works(), "random: a reset mends the device");
}

/* A command of one descriptor's shows that the device is beyond help. */
static void given_up_by_command(const char *fault)
{
	int fd = listener(), second = open_bpf(O_RDWR);

	logged("");
	listen_to_order(fd, fault, fault, 1);
	ok(attach(second, "eth0") < 0, "%s: who gave the command gets an error",
	   fault);
	equal(read_to_error(fd), EIO, "%s: other readers get EIO", fault);
	equal(logged("the device is given up"), 1, "%s: the kernel says it once",
	      fault);
	close(second);
	close(fd);
	bind_again();
	ok(works(), "%s: a reset mends the device", fault);
}

/* Whether a process sleeps in the kernel, where signals do not reach it. */
static int blocked(pid_t pid)
{
	char path[64], text[512] = "";
	const char *state;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	fd = open(path, O_RDONLY);
	if (fd < 0 || read(fd, text, sizeof(text) - 1) < 0)
		bail(path);
	close(fd);
	state = strrchr(text, ')');
	return state && state[2] == 'D';
}

/* A change of an interface, for which the kernel locks all of them. */
static void set_up(const char *name)
{
	struct ifreq request = { .ifr_flags = IFF_UP };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	strncpy(request.ifr_name, name, IFNAMSIZ - 1);
	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request))
		bail("SIOCSIFFLAGS");
	close(fd);
}

/* The NIC goes while the device does not answer a command. */
static void silent(void)
{
	int fd = listener(), second = open_bpf(O_RDWR), status;
	char path[256] = "";
	const char *nic;
	pid_t pid;

	if (readlink("/sys/class/net/eth0/device", path, sizeof(path) - 1) < 0)
		bail("the NIC");
	nic = strrchr(path, '/') + 1;
	logged("");
	listen_to_order(fd, "silent", "ctl-silent", 1);
	pid = fork();
	if (pid == 0)
		_exit(attach(second, "eth0") == 0);
	while (!blocked(pid))
		usleep(1000);
	write_file(NIC_DRIVER "/unbind", nic);
	set_up("lo");
	equal(logged("no answer"), 0,
	      "silent: interfaces go and change while the device is awaited");
	waitpid(pid, &status, 0);
	equal(status, 0, "silent: who gave the command gets an error");
	equal(read_to_error(fd), EIO, "silent: other readers get EIO");
	equal(logged("the device is given up"), 1,
	      "silent: the kernel says it once");
	close(second);
	close(fd);
	write_file(NIC_DRIVER "/bind", nic);
	set_up("eth0");
	bind_again();
	ok(works(), "silent: a reset mends the device");
}

/* A device that takes any frame; to the driver, none is longer than Ethernet's. */
static void endless_frames(void)
{
	const size_t len = 16 << 20;
	int fd = listener();
	void *frame = calloc(1, len);

	listen_to_order(fd, "mtu", "config-mtu", 1);
	close(fd);
	fd = listener();
	equal(error_of(write(fd, frame, len)), EMSGSIZE,
	      "mtu: what is no frame is refused");
	order("none", 0);
	close(fd);
	free(frame);
	bind_again();
	ok(works(), "mtu: and it works");
}

/*
 * What is written while the device lies about what it has sent: a lie that makes
 * no sense of the ring is the last.
 */
static void injection(const char *fault, int last)
{
	int fd = listener(), i;
	struct frame f;

	logged("");
	listen_to_order(fd, fault, fault, 3);
	alarm(PATIENCE);
	make_frame(&f, 2, 100);
	for (i = 0; i < 10; i++)
		if (write(fd, &f, 100) < 0 && errno != EIO && errno != ENXIO &&
		    errno != EINVAL)
			break;
	alarm(0);
	equal(i, 10, "%s: ten writes end, well or with an error", fault);
	if (last) {
		/* A write looks at what the device has done with others. */
		for (i = 0; i < 1000 && write(fd, &f, 100) >= 0; i++)
			usleep(1000);
		equal(read_to_error(fd), EIO, "%s: readers get EIO", fault);
		equal(logged("the device is given up"), 1,
		      "%s: the kernel says it once", fault);
	}
	close(fd);
	bind_again();
	ok(works(), "%s: a reset mends the device", fault);
}

/* The device that has no NIC has an address of zeros; so has dummy0. */
static void no_address(void)
{
	int fd = open_bpf(O_RDWR);

	equal(attach(fd, "capture1"), 0, "there is a device without a NIC");
	close(fd);
	fd = open_bpf(O_RDWR);
	ok(if_nametoindex("dummy0") > 0 &&
	   error_of(attach(fd, "dummy0")) == ENXIO,
	   "an interface without a permanent address is no NIC");
	close(fd);
}

/* What the driver has to accept before anything else. */
static void negotiated(void)
{
	char path[128], bits[80] = "";
	int fd;

	snprintf(path, sizeof(path), "/sys/bus/virtio/devices/%.40s/features",
		 device);
	fd = open(path, O_RDONLY);
	ok(fd >= 0 && read(fd, bits, sizeof(bits) - 1) > 33 && bits[32] == '1',
	   "VIRTIO_F_VERSION_1 is accepted");
	close(fd);
}

/* A suspend behind which the device lacks a queue. Nothing mends that. */
static void lacks_queue(void)
{
	int fd = listener(), second = open_bpf(O_RDWR);
	struct bpf_stat before = stats(fd);
	struct frame f;

	logged("");
	listen_to_order(fd, "queues", "no-queues", 1);
	write_file("/sys/module/suspend/parameters/pm_test_delay", "0");
	write_file("/sys/power/pm_test", "devices");
	write_file("/sys/power/state", "freeze");
	equal(read_to_error(fd), EIO, "queues: a reader gets EIO");
	equal(logged("no queues after a suspend; the device is given up"), 1,
	      "queues: the kernel says why");
	equal(stats(fd).bs_recv, before.bs_recv + 1, "queues: counts stay");
	make_frame(&f, 2, 100);
	equal(error_of(write(fd, &f, 100)), EINVAL,
	      "queues: nothing can be written");
	equal(error_of(attach(second, "eth0")), ENXIO,
	      "queues: there is nothing to attach to");
	close(second);
	close(fd);
	write_file(DRIVER "/unbind", device);
}

int main(void)
{
	static const char given_up[] = "the device is given up";
	static const char * const malformed[] = {
		"cap-too-long", "cap-longest", "cap-empty", "cap-odd",
		"cap-no-header", "cap-overlap", "cap-past-end",
		"cap-length-wraps", "cap-more-than-wire", "cap-hdrlen",
		"cap-subsec", "cap-not-given", "cap-no-buffer",
		"cap-index-jumps", "needs-reset",
	};
	struct sigaction sa = { .sa_handler = interrupted };
	size_t i;

	sigaction(SIGALRM, &sa, NULL);
	kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK);
	if (kmsg < 0)
		bail("/dev/kmsg");
	lseek(kmsg, 0, SEEK_END);
	find_device();
	negotiated();
	no_address();
	ok(works(), "without lies it works");
	for (i = 0; i < sizeof(malformed) / sizeof(malformed[0]); i++)
		fatal(malformed[i], given_up);
	harmless("cap-flags", 20);
	harmless("cap-dropped-wraps", 20);
	harmless("config", 200);
	harmless("ctl-counts-wrap", 20);
	harmless("ctl-longest", 20);
	command_fails("ctl-status", EIO, "failed with status 77");
	/* These lines of the kernel are among those that it leaves out. */
	command_fails("ctl-empty", EIO, NULL);
	command_fails("ctl-no-counters", EIO, NULL);
	command_fails("ctl-gone", ENXIO, NULL);
	random_answers(2000);
	given_up_by_command("ctl-not-given");
	given_up_by_command("ctl-no-buffer");
	silent();
	endless_frames();
	injection("inj-status", 0);
	injection("inj-empty", 0);
	injection("inj-longest", 0);
	injection("inj-silent", 0);
	injection("inj-not-given", 1);
	injection("inj-no-buffer", 1);
	lacks_queue();
	return done_testing();
}
