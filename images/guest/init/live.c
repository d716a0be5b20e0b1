/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Captures for viewers on the host while the command runs: a tcpdump for each
 * viewer. All of them share the port "live", which carries records in both
 * directions:
 *
 *   a header, text of HEADER_SIZE bytes: the kind, a letter; the number of the
 *   viewer; a number N; then N bytes of data if the kind has data
 *
 * From the launcher:
 *   s  start tcpdump; the data is its arguments, each terminated by a NUL
 *   c  credit: the viewer has received N bytes of d and t; send as many more
 *   e  the viewer has disconnected: end tcpdump
 * To the launcher:
 *   d  data that tcpdump has written to its standard output
 *   t  text that it has written to its standard error
 *   x  tcpdump has ended with the status N; this is the viewer's last record
 *
 * At most WINDOW bytes, headers included, are in flight to a viewer, so that a
 * viewer that does not read blocks its own tcpdump only.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "init.h"

#define HEADER_SIZE 15
#define WINDOW 262144
/* The longest write that the port accepts: a record is written in one write. */
#define RECORD_SIZE 32768
/* The longest request that the launcher accepts from a viewer. */
#define REQUEST_SIZE 8192
#define MAX_WORDS 32
#define BPF_RUN "/usr/bin/bpf-run"

struct viewer {
    bool used;
    bool gone; /* disconnected: discard the output */
    pid_t pid; /* of tcpdump, -1 after its exit */
    int status;
    int pipes[2]; /* tcpdump's stdout and stderr, -1 after end of file */
    size_t credit; /* bytes that may be sent */
};

static struct {
    int port; /* non-blocking */
    bool ending;
    size_t count; /* bytes written to the port */
    struct viewer viewers[MAX_VIEWERS];
    char request[HEADER_SIZE + REQUEST_SIZE];
    size_t request_length;
    char record[RECORD_SIZE + 1]; /* to be written to the port */
    size_t record_length; /* 0: no record is pending */
} live = { .port = -1 };

/* The kinds of records with the data of each pipe. */
static const char pipe_kinds[2] = { 'd', 't' };

void live_start(const struct config *config)
{
    if (config->live) {
        live.port = port_open("live", O_NONBLOCK);
    }
}

/* Sends the pending record if the port has room. */
static void flush(void)
{
    ssize_t n;

    if (!live.record_length) {
        return;
    }
    n = write(live.port, live.record, live.record_length);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (n > 0) {
        live.count += n;
    }
    live.record_length = 0;
}

/* Sends a record, whose data, if any, is in live.record already. */
static void send_record(char kind, const struct viewer *viewer, size_t number,
                        size_t length)
{
    char header[HEADER_SIZE + 1];

    snprintf(header, sizeof(header), "%c %2zu %9zu\n", kind,
             (size_t)(viewer - live.viewers), number);
    memcpy(live.record, header, HEADER_SIZE);
    live.record_length = HEADER_SIZE + length;
    flush();
}

/* Starts tcpdump; args includes its name. */
static void viewer_start(struct viewer *viewer, char *const args[])
{
    int out[2] = { -1, -1 }, err[2] = { -1, -1 };

    *viewer = (struct viewer){ .used = true, .pid = -1, .status = 127,
                               .pipes = { -1, -1 }, .credit = WINDOW };
    if (pipe2(out, O_CLOEXEC) || pipe2(err, O_CLOEXEC)) {
        printf("init: pipe: %s\n", strerror(errno));
        close(out[0]);
        close(out[1]);
        return;
    }
    viewer->pid = spawn_own(args, -1, out[1], err[1]);
    close(out[1]);
    close(err[1]);
    fcntl(out[0], F_SETFL, O_NONBLOCK);
    fcntl(err[0], F_SETFL, O_NONBLOCK);
    viewer->pipes[0] = out[0];
    viewer->pipes[1] = err[0];
}

/* Handles a request of the launcher; words is its data, NUL-terminated
 * words. */
static void request_do(char kind, struct viewer *viewer, size_t number,
                       char *words)
{
    char *args[MAX_WORDS + 3] = { "tcpdump" };
    size_t n = 1;

    switch (kind) {
    case 's':
        /* bpf-run, as the tcpdump of a disk's system would capture with packet
         * sockets. The one of init's image captures through /dev/bpf; with
         * --root it is run in that image's root. */
        if (!own_root_is_kept() && !access(BPF_RUN, X_OK)) {
            args[0] = BPF_RUN;
            args[n++] = "tcpdump";
        }
        for (char *word = words; word < words + number && n < MAX_WORDS + 2;
             word += strlen(word) + 1) {
            args[n++] = word;
        }
        if (!viewer->used && !live.ending) {
            viewer_start(viewer, args);
        }
        break;
    case 'c':
        viewer->credit += number;
        break;
    case 'e':
        viewer->gone = true;
        if (viewer->pid > 0) {
            kill(viewer->pid, SIGTERM);
        }
        break;
    }
}

