// SPDX-License-Identifier: GPL-2.0-or-later
/* The interface of open descriptors disappears: what they can still do. */
#define _GNU_SOURCE
#include <dirent.h>
#include <pthread.h>

#include "guest.h"

#define DRIVER	"/sys/bus/virtio/drivers/virtio_capture"
#define SIZE	4096	/* 30 packets of 100 bytes take 4080 */

static uint8_t buf[SIZE];
static char device[64];		/* virtioN, which captures on eth0 */

static int can_attach(const char *name)
{
	int fd = open_bpf(O_RDWR), result = attach(fd, name) == 0;

	close(fd);
	return result;
}

/* Remove eth0's capture device, as an unplug does. */
static void take_away(void)
{
	write_file(DRIVER "/unbind", device);
}

static void give_back(void)
{
	write_file(DRIVER "/bind", device);
}

/* Find the device without which eth0 cannot be captured. */
static void find_device(void)
{
	char names[8][64];
	struct dirent *entry;
	DIR *dir = opendir(DRIVER);
	int n = 0, i, found = 0;

	while (dir && (entry = readdir(dir)) && n < 8)
		if (!strncmp(entry->d_name, "virtio", 6))
			snprintf(names[n++], 64, "%.63s", entry->d_name);
	for (i = 0; i < n && !found; i++) {
		strcpy(device, names[i]);
		take_away();
		found = !can_attach("eth0");
		give_back();
	}
	if (!found)
		bail("no capture device of eth0");
}

/* Return the line of this process in /proc/net/bpf without the pid; or NULL. */
static const char *state(void)
{
	static char line[256], format[16];
	FILE *file = fopen("/proc/net/bpf", "r");

	snprintf(format, sizeof(format), "%d ", getpid());
	while (file && fgets(line, sizeof(line), file)) {
		if (strncmp(line, format, strlen(format)))
			continue;
		fclose(file);
		line[strcspn(line, "\n")] = '\0';
		return line + strlen(format);
	}
	if (!file)
		bail("/proc/net/bpf");
	fclose(file);
	return NULL;
}

static void test_last_packets(void)
{
	int fd = listen_on("eth0", SIZE, O_RDWR);
	struct bpf_stat st;

	send_frames("eth0", 0, 31, 100);
	equal(get(fd, FIONREAD), 4080,
	      "before the interface is removed: FIONREAD gives the hold buffer's length");
	take_away();
	ok(readable(fd, 0), "interface gone: readable [BPF-POLL-2]");
	equal(error_of(read(fd, buf, SIZE - 1)), EINVAL,
	      "interface gone: read of another size is EINVAL [BPF-READ-6]");
	equal(read(fd, buf, SIZE), 4080,
	      "interface gone: read gets the hold buffer first [BPF-GONE-1]");
	equal(get(fd, FIONREAD), 136,
	      "interface gone: after that read the store buffer was rotated [BPF-READ-23]");
	equal(read(fd, buf, SIZE), 136,
	      "interface gone: read gets the last packet without waiting for more [BPF-READ-23]");
	equal(ntohl(packet_frame((struct bpf_hdr *)buf)->seq), 30,
	      "interface gone: the last packet is packet 30");
	equal(error_of(read(fd, buf, SIZE)), EIO,
	      "interface gone, nothing left: read is EIO [BPF-READ-7]");
	fcntl(fd, F_SETFL, O_NONBLOCK);
	equal(error_of(read(fd, buf, SIZE)), EIO,
	      "interface gone, nothing left: non-blocking read is EIO [BPF-READ-7]");
	ok(readable(fd, 0),
	   "interface gone, nothing left: readable [BPF-POLL-2]");
	st = stats(fd);
	equal(st.bs_capt, 31,
	      "interface gone: BIOCGSTATS still gives the counts [BPF-GSTATS-3]");
	equal(ioctl(fd, BIOCFLUSH, NULL), 0,
	      "interface gone: BIOCFLUSH succeeds [BPF-FLUSH-4]");
	close(fd);
	ok(!state(),
	   "interface gone: close removes the line from /proc/net/bpf [BPF-CLOSE-7]");
	give_back();
}

