// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Adding a buffer to one of the device's queues fails (module/refuse.c): a
 * request whose command cannot be sent fails without effect; work for which no
 * request waits is done later.
 */
#include <dirent.h>

#include "guest.h"

#define REFUSE	"/sys/module/refuse/parameters/"
#define DRIVER	"/sys/bus/virtio/drivers/virtio_capture/"
#define MANY	1000000
#define BUFFERS	8	/* capture buffers of the driver */
#define SIZE	4096
#define FIT	(SIZE / 136)	/* packets in a descriptor's buffer */

static uint8_t buf[65536];

static void write_number(const char *path, unsigned int value)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", value);
	if (error_of_writing(path, text))
		bail(path);
}

static unsigned int read_number(const char *path)
{
	char text[16] = "";
	int fd = open(path, O_RDONLY);

	if (fd < 0 || read(fd, text, sizeof(text) - 1) < 0)
		bail(path);
	close(fd);
	return strtoul(text, NULL, 10);
}

/* Let skip buffers of a queue pass, then refuse count buffers. */
static void refuse(const char *queue, unsigned int skip, unsigned int count)
{
	write_number(REFUSE "count", 0);
	error_of_writing(REFUSE "queue", queue);
	write_number(REFUSE "skip", skip);
	write_number(REFUSE "count", count);
}

/* Return the name of the queue that captures a descriptor's frames. */
static const char *frames_queue(void)
{
	return device_fills() ? "listener" : "capture";
}

/* Return the name of the first capture device, which is eth0's. */
static const char *find_device(void)
{
	unsigned int number, first = -1;
	static char name[32];
	struct dirent *entry;
	DIR *dir = opendir(DRIVER);

	if (!dir)
		bail(DRIVER);
	while ((entry = readdir(dir)))
		if (sscanf(entry->d_name, "virtio%u", &number) == 1 &&
		    number < first)
			first = number;
	closedir(dir);
	snprintf(name, sizeof(name), "virtio%u", first);
	return name;
}

/* Get the line of the only descriptor, without the process and the counts. */
static void set_up_of(char *line, size_t size)
{
	FILE *file = fopen("/proc/net/bpf", "r");
	char text[256] = "";

	if (!file || !fgets(text, sizeof(text), file) ||
	    !fgets(text, sizeof(text), file))
		bail("/proc/net/bpf");
	fclose(file);
	if (sscanf(text, "%*d %*s %*u %*u %*u %*u %79[^\n]", line) != 1 ||
	    size < 80)
		bail(text);
}

struct request {
	const char *name;
	unsigned long number;
	unsigned int value;
	int changes;		/* the request changes struct state */
};

static struct bpf_insn all_insns[] = { BPF_STMT(BPF_RET | BPF_K, 0xffffffff) };
static struct bpf_program all = { 1, all_insns };

static int make(int fd, const struct request *request)
{
	struct bpf_stat st;
	struct ifreq ifr = { .ifr_name = "eth0" };
	unsigned int value = request->value;
	void *arg = &value;

	if (request->number == BIOCSETF || request->number == BIOCSETFNR)
		arg = &all;
	else if (request->number == BIOCGSTATS)
		arg = &st;
	else if (request->number == BIOCSETIF)
		arg = &ifr;
	return error_of(ioctl(fd, request->number, arg));
}

/* The state of a descriptor that requests can change. */
struct state {
	struct bpf_stat stats;
	unsigned int tstamp;
	unsigned int direction;
	unsigned int readable;
	char set_up[80];
};

static void look(int fd, struct state *state)
{
	memset(state, 0, sizeof(*state));
	state->stats = stats(fd);
	state->tstamp = get(fd, BIOCGTSTAMP);
	state->direction = get(fd, BIOCGDIRECTION);
	set_up_of(state->set_up, sizeof(state->set_up));
}

