// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Listens to a misbehaving device (faults.c), and selects one fault after the
 * other. After each fault, binds the driver to the device again, and the device
 * must work.
 */
#define _GNU_SOURCE
#include "faulty.h"

/*
 * Commands fail: each caller gets an error, however many commands there are.
 * Afterwards the device works again.
 */
static void command_fails(const char *fault, int expected, const char *line)
{
	int fd = listener(), second = open_bpf(O_RDWR), i;
	struct bpf_stat st = { 0 };

	logged("");
	listen_to_order(fd, fault, fault, 1000000);
	/* Makes attaching send LISTEN, to ask for times in nanoseconds. */
	set(second, BIOCSTSTAMP, BPF_T_NANOTIME);
	equal(error_of(attach(second, "eth0")), expected, "%s: BIOCSETIF fails",
	      fault);
	for (i = 0; i < 100; i++)
		ioctl(fd, BIOCGSTATS, &st);
	equal(st.bs_drop, 0, "%s: BIOCGSTATS takes no counts from the reply",
	      fault);
	if (line) {
		i = logged(line);
		ok(i > 0 && i < 50,
		   "%s: the kernel's log has between 1 and 49 lines of 100 failures",
		   fault);
	}
	order("none", 0);
	alarm(PATIENCE);
	ok(read(fd, buf, get(fd, BIOCGBLEN)) > 0, "%s: capture goes on", fault);
	alarm(0);
	close(second);
	close(fd);
	bind_again();
	ok(works(), "%s: the device works after a reset", fault);
}

/* Thousands of commands with random replies, then correct replies again. */
static void random_answers(unsigned int count)
{
	int fd = listener(), other, attached = 0;
	struct bpf_stat st;
	unsigned int i;

	logged("");
	listen_to_order(fd, "random replies", "ctl-random", 1000000);
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
	   "random replies: some commands succeed and some fail");
	equal(logged("is broken"), 0,
	      "random replies: the device is not marked broken");
	order("none", 0);
	alarm(PATIENCE);
	ok(read(fd, buf, get(fd, BIOCGBLEN)) > 0,
	   "random replies: capture goes on afterwards [CAP-DRV-CTRL-3]");
	alarm(0);
	close(fd);
	bind_again();
	ok(works(), "random replies: the device works after a reset");
}

/* The driver gives the device up because of one descriptor's command. */
static void given_up_by_command(const char *fault)
{
	int fd = listener(), second = open_bpf(O_RDWR);

	logged("");
	listen_to_order(fd, fault, fault, 1);
	ok(attach(second, "eth0") < 0,
	   "%s: the request that sent the command fails", fault);
	equal(read_to_error(fd), EIO, "%s: other readers get EIO", fault);
	equal(logged("the device is broken"), 1,
	      "%s: the kernel's log reports the broken device once",
	      fault);
	close(second);
	close(fd);
	bind_again();
	ok(works(), "%s: the device works after a reset", fault);
}

/* Whether a process is in uninterruptible sleep. */
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

/* Bring an interface up, for which the kernel takes the RTNL lock. */
static void set_up(const char *name)
{
	struct ifreq request = { .ifr_flags = IFF_UP };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	strncpy(request.ifr_name, name, IFNAMSIZ - 1);
	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request))
		bail("SIOCSIFFLAGS");
	close(fd);
}

/* The NIC is removed while the driver waits for a reply. */
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
	listen_to_order(fd, "no reply", "ctl-silent", 1);
	pid = fork();
	if (pid == 0)
		_exit(attach(second, "eth0") == 0);
	while (!blocked(pid))
		usleep(1000);
	write_file(NIC_DRIVER "/unbind", nic);
	set_up("lo");
	equal(logged("no answer"), 0,
	      "no reply: interfaces go and change while the driver waits for it");
	waitpid(pid, &status, 0);
	equal(status, 0,
	      "no reply: the request that sent the command fails [CAP-DRV-CTRL-4]");
	equal(read_to_error(fd), EIO, "no reply: other readers get EIO");
	equal(logged("the device is broken"), 1,
	      "no reply: the kernel's log reports the broken device once");
	close(second);
	close(fd);
	write_file(NIC_DRIVER "/bind", nic);
	set_up("eth0");
	bind_again();
	ok(works(), "no reply: the device works after a reset");
}

/* A device with an impossible MTU: the driver's limit is that of Ethernet. */
static void endless_frames(void)
{
	const size_t len = 16 << 20;
	int fd = listener();
	void *frame = calloc(1, len);

	listen_to_order(fd, "device with an MTU of 2^32 - 1", "config-mtu", 1);
	close(fd);
	fd = listener();
	equal(error_of(write(fd, frame, len)), EMSGSIZE,
	      "device with an MTU of 2^32 - 1: write of 16 MiB is EMSGSIZE [CAP-DRV-SEC-3]");
	order("none", 0);
	close(fd);
	free(frame);
	bind_again();
	ok(works(), "device with an MTU of 2^32 - 1: the device works after a reset");
}

