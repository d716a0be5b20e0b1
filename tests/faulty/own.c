// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Listens to a device that misbehaves in the listener queues (faults.c), and
 * that does not use their buffers when it must.
 */
#define _GNU_SOURCE
#include "../guest/zbuf.h"
#include "faulty.h"

#define QUEUES	16	/* of the device */

/* Return the number of allocated buffers that the device may fill. */
static int areas(void)
{
	FILE *f = fopen("/proc/vmallocinfo", "r");
	char line[512];
	int n = 0;

	while (f && fgets(line, sizeof(line), f))
		n += strstr(line, "vcap_memory_alloc") != NULL;
	if (!f)
		bail("/proc/vmallocinfo");
	fclose(f);
	return n;
}

static int await_areas(int n)
{
	int i;

	for (i = 0; i < 2000 && areas() != n; i++)
		usleep(5000);
	return areas();
}

/* Return the number of descriptors whose buffers the device fills. */
static int filled(void)
{
	FILE *f = fopen("/proc/net/bpf", "r");
	char line[512];
	int n = 0;

	while (f && fgets(line, sizeof(line), f))
		n += strstr(line, " device ") != NULL;
	if (!f)
		bail("/proc/net/bpf");
	fclose(f);
	return n;
}

/* The device refuses a listener's command: a request fails without effect. */
static void refused(const char *fault, unsigned long request)
{
	/* The device executes what it refuses: later frames must still pass. */
	struct bpf_insn insns[] = { BPF_STMT(BPF_RET | BPF_K, 0xffffffff) };
	struct bpf_program all = { 1, insns };
	unsigned int value = BPF_D_OUT;
	struct bpf_stat st;
	int fd = listener(), second = open_bpf(O_RDWR), err;
	void *arg = request == BIOCSETF ? (void *)&all :
		    request == BIOCGSTATS ? (void *)&st : (void *)&value;

	logged("");
	listen_to_order(fd, fault, fault, 1000000);
	err = error_of(attach(second, "eth0"));
	/* Attaching needs no FLUSH, except after a failed attempt. */
	equal(err, request == BIOCGSTATS ? 0 : EIO,
	      "%s: BIOCSETIF fails if it needs the command", fault);
	equal(error_of(ioctl(fd, request, arg)), EIO,
	      "%s: the request that needs the command is EIO", fault);
	order("none", 0);
	alarm(PATIENCE);
	ok(read(fd, buf, get(fd, BIOCGBLEN)) > 0,
	   "%s: capture goes on with the old settings", fault);
	alarm(0);
	equal(logged(BROKEN), 0, "%s: the device is not marked broken", fault);
	close(second);
	close(fd);
	equal(await_areas(0), 0,
	      "%s: after the close no buffer is left allocated", fault);
	bind_again();
	ok(works(), "%s: the device works after a reset", fault);
}

/* A descriptor's counts never decrease, even if the device's do. */
static void counts_go_back(void)
{
	int fd = listener(), i, back = 0;
	struct bpf_stat st, last;

	listen_to_order(fd, "counts that go back", "ctl-counts-back", 1000000);
	last = stats(fd);
	for (i = 0; i < 100; i++) {
		st = stats(fd);
		back += st.bs_recv < last.bs_recv || st.bs_drop < last.bs_drop ||
			st.bs_capt < last.bs_capt;
		last = st;
	}
	equal(back, 0,
	      "counts that go back: BIOCGSTATS never gives lower ones");
	order("none", 0);
	alarm(PATIENCE);
	ok(read(fd, buf, get(fd, BIOCGBLEN)) > 0,
	   "counts that go back: capture goes on afterwards");
	alarm(0);
	if (ioctl(fd, BIOCFLUSH))
		bail("BIOCFLUSH");
	send_frames("eth0", 7, 3, 100);
	equal(await_received(fd, 3) ? stats(fd).bs_capt : 0, 3,
	      "counts that go back: BIOCGSTATS is right after BIOCFLUSH");
	close(fd);
	bind_again();
}