/* Refuse each command of a request once. */
static void fails(const struct request *request)
{
	unsigned int skip, left = 0, failed = 0, again = 0;

	for (skip = 0; !left; skip++) {
		int fd = listen_on("eth0", 0, O_RDWR | O_NONBLOCK), err;
		struct state before, after;

		/* A frame that the descriptor's filter accepts. */
		send_frames("eth1", 0, 1, 100);
		if (!await_received(fd, 1))
			bail("no frame");
		look(fd, &before);
		refuse("control", skip, 1);
		err = make(fd, request);
		left = read_number(REFUSE "count");
		refuse("", 0, 0);
		look(fd, &after);
		if (err) {
			failed++;
			equal(err, ENOBUFS,
			      "%s: ENOBUFS if its command %u cannot be sent [BPF-IOCTL-3]",
			      request->name, skip);
			ok(!memcmp(&before, &after, sizeof(before)),
			   "%s that fails leaves the descriptor as it was [BPF-IOCTL-3]",
			   request->name);
			equal(read(fd, buf, get(fd, BIOCGBLEN)), HEADER + 104,
			      "%s that fails leaves the stored packet",
			      request->name);
			equal(make(fd, request), 0,
			      "%s: a second call succeeds", request->name);
			look(fd, &after);
		}
		/* The device's filter is not visible in the state. */
		if (request->changes && !(request->number == BIOCSETFNR &&
					  device_fills()))
			ok(memcmp(&before, &after, sizeof(before)),
			   "%s that succeeds has changed the descriptor",
			   request->name);
		close(fd);
		/* Another command was refused, such as CLOCK: try again. */
		if (!err && !left && again++ < 5)
			skip--;
	}
	ok(failed > 0, "%s: some of its commands were refused", request->name);
}

/* Refuse each of the commands that attaching sends. */
static void attaching(void)
{
	unsigned int skip, left = 0, failed = 0;

	for (skip = 0; !left; skip++) {
		int fd = open_bpf(O_RDWR), err;

		refuse("control", skip, 1);
		err = error_of(attach(fd, "eth0"));
		left = read_number(REFUSE "count");
		refuse("", 0, 0);
		/* CLOCK may fail without effect: the driver repeats it. */
		if (!left && err) {
			failed++;
			equal(err, ENOBUFS,
			      "BIOCSETIF: ENOBUFS if its command %u cannot be sent",
			      skip);
			equal(attach(fd, "eth0"), 0,
			      "BIOCSETIF: a second call succeeds");
		}
		filter_test_frames(fd);
		send_frames("eth1", 0, 1, 100);
		ok(await_received(fd, 1),
		   "BIOCSETIF: frames are captured after it");
		close(fd);
	}
	ok(failed > 1, "BIOCSETIF: some of its commands were refused");
}

/* A read returns the packets that the driver has. */
static void reading(void)
{
	int fd = listen_on("eth0", 0, O_RDWR | O_NONBLOCK);
	unsigned int size = get(fd, BIOCGBLEN);

	refuse("control", 0, MANY);
	equal(error_of(read(fd, buf, size)), EAGAIN,
	      "read without packets: EAGAIN if commands cannot be sent");
	refuse("", 0, 0);
	send_frames("eth1", 0, 1, 100);
	ok(await_received(fd, 1), "read: a packet is stored by the driver");
	refuse("control", 0, MANY);
	/* Where the device fills the buffers, it has the store buffer. */
	if (device_fills()) {
		equal(error_of(read(fd, buf, size)), EAGAIN,
		      "read: EAGAIN for packets in the device if commands cannot be sent");
		refuse("", 0, 0);
	}
	equal(read(fd, buf, size), HEADER + 104,
	      "read: stored packets are returned if commands cannot be sent");
	refuse("", 0, 0);
	close(fd);
}

/* Wait until a LISTEN with this snapshot length was sent. */
static int told(unsigned int snaplen)
{
	int i;

	for (i = 0; i < 2000; i++) {
		if (read_number(REFUSE "snaplen") == snaplen)
			return 1;
		usleep(5000);
	}
	return 0;
}

static void closing(void)
{
	int fd = listen_on("eth0", 0, O_RDWR);

	equal(read_number(REFUSE "snaplen"), 0xffffffff,
	      "close: before it the device captures");
	refuse("control", 0, 3);
	close(fd);
	equal(read_number(REFUSE "snaplen"), 0xffffffff,
	      "close: the device still captures while commands cannot be sent");
	ok(told(0), "close: a later command stops capture");
	refuse("", 0, 0);
}

/* Send frames until one is dropped; returns how many have been captured. */
static unsigned int fill(int fd)
{
	struct bpf_stat st = { 0 };
	int i;

	for (i = 0; i < 1000 && !st.bs_drop; i++) {
		send_frames("eth1", i, 1, 100);
		usleep(1000);
		st = stats(fd);
	}
	/* If the device fills the buffers, bs_capt includes dropped frames. */
	return st.bs_drop ? st.bs_capt - st.bs_drop * device_fills() : 0;
}