/* The last packets include every frame that the NIC sent before. */
static void test_unseen_packets(void)
{
	int fd = listen_on("eth0", SIZE, O_RDWR);

	send_frames("eth0", 0, 3, 100);
	take_away();
	equal(get(fd, FIONREAD), 3 * 136,
	      "interface removed: FIONREAD at once gives the stored packets' length [BPF-GONE-2]");
	equal(read(fd, buf, SIZE), 3 * 136,
	      "interface removed: read gets frames that the device still had"
	      " [CAP-DRV-FLS-1 BPF-GONE-2]");
	equal(error_of(read(fd, buf, SIZE)), EIO,
	      "interface gone, those frames read: read is EIO");
	close(fd);
	give_back();
}

static void test_requests(void)
{
	int fd = listen_on("eth0", SIZE, O_RDWR);
	char line[80];
	struct bpf_dltlist list = { 0, NULL };
	unsigned int value = DLT_EN10MB;
	struct ifreq ifr;

	set(fd, BIOCSHDRCMPLT, 1);
	ioctl(fd, BIOCPROMISC, NULL);
	take_away();
	equal(error_of(ioctl(fd, BIOCGETIF, &ifr)), EINVAL,
	      "interface gone: BIOCGETIF is EINVAL [BPF-GETIF-1]");
	equal(error_of(ioctl(fd, BIOCGDLT, &value)), EINVAL,
	      "interface gone: BIOCGDLT is EINVAL [BPF-GDLT-1]");
	equal(error_of(ioctl(fd, BIOCSDLT, &value)), EINVAL,
	      "interface gone: BIOCSDLT is EINVAL [BPF-SDLT-1]");
	equal(error_of(ioctl(fd, BIOCGDLTLIST, &list)), EINVAL,
	      "interface gone: BIOCGDLTLIST is EINVAL [BPF-GDLTLIST-1]");
	equal(error_of(ioctl(fd, BIOCPROMISC, NULL)), EINVAL,
	      "interface gone: BIOCPROMISC is EINVAL [BPF-PROMISC-1]");
	equal(error_of(ioctl(fd, BIOCSBLEN, &value)), EINVAL,
	      "interface gone: BIOCSBLEN is EINVAL [BPF-SBLEN-1]");
	equal(error_of(attach(fd, "eth1")), EINVAL,
	      "interface gone: BIOCSETIF to another interface is EINVAL [BPF-SETIF-8]");
	equal(error_of(write(fd, buf, 60)), EINVAL,
	      "interface gone: write is EINVAL [BPF-WRITE-2]");
	equal(get(fd, BIOCGBLEN), SIZE,
	      "interface gone: BIOCGBLEN gives the size");
	snprintf(line, sizeof(line), "- 4096 0 0 0 1 0 1 1 inout %s gone",
		 served_by());
	ok(state() && !strcmp(state(), line),
	   "interface gone: /proc/net/bpf shows the descriptor as gone [BPF-PEERS-6]");
	ok(!can_attach("eth0"),
	   "interface gone: BIOCSETIF of a new descriptor fails");
	give_back();
	ok(can_attach("eth0"),
	   "interface back: BIOCSETIF of a new descriptor succeeds");
	equal(error_of(attach(fd, "eth0")), EINVAL,
	      "interface back: BIOCSETIF of the old descriptor is EINVAL [BPF-SETIF-8]");
	equal(error_of(read(fd, buf, SIZE)), EIO,
	      "interface back: read of the old descriptor is EIO");
	close(fd);
}

static void *reader(void *arg)
{
	ssize_t len = read(*(int *)arg, buf, SIZE);

	return (void *)(long)(len < 0 ? -errno : len);
}

static void *poller(void *arg)
{
	return (void *)(long)readable(*(int *)arg, 20000);
}

/* Start a thread, remove the device, and return what the thread saw. */
static long woken(void *(*function)(void *), unsigned int packets)
{
	int fd = listen_on("eth0", SIZE, O_RDWR);
	pthread_t thread;
	void *result;

	pthread_create(&thread, NULL, function, &fd);
	usleep(50000);
	send_frames("eth0", 0, packets, 100);
	take_away();
	pthread_join(thread, &result);
	close(fd);
	give_back();
	return (long)result;
}

int main(void)
{
	find_device();
	test_last_packets();
	test_unseen_packets();
	test_requests();
	equal(woken(reader, 0), -EIO,
	      "interface removed: a pending read without packets is EIO [BPF-GONE-4]");
	equal(woken(reader, 2), 2 * 136,
	      "interface removed: a pending read gets the stored packets [BPF-GONE-3]");
	equal(woken(poller, 0), 1,
	      "interface removed: a pending poll ends, readable [BPF-GONE-5]");
	return done_testing();
}