/*
 * The device does not use a listener's buffers when it ends: their memory must
 * not be freed until the device has used them or was reset.
 */
static void keeps_buffers(void)
{
	int fd = listener(), other[3], i, all = 0;

	listen_to_order(fd, "device keeps buffers", "own-keep", 1000000);
	equal(areas(), 2, "device keeps buffers: one descriptor has two");
	close(listener());
	equal(areas(), 4,
	      "device keeps buffers: those of a closed descriptor stay allocated [CAP-DRV-LQ-2]");
	for (i = 0; i < 2 * QUEUES; i++)
		close(listener());
	equal(areas(), 2 * QUEUES,
	      "device keeps buffers: no more are allocated than two for each queue");
	for (i = 0; i < 2; i++) {
		other[i] = listener();
		set(other[i], BIOCIMMEDIATE, 1);
	}
	equal(filled(), 1,
	      "device keeps buffers: without a free queue the driver fills the buffers");
	other[2] = dup(fd);
	send_frames("eth0", 7, 1, 100);
	for (i = 0; i < 3; i++) {
		alarm(PATIENCE);
		all += read(other[i], buf, get(other[i], BIOCGBLEN)) ==
		       HEADER + 104;
		alarm(0);
		close(other[i]);
	}
	equal(all, 3, "device keeps buffers: all descriptors capture");

	listen_to_order(fd, "device uses buffers again", "own-give", 1);
	/* On a configuration change the driver looks for used buffers again. */
	listen_to_order(fd, "device uses buffers again", "config", 1);
	equal(await_areas(2), 2,
	      "device keeps buffers: those used late are freed [CAP-DRV-LQ-2]");
	listen_to_order(fd, "device keeps buffers", "own-keep", 1000000);
	for (i = 0; i < 2; i++)
		other[i] = listener();
	equal(filled(), 3,
	      "device uses buffers again: descriptors get the queues again");
	for (i = 0; i < 2; i++)
		close(other[i]);
	close(fd);
	equal(areas(), 6,
	      "device keeps buffers: they stay allocated after the last close");
	write_file(DRIVER "/unbind", device);
	equal(areas(), 0, "device keeps buffers: a reset frees them");
	write_file(DRIVER "/bind", device);
	fd = listener();
	listen_to_order(fd, "device keeps buffers", "none", 0);
	close(fd);
	ok(works(), "device keeps buffers: the device works after a reset");
}

/* The same for zero-copy buffers, whose pages stay pinned and charged. */
static void keeps_pages(void)
{
	long before = pinned();
	int fd = listener();
	struct zero z;

	listen_to_order(fd, "device keeps zero-copy buffers", "own-keep", 1000000);
	z = zero_listen(4 * PAGE);
	equal(pinned(), before + 8,
	      "device keeps zero-copy buffers: the pages of two are pinned");
	zero_close(&z);
	equal(pinned(), before + 8,
	      "device keeps zero-copy buffers: pages stay pinned after close and munmap"
	      " [BPF-ZBUF-2]");
	equal(locked_kib(), 8 * 4,
	      "device keeps zero-copy buffers: pages stay charged after close and munmap");
	close(fd);
	write_file(DRIVER "/unbind", device);
	equal(pinned(), before,
	      "device keeps zero-copy buffers: a reset unpins the pages");
	equal(locked_kib(), 0,
	      "device keeps zero-copy buffers: a reset ends their charge");
	write_file(DRIVER "/bind", device);
	fd = listener();
	listen_to_order(fd, "device keeps zero-copy buffers", "none", 0);
	close(fd);
	ok(works(), "device keeps zero-copy buffers: the device works after a reset");
}

