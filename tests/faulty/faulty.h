/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shared by the programs that listen to a misbehaving device (faults.c). */
#ifndef FAULTY_H
#define FAULTY_H

#include <ctype.h>
#include <dirent.h>
#include <stdarg.h>
#include <sys/wait.h>
#include <time.h>

#include "guest.h"

#define DRIVER	"/sys/bus/virtio/drivers/virtio_capture"
#define NIC_DRIVER "/sys/bus/virtio/drivers/virtio_net"
#define PATIENCE 50	/* seconds; above the driver's own limit of 30 */
#define BROKEN "the device is broken"

static uint8_t buf[65536];
static char device[64];		/* virtioN */
static int kmsg;

/* Find eth0's device, the first one; the next one has no NIC. */
static inline void find_device(void)
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

static inline void bind_again(void)
{
	write_file(DRIVER "/unbind", device);
	write_file(DRIVER "/bind", device);
}

/* Return the number of new lines in the kernel's log that contain the text. */
static inline int logged(const char *text)
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

/*
 * Send the frame that makes the device inject a fault count times. Labels of
 * requirements that follow the fault's name are left out.
 */
static inline void order(const char *fault, unsigned int count)
{
	struct frame f;

	make_frame(&f, 1, 200);
	snprintf((char *)f.payload, 100, "FAULT=%.*s,%u;",
		 (int)strcspn(fault, " "), fault, count);
	send_raw("eth0", &f, 200);
}

static inline void interrupted(int sig)
{
	(void)sig;
}

/* Read until a read fails; returns the error, or EINTR after PATIENCE. */
static inline int read_to_error(int fd)
{
	ssize_t len;

	alarm(PATIENCE);
	do
		len = read(fd, buf, get(fd, BIOCGBLEN));
	while (len > 0);
	alarm(0);
	return len ? errno : 0;
}

static inline int listener(void)
{
	return listen_on("eth0", 0, O_RDWR);
}

/* Select a fault by a frame, and read that frame, in immediate mode. */
static inline void listen_to_order(int fd, const char *what, const char *fault,
				   unsigned int count)
{
	set(fd, BIOCIMMEDIATE, 1);
	order(fault, count);
	alarm(PATIENCE);
	ok(read(fd, buf, get(fd, BIOCGBLEN)) > 0,
	   "%s: the frame with the order is captured", what);
	alarm(0);
}

/* Whether a reader gets a frame of the NIC's. */
static inline int works(void)
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

/* The driver gives the device up and wakes pending reads. */
static inline void fatal(const char *fault, unsigned int tstamp)
{
	int fd = listener(), waiting = listener(), pipes[2];
	char c = 0;
	pid_t pid;

	logged("");
	set(fd, BIOCSTSTAMP, tstamp);
	/* Otherwise a device that fills buffers would not use one yet. */
	set(fd, BIOCIMMEDIATE, 1);
	if (pipe(pipes))
		bail("pipe");
	pid = fork();
	if (pid == 0) {
		c = (char)read_to_error(waiting);
		_exit(write(pipes[1], &c, 1) != 1);
	}
	usleep(50000);
	order(fault, 1);
	equal(read_to_error(fd), EIO, "%s: a reader gets EIO [CAP-DRV-REC-5]",
	      fault);
	equal(read(pipes[0], &c, 1), 1, "%s: a pending read is woken", fault);
	equal(c, EIO, "%s: a pending read gets EIO", fault);
	waitpid(pid, NULL, 0);
	ok(readable(fd, 0), "%s: poll says readable", fault);
	equal(logged(BROKEN), 1,
	      "%s: the kernel's log reports the broken device once [CAP-DRV-REC-5]",
	      fault);
	close(fd);
	fd = open_bpf(O_RDWR);
	equal(error_of(attach(fd, "eth0")), ENXIO, "%s: BIOCSETIF is ENXIO",
	      fault);
	close(fd);
	close(waiting);
	close(pipes[0]);
	close(pipes[1]);
	bind_again();
	ok(works(), "%s: a reset mends the device", fault);
}

/* The driver tolerates the fault and does not give the device up. */
static inline void harmless(const char *fault, unsigned int count)
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
	equal(logged("is broken"), 0, "%s: the device is not marked broken", fault);
	close(fd);
	bind_again();
}

static inline void begin_listening(void)
{
	struct sigaction sa = { .sa_handler = interrupted };

	sigaction(SIGALRM, &sa, NULL);
	kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK);
	if (kmsg < 0)
		bail("/dev/kmsg");
	lseek(kmsg, 0, SEEK_END);
	find_device();
	ok(works(), "before any fault: a frame is captured");
}

#endif /* FAULTY_H */