/* Handles the first request if it is complete; false if it is not. */
static bool request_next(void)
{
    size_t length = HEADER_SIZE;
    unsigned int number, value;
    char kind;

    if (live.request_length < HEADER_SIZE) {
        return false;
    }
    if (sscanf(live.request, "%c %2u %9u\n", &kind, &number, &value) != 3 ||
        number >= MAX_VIEWERS || (kind == 's' && value > REQUEST_SIZE)) {
        fail("malformed request from the launcher on the port live");
        live.request_length = 0;
        return false;
    }
    length += kind == 's' ? value : 0;
    if (live.request_length < length) {
        return false;
    }
    if (kind == 's' && (!value || live.request[length - 1])) {
        value = 0; /* malformed: the last word has no NUL */
    }
    request_do(kind, &live.viewers[number], value, live.request + HEADER_SIZE);
    live.request_length -= length;
    memmove(live.request, live.request + length, live.request_length);
    return true;
}

/* The launcher has closed the port: end all captures, discard their output. */
static void abandon(void)
{
    live_end();
    for (size_t i = 0; i < MAX_VIEWERS; i++) {
        live.viewers[i].gone = true;
    }
    close(live.port);
    live.port = -1;
}

static void requests_take(void)
{
    ssize_t n = read(live.port, live.request + live.request_length,
                     sizeof(live.request) - live.request_length);

    if (n == 0) {
        abandon();
        return;
    }
    if (n > 0) {
        live.request_length += n;
        while (request_next()) {
        }
    }
}

/* Forwards data from a pipe, up to the viewer's credit. */
static void pipe_relay(struct viewer *viewer, int i)
{
    size_t room = RECORD_SIZE - HEADER_SIZE;
    ssize_t n;

    if (!viewer->gone && viewer->credit - HEADER_SIZE < room) {
        room = viewer->credit - HEADER_SIZE;
    }
    n = read(viewer->pipes[i], live.record + HEADER_SIZE, room);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (n <= 0) {
        close(viewer->pipes[i]);
        viewer->pipes[i] = -1;
    } else if (!viewer->gone) {
        viewer->credit -= HEADER_SIZE + n;
        send_record(pipe_kinds[i], viewer, n, n);
    }
}

/* Returns whether to read the pipe: its data can be sent, or is discarded. */
static bool pipe_is_wanted(const struct viewer *viewer, int i)
{
    return viewer->used && viewer->pipes[i] >= 0 && !live.record_length &&
           (viewer->gone || viewer->credit > HEADER_SIZE);
}

static bool viewer_has_ended(const struct viewer *viewer)
{
    return viewer->used && viewer->pid < 0 && viewer->pipes[0] < 0 &&
           viewer->pipes[1] < 0;
}

/* Fills in LIVE_FDS entries for poll(). */
void live_poll(struct pollfd *fds)
{
    fds[0] = (struct pollfd){ .fd = live.port, .events = POLLIN };
    if (live.record_length) {
        fds[0].events |= POLLOUT;
    }
    for (size_t i = 1; i < LIVE_FDS; i++) {
        struct viewer *viewer = &live.viewers[(i - 1) / 2];
        bool wanted = pipe_is_wanted(viewer, (i - 1) % 2);

        fds[i] = (struct pollfd){
            .fd = wanted ? viewer->pipes[(i - 1) % 2] : -1, .events = POLLIN
        };
    }
}

/* Handles the events that poll() returned, without blocking. */
void live_relay(const struct pollfd *fds)
{
    if (fds[0].revents & (POLLIN | POLLHUP)) {
        requests_take();
    }
    flush();
    for (size_t i = 1; i < LIVE_FDS; i++) {
        struct viewer *viewer = &live.viewers[(i - 1) / 2];

        if (fds[i].revents && pipe_is_wanted(viewer, (i - 1) % 2)) {
            pipe_relay(viewer, (i - 1) % 2);
        }
    }
    for (size_t i = 0; i < MAX_VIEWERS && !live.record_length; i++) {
        if (viewer_has_ended(&live.viewers[i])) {
            live.viewers[i].used = false;
            send_record('x', &live.viewers[i], live.viewers[i].status, 0);
        }
    }
}

/* Called for every child that has exited; records the status of a viewer's
 * tcpdump. */
void live_reaped(pid_t pid, int status)
{
    for (size_t i = 0; i < MAX_VIEWERS; i++) {
        if (live.viewers[i].used && live.viewers[i].pid == pid) {
            live.viewers[i].pid = -1;
            live.viewers[i].status = shell_status(status);
        }
    }
}

/* Returns whether there are viewers or pending records. */
bool live_is_watched(void)
{
    bool watched = live.record_length;

    for (size_t i = 0; i < MAX_VIEWERS; i++) {
        watched |= live.viewers[i].used;
    }
    return watched;
}

/* Ends all captures; frames that tcpdump has captured are still sent. */
void live_end(void)
{
    live.ending = true;
    for (size_t i = 0; i < MAX_VIEWERS; i++) {
        if (live.viewers[i].used && live.viewers[i].pid > 0) {
            kill(live.viewers[i].pid, SIGTERM);
        }
    }
}

/* Returns the number of bytes written to the port; -1 without a port. */
ssize_t live_count(void)
{
    return live.port < 0 ? -1 : (ssize_t)live.count;
}