/* The driver marks a device broken that still has a descriptor's buffers. */
static void given_up(void)
{
	int fd = listener();

	set(fd, BIOCIMMEDIATE, 1);
	order("needs-reset", 1);
	equal(read_to_error(fd), EIO, "broken device: a reader gets EIO");
	close(fd);
	equal(areas(), 2,
	      "broken device: buffers that it has stay allocated after the close [CAP-DRV-LQ-2]");
	write_file(DRIVER "/unbind", device);
	equal(areas(), 0, "broken device: a reset frees the buffers");
	write_file(DRIVER "/bind", device);
	ok(works(), "broken device: the device works after a reset");
}

/* Whether the driver has accepted a feature of the device n after eth0's. */
static int accepted(unsigned int n, unsigned int bit)
{
	char path[128], bits[80] = "";
	unsigned int number;
	int fd;

	if (sscanf(device, "virtio%u", &number) != 1)
		bail(device);
	for (fd = -1; fd < 0; number++) {
		if (number > 100)
			bail("no such device");
		snprintf(path, sizeof(path), DRIVER "/virtio%u/features",
			 number);
		fd = open(path, O_RDONLY);
		if (fd >= 0 && n--) {
			close(fd);
			fd = -1;
		}
	}
	if (read(fd, bits, sizeof(bits) - 1) < 64)
		bail(path);
	close(fd);
	return bits[bit] == '1';
}

/*
 * Devices whose features cannot be used: the driver captures without them.
 * QEMU would exit if it sent FILTER to a device without the feature (checks.c).
 */
static void features(void)
{
	static const char * const names[] = {
		"LISTENER_QUEUES without FILTER [CAP-DRV-FEAT-2 CAP-DRV-FLT-1]",
		"FILTER without LISTENER_QUEUES",
		"VIRTIO_F_ACCESS_PLATFORM [CAP-DRV-LQ-3]",
	};
	char name[16];
	unsigned int i;

	ok(accepted(0, 1) && accepted(0, 2),
	   "the driver accepts FILTER and LISTENER_QUEUES");
	for (i = 0; i < 3; i++) {
		int fd = open_bpf(O_RDWR);

		snprintf(name, sizeof(name), "capture%u", 2 + i);
		ok(!accepted(2 + i, 1) && !accepted(2 + i, 2),
		   "%s: the driver accepts neither feature", names[i]);
		if (attach(fd, name))
			bail(name);
		filter_test_frames(fd);
		equal(filled(), 0, "%s: the driver fills the buffers",
		      names[i]);
		set(fd, BIOCIMMEDIATE, 1);
		send_frames("eth1", 7, 1, 100);
		alarm(PATIENCE);
		equal(read(fd, buf, get(fd, BIOCGBLEN)), HEADER + 104,
		      "%s: a frame is captured", names[i]);
		alarm(0);
		close(fd);
	}
}

int main(void)
{
	static const char * const malformed[] = {
		"own-too-long [CAP-DRV-BUF-4]",
		"own-longest [CAP-DRV-BUF-4]", "own-empty", "own-odd",
		"own-not-given", "own-no-buffer", "own-twice",
		"own-index-jumps",
	};
	static const char * const records[] = {
		"own-past-end", "own-length-wraps", "own-subsec",
	};
	size_t i;

	begin_listening();
	features();
	for (i = 0; i < sizeof(malformed) / sizeof(malformed[0]); i++)
		fatal(malformed[i], BPF_T_MICROTIME);
	/* Without conversion, readers get records as the device writes them. */
	for (i = 0; i < sizeof(records) / sizeof(records[0]); i++)
		harmless(records[i], 1);
	harmless("own-hdrlen", 1);
	for (i = 0; i < sizeof(records) / sizeof(records[0]); i++)
		fatal(records[i], BPF_T_BINTIME);
	refused("ctl-no-listen", BIOCSDIRECTION);
	refused("ctl-no-filter", BIOCSETF);
	refused("ctl-no-flush", BIOCGSTATS);
	counts_go_back();
	keeps_buffers();
	keeps_pages();
	given_up();
	return done_testing();
}
