// SPDX-License-Identifier: GPL-2.0-or-later
/* Traffic, and changes of devices, interfaces and limits. */
#include <dirent.h>
#include <sys/stat.h>

#include "fuzz.h"

#define DRIVERS	"/sys/bus/virtio/drivers/"
#define LIMIT	"/sys/module/virtio_capture/parameters/descriptors"
#define MAXIMUM	"/proc/sys/net/bpf/maxbufsize"

/* Probing a device makes at least this many allocations. */
#define PROBE_REACH	400

/* The devices of a driver. */
struct devices {
	const char *driver;
	char names[2][32];
	int count;
};

static struct devices captures = { .driver = "virtio_capture" };
static struct devices nics = { .driver = "virtio_net" };

static int try_writing(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t len = -1;
	int error;

	if (fd < 0)
		return -1;
	len = write(fd, text, strlen(text));
	error = errno;
	close(fd);
	errno = error;
	return len < 0 ? -1 : 0;
}

static void find(struct devices *devices)
{
	struct dirent *entry;
	char path[128];
	DIR *dir;

	snprintf(path, sizeof(path), DRIVERS "%s", devices->driver);
	dir = opendir(path);
	if (!dir)
		bail(path);
	while ((entry = readdir(dir)) && devices->count < 2)
		if (!strncmp(entry->d_name, "virtio", 6))
			strcpy(devices->names[devices->count++],
			       entry->d_name);
	closedir(dir);
	if (devices->count < 2)
		bail("two devices");
}

static int bind_or_unbind(const struct devices *devices, int which,
			  const char *what)
{
	char path[128];

	snprintf(path, sizeof(path), DRIVERS "%s/%s", devices->driver, what);
	return try_writing(path, devices->names[which]);
}

static bool is_bound(const struct devices *devices, int which)
{
	char path[128];

	snprintf(path, sizeof(path), DRIVERS "%s/%s", devices->driver,
		 devices->names[which]);
	return access(path, F_OK) == 0;
}

/* Unbind a device and bind it, with fault injection in the first attempts. */
static void rebind(struct worker *worker, const struct devices *devices,
		   enum count unbind, enum count bind, bool faults)
{
	int which = below(&worker->random, 2), turn;
	bool armed;

	count(unbind, bind_or_unbind(devices, which, "unbind"));
	usleep(below(&worker->random, 30000));
	for (turn = 0; turn < 5 && !is_bound(devices, which); turn++) {
		armed = faults && turn < 3 &&
			faults_begin(worker, -1, PROBE_REACH);
		count(bind, bind_or_unbind(devices, which, "bind"));
		if (armed)
			faults_end(worker);
	}
}

static void set_link(const char *name, const char *state)
{
	char command[64];

	snprintf(command, sizeof(command), "ip link set %s %s 2>/dev/null",
		 name, state);
	count(COUNT_LINK, system(command) ? -1 : 0);
}

/* Suspend and resume all drivers; with pm_test, the machine stays on. */
static void suspend(void)
{
	int result = try_writing("/sys/power/state", "freeze");

	error_check("suspend", result, (int[]){ EBUSY, 0 });
	count(COUNT_SUSPEND, result);
}

static void set_limits(struct worker *worker)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", 20 + below(&worker->random, 44));
	count(COUNT_LIMITS, try_writing(LIMIT, text));
	snprintf(text, sizeof(text), "%u", 1 << (12 + below(&worker->random, 7)));
	count(COUNT_LIMITS, try_writing(MAXIMUM, text));
}

void world_init(void)
{
	find(&captures);
	find(&nics);
	if (try_writing("/sys/module/suspend/parameters/pm_test_delay", "0") ||
	    try_writing("/sys/power/pm_test", "devices"))
		bail("/sys/power/pm_test");
	if (try_writing(LIMIT, "64"))
		bail(LIMIT);
}

void *world_run(void *arg)
{
	struct worker *worker = arg;

	faults_init(worker);
	while (!stop) {
		usleep(20000 + below(&worker->random, 400000));
		switch (below(&worker->random, 6)) {
		case 0:
		case 1:
			rebind(worker, &captures, COUNT_UNBIND, COUNT_BIND,
			       true);
			break;
		case 2:
			rebind(worker, &nics, COUNT_UNBIND_NIC, COUNT_BIND_NIC,
			       false);
			set_link("eth0", "up");
			set_link("eth1", "up");
			break;
		case 3:
			suspend();
			break;
		case 4:
			set_limits(worker);
			break;
		default:
			set_link("eth1", "down");
			set_link("eth1", "up");
		}
	}
	return NULL;
}

/* Send frames from one NIC to the other. */
void *traffic_run(void *arg)
{
	struct worker *worker = arg;
	int s = socket(AF_PACKET, SOCK_RAW, 0);
	struct sockaddr_ll to = { .sll_family = AF_PACKET, .sll_halen = 6 };
	static struct frame frame;
	unsigned int n;
	size_t len;

	if (s < 0)
		bail("socket");
	while (!stop) {
		to.sll_ifindex = if_nametoindex(below(&worker->random, 2) ?
						"eth0" : "eth1");
		for (n = below(&worker->random, 40); n; n--) {
			len = 60 + below(&worker->random, 1455);
			make_frame(&frame, below(&worker->random, 1 << 20),
				   len);
			count(COUNT_SEND, sendto(s, &frame, len, 0,
						 (struct sockaddr *)&to,
						 sizeof(to)));
		}
		usleep(below(&worker->random, 20000));
	}
	close(s);
	return NULL;
}

/* Bind all devices, set interfaces up, and restore the limits. */
bool world_restore(void)
{
	const struct devices *devices[] = { &captures, &nics };
	bool well = true;
	int kind, which;

	for (kind = 0; kind < 2; kind++)
		for (which = 0; which < 2; which++)
			if (!is_bound(devices[kind], which) &&
			    bind_or_unbind(devices[kind], which, "bind")) {
				printf("# cannot bind %s again: %s\n",
				       devices[kind]->names[which],
				       strerror(errno));
				well = false;
			}
	set_link("eth0", "up");
	set_link("eth1", "up");
	try_writing(LIMIT, "16");
	try_writing(MAXIMUM, "16777216");
	return well;
}