/*
 * Write frames while the device misreports what it has sent. @last: the driver
 * gives the device up because of the fault.
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
	equal(i, 10, "%s: ten writes end, with success or an error", fault);
	if (last) {
		/* A write handles the used buffers of earlier ones. */
		for (i = 0; i < 1000 && write(fd, &f, 100) >= 0; i++)
			usleep(1000);
		equal(read_to_error(fd), EIO, "%s: readers get EIO", fault);
		equal(logged("the device is broken"), 1,
		      "%s: the kernel's log reports the broken device once",
		      fault);
	}
	close(fd);
	bind_again();
	ok(works(), "%s: the device works after a reset", fault);
}

/* The address of a device without a NIC is all zeros, as is that of dummy0. */
static void no_address(void)
{
	int fd = open_bpf(O_RDWR);

	equal(attach(fd, "capture1"), 0,
	      "BIOCSETIF to the device without a NIC succeeds by its own name");
	close(fd);
	fd = open_bpf(O_RDWR);
	ok(if_nametoindex("dummy0") > 0 &&
	   error_of(attach(fd, "dummy0")) == ENXIO,
	   "BIOCSETIF to an interface without a permanent address is ENXIO [CAP-DRV-CFG-3]");
	close(fd);
}

/* The driver must accept VIRTIO_F_VERSION_1. */
static void negotiated(void)
{
	char path[128], bits[80] = "";
	int fd;

	snprintf(path, sizeof(path), "/sys/bus/virtio/devices/%.40s/features",
		 device);
	fd = open(path, O_RDONLY);
	ok(fd >= 0 && read(fd, bits, sizeof(bits) - 1) > 33 && bits[32] == '1',
	   "the driver accepts VIRTIO_F_VERSION_1 [CAP-DRV-FEAT-1]");
	close(fd);
}

/* The device lacks a queue after a suspend, and a reset does not help. */
static void lacks_queue(void)
{
	int fd = listener(), second = open_bpf(O_RDWR);
	struct bpf_stat before = stats(fd);
	struct frame f;

	logged("");
	listen_to_order(fd, "queue missing after a suspend", "no-queues", 1);
	write_file("/sys/module/suspend/parameters/pm_test_delay", "0");
	write_file("/sys/power/pm_test", "devices");
	write_file("/sys/power/state", "freeze");
	equal(read_to_error(fd), EIO,
	      "queue missing after a suspend: a reader gets EIO");
	equal(logged("no queues after a suspend; the device is broken"), 1,
	      "queue missing after a suspend: the kernel's log has the reason");
	equal(stats(fd).bs_recv, before.bs_recv + 1,
	      "queue missing after a suspend: BIOCGSTATS gives the counts");
	make_frame(&f, 2, 100);
	equal(error_of(write(fd, &f, 100)), EINVAL,
	      "queue missing after a suspend: write is EINVAL");
	equal(error_of(attach(second, "eth0")), ENXIO,
	      "queue missing after a suspend: BIOCSETIF is ENXIO");
	close(second);
	close(fd);
	write_file(DRIVER "/unbind", device);
}

int main(void)
{
	static const char * const malformed[] = {
		"cap-too-long [CAP-DRV-BUF-4]", "cap-longest [CAP-DRV-BUF-4]",
		"cap-empty", "cap-odd", "cap-no-header [CAP-DRV-SEC-1]",
		"cap-overlap", "cap-past-end [CAP-DRV-REC-2]",
		"cap-length-wraps", "cap-more-than-wire [CAP-DRV-REC-3]",
		"cap-hdrlen", "cap-subsec", "cap-not-given [CAP-DRV-REC-5]",
		"cap-no-buffer",
		"cap-index-jumps",
	};
	size_t i, n = sizeof(malformed) / sizeof(malformed[0]);

	begin_listening();
	negotiated();
	no_address();
	/* The shared queue is not used if the device fills the buffers. */
	for (i = 0; i < n && !device_fills(); i++)
		fatal(malformed[i], BPF_T_MICROTIME);
	fatal("needs-reset", BPF_T_MICROTIME);
	harmless("cap-flags [CAP-DRV-REC-4]", 20);
	harmless("cap-dropped-wraps", 20);
	harmless("config", 200);
	harmless("ctl-counts-wrap", 20);
	harmless("ctl-longest", 20);
	command_fails("ctl-status [CAP-DRV-CTRL-3]", EIO,
		      "failed with status 77");
	/* The kernel's rate limit suppresses the messages about these. */
	command_fails("ctl-empty [CAP-DRV-CTRL-3]", EIO, NULL);
	command_fails("ctl-no-counters [CAP-DRV-CTRL-3]", EIO, NULL);
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