/* Buffers cannot be made available again; later all are. */
static void buffers(void)
{
	int fd = listen_on("eth0", SIZE, O_RDWR | O_NONBLOCK), i;
	unsigned int left = BUFFERS, before;

	set(fd, BIOCIMMEDIATE, 1);
	refuse(frames_queue(), 0, MANY);
	if (device_fills()) {
		send_frames("eth1", 0, 1, 100);
		if (!readable(fd, 20000) || read(fd, buf, SIZE) != 136)
			bail("no packet");
		left = 1 + FIT;
	}
	equal(fill(fd), left,
	      "capture buffers refused: frames are dropped when the device has none");
	refuse("", 0, 0);
	before = stats(fd).bs_capt - stats(fd).bs_drop;
	for (i = 0; i < 1000 && stats(fd).bs_capt - stats(fd).bs_drop <
				before + 2 * BUFFERS; i++) {
		send_frames("eth1", i, 1, 100);
		usleep(10000);
	}
	ok(i < 1000,
	   "capture buffers refused: the device gets them when there is memory again");
	ok(read(fd, buf, SIZE) > 0,
	   "capture buffers refused: read gets packets again");
	close(fd);
}

static void probing(const char *name)
{
	int fd, i;

	if (error_of_writing(DRIVER "unbind", name))
		bail("unbind");
	refuse(frames_queue(), 0, MANY);
	equal(error_of_writing(DRIVER "bind", name), 0,
	      "probe: succeeds without capture buffers");
	fd = listen_on("eth0", 0, O_RDWR);
	equal(MANY - read_number(REFUSE "count") > 0, 1,
	      "BIOCSETIF: succeeds without capture buffers");
	refuse("", 0, 0);
	for (i = 0; i < 1000 && stats(fd).bs_capt == 0; i++) {
		send_frames("eth1", 0, 1, 100);
		usleep(10000);
	}
	ok(stats(fd).bs_capt > 0,
	   "BIOCSETIF: the device gets buffers later, and frames are captured");
	close(fd);
}

static void resuming(void)
{
	int fd = listen_on("eth0", 0, O_RDWR), i;

	error_of_writing("/sys/module/suspend/parameters/pm_test_delay", "0");
	error_of_writing("/sys/power/pm_test", "devices");
	refuse(frames_queue(), 0, MANY);
	equal(error_of_writing("/sys/power/state", "freeze"), 0,
	      "resume: succeeds without capture buffers");
	refuse("", 0, 0);
	for (i = 0; i < 1000 && !stats(fd).bs_capt; i++) {
		send_frames("eth1", i, 1, 100);
		usleep(10000);
	}
	ok(i < 1000,
	   "resume: the device gets buffers later, and frames are captured");
	write_number(REFUSE "snaplen", 0);
	refuse("control", 0, 4);
	equal(error_of_writing("/sys/power/state", "freeze"), 0,
	      "resume: succeeds if commands cannot be sent");
	for (i = 0; i < 1000 && ioctl(fd, FIONREAD, buf); i++)
		usleep(10000);
	stats(fd);
	ok(told(0xffffffff), "resume: a later command starts capture");
	close(fd);
}

int main(void)
{
	static const struct request requests[] = {
		{ "FIONREAD", FIONREAD, 0, 0 },
		{ "BIOCGSTATS", BIOCGSTATS, 0, 0 },
		{ "BIOCFLUSH", BIOCFLUSH, 0, 1 },
		{ "BIOCPROMISC", BIOCPROMISC, 0, 1 },
		{ "BIOCIMMEDIATE", BIOCIMMEDIATE, 1, 1 },
		{ "BIOCSDIRECTION", BIOCSDIRECTION, BPF_D_OUT, 1 },
		{ "BIOCSSEESENT", BIOCSSEESENT, 0, 1 },
		{ "BIOCSTSTAMP", BIOCSTSTAMP, BPF_T_NANOTIME, 1 },
		{ "BIOCSETF", BIOCSETF, 0, 1 },
		{ "BIOCSETFNR", BIOCSETFNR, 0, 1 },
	};
	const char *device = find_device();
	size_t i;

	if (error_of_writing(REFUSE "device", device))
		bail(REFUSE "device");
	for (i = 0; i < sizeof(requests) / sizeof(requests[0]); i++)
		fails(&requests[i]);
	attaching();
	reading();
	closing();
	buffers();
	resuming();
	probing(device);
	return done_testing();
}
