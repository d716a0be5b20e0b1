/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Runs the command until it and all processes that it started have ended, and
 * forwards its output to the launcher. It waits in poll() only, so that
 * a request of the launcher to end is handled at any time, even while the
 * command cannot be killed or nobody reads its output.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "init.h"

/* How long processes have to exit after SIGTERM and after SIGKILL, when the
 * launcher has requested the end. */
#define TERM_MS 2000
#define KILL_MS 1000

/* After the command has ended, viewers' captures continue for LINGER_MS to
 * receive the last frames; then each tcpdump has FLUSH_MS to exit. */
#define LINGER_MS 1000
#define FLUSH_MS 2000

/* The longest write that a virtio-serial port accepts. */
#define CHUNK 32768

/* The command's stdout or stderr, from its pipe to the launcher's port. */
struct stream {
    int pipe; /* -1 after end of file */
    int port; /* non-blocking */
    size_t start, end; /* the part of data to be written to the port */
    size_t count; /* bytes written to the port */
    char data[CHUNK];
};

enum phase {
    RUNNING, /* the command runs */
    LINGERING, /* it has ended; viewers' captures receive the last frames */
    FLUSHING, /* viewers' tcpdumps were sent SIGTERM */
    ENDED, /* the remaining processes were sent SIGKILL */
    TERMINATED, /* all processes were sent SIGTERM; lasts up to TERM_MS */
    KILLED, /* all processes were sent SIGKILL; lasts up to KILL_MS */
};

struct job {
    pid_t command;
    int status; /* the command's wait status */
    enum phase phase;
    int64_t deadline; /* of the phase, as now_ms() returns it; 0: none */
    bool has_children;
    struct stream streams[2];
};

static struct job job;

int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
}

static bool stream_is_open(const struct stream *stream)
{
    return stream->pipe >= 0 || stream->end > stream->start;
}

/* Returns a poll() entry: for room in the port if data is pending, else for
 * data in the pipe. */
static struct pollfd stream_poll(const struct stream *stream)
{
    if (stream->end > stream->start) {
        return (struct pollfd){ .fd = stream->port, .events = POLLOUT };
    }
    return (struct pollfd){ .fd = stream->pipe, .events = POLLIN };
}

/* Forwards data from the pipe to the port without blocking. */
static void stream_relay(struct stream *stream)
{
    ssize_t n;

    if (stream->end == stream->start) {
        n = read(stream->pipe, stream->data, sizeof(stream->data));
        if (n <= 0) {
            if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
                close(stream->pipe);
                stream->pipe = -1;
            }
            return;
        }
        stream->start = 0;
        stream->end = n;
    }
    n = write(stream->port, stream->data + stream->start,
              stream->end - stream->start);
    if (n > 0) {
        stream->start += n;
        stream->count += n;
    } else if (n < 0 && errno != EAGAIN && errno != EINTR) {
        fail("output: %s", strerror(errno));
        stream->start = stream->end;
    }
}

static void enter(enum phase phase, int signal, int64_t deadline)
{
    processes_kill(signal);
    job.phase = phase;
    job.deadline = deadline;
}

/* Enters the next phase if it is due; false when all processes have ended and
 * all output is written, or the last deadline has passed. */
static bool advance(void)
{
    int64_t now = now_ms();
    bool is_late = job.deadline && now >= job.deadline;
    bool is_open = stream_is_open(&job.streams[0]) ||
                   stream_is_open(&job.streams[1]);
    bool ended;

    switch (job.phase) {
    case RUNNING:
        return true;
    case LINGERING:
        /* Not needed without viewers. */
        if (live_is_watched() && !is_late) {
            return true;
        }
        live_end();
        is_late = false;
        job.phase = FLUSHING;
        job.deadline = now + FLUSH_MS;
        /* fall through */
    case FLUSHING:
        if (live_is_watched() && !is_late) {
            return true;
        }
        enter(ENDED, SIGKILL, 0);
        /* The command's orphans become children of this process. */
        job.has_children = children_reap(-1, &ended, &job.status);
        /* fall through */
    case ENDED:
        return job.has_children || is_open;
    case TERMINATED:
        if (is_late || !job.has_children) {
            enter(KILLED, SIGKILL, now + KILL_MS);
        }
        return true;
    case KILLED:
        return !is_late &&
               (job.has_children || is_open || live_is_watched());
    }
    return false;
}

/* Reaps children. */
static void children_ended(int fd)
{
    struct signalfd_siginfo info;
    bool ended = false;

    while (read(fd, &info, sizeof(info)) > 0) {
    }
    job.has_children = children_reap(job.command, &ended, &job.status);
    if (ended && job.phase == RUNNING) {
        job.phase = LINGERING;
        job.deadline = now_ms() + LINGER_MS;
    } else if (job.has_children &&
               (job.phase == ENDED || job.phase == KILLED)) {
        /* The runner's processes_kill() may miss processes forked meanwhile. */
        processes_kill(SIGKILL);
    }
}

/* Handles REQUEST_END. SIGTERM lets programs write their buffered output. */
static void end_asked(void)
{
    if (job.phase == RUNNING || job.phase == LINGERING ||
        job.phase == FLUSHING) {
        enter(TERMINATED, SIGTERM, now_ms() + TERM_MS);
    } else if (job.phase == ENDED) {
        enter(KILLED, SIGKILL, now_ms() + KILL_MS);
    }
}

/* Returns the time-out for poll() in milliseconds. */
static int patience(int64_t next_look)
{
    int64_t until = job.deadline, now = now_ms();

    if (next_look && (!until || next_look < until)) {
        until = next_look;
    }
    return !until ? -1 : until > now ? until - now : 0;
}

/* Runs the main loop until the command and all its processes have ended. */
static int supervise(int children)
{
    enum { OUT, ERR, CHILDREN, REQUEST, LIVE };
    int64_t next_look = follow_look();

    while (advance()) {
        struct pollfd fds[LIVE + LIVE_FDS] = {
            [OUT] = stream_poll(&job.streams[0]),
            [ERR] = stream_poll(&job.streams[1]),
            [CHILDREN] = { .fd = children, .events = POLLIN },
            [REQUEST] = { .fd = request_fd(), .events = POLLIN },
        };

        live_poll(fds + LIVE);
        if (poll(fds, LIVE + LIVE_FDS, patience(next_look)) < 0 &&
            errno != EINTR) {
            fail("poll: %s", strerror(errno));
            break;
        }
        for (int i = 0; i < 2; i++) {
            if (fds[i].revents) {
                stream_relay(&job.streams[i]);
            }
        }
        if (fds[CHILDREN].revents) {
            children_ended(children);
        }
        live_relay(fds + LIVE);
        if (fds[REQUEST].revents && request_take() == REQUEST_END) {
            end_asked();
        }
        if (next_look && now_ms() >= next_look) {
            next_look = follow_look();
        }
    }
    close(children);
    children_unblock();
    return job.phase == ENDED ? shell_status(job.status) : 128 + SIGKILL;
}

/* Opens a stream's port and its pipe; returns the pipe's write end, -1 after
 * fail(). */
static int stream_open(struct stream *stream, const char *name)
{
    int ends[2];

    stream->port = port_open(name, O_NONBLOCK);
    if (stream->port < 0) {
        return -1;
    }
    if (pipe2(ends, O_CLOEXEC)) {
        fail("pipe: %s", strerror(errno));
        return -1;
    }
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    stream->pipe = ends[0];
    return ends[1];
}

static void job_reset(void)
{
    job.phase = RUNNING;
    job.has_children = true;
    job.streams[0].pipe = job.streams[1].pipe = -1;
}

/* Runs the command; returns its status, 125 after fail(). Sets *out_count and
 * *err_count to the number of bytes that it wrote. */
int run_command(const struct config *config, size_t *out_count,
                size_t *err_count)
{
    int in = -1, out, err, children, status;

    job_reset();
    if (config->has_stdin) {
        in = port_open("stdin", 0);
    }
    out = stream_open(&job.streams[0], "stdout");
    /* One pipe for both keeps the order of writes. */
    err = config->merged ? out : stream_open(&job.streams[1], "stderr");
    if (out < 0 || err < 0) {
        return 125;
    }
    children = children_watch();
    job.command = spawn(config->args, in, out, err);
    close(out);
    if (err != out) {
        close(err);
    }
    if (job.command < 0) {
        fail("fork: %s", strerror(errno));
        return 125;
    }
    status = supervise(children);
    *out_count = job.streams[0].count;
    *err_count = job.streams[1].count;
    return status;
}

/* Gets the path of the console's terminal, the last of several: /dev/console
 * itself cannot become a controlling terminal. */
bool console_path(char *path, size_t size)
{
    char names[256];
    const char *last;

    if (!read_text("/sys/class/tty/console/active", names, sizeof(names)) ||
        !names[0]) {
        return false;
    }
    last = strrchr(names, ' ');
    snprintf(path, size, "/dev/%s", last ? last + 1 : names);
    return true;
}

/* In the child: runs a login shell on the console. */
static void become_shell(const struct config *config)
{
    struct winsize size = { .ws_row = config->rows,
                            .ws_col = config->columns };
    char path[300];
    int tty, error;

    setsid();
    children_unblock();
    tty = console_path(path, sizeof(path)) ? open(path, O_RDWR) : -1;
    if (tty < 0) {
        fprintf(stderr, "init: the console has no terminal\n");
        _exit(126);
    }
    ioctl(tty, TIOCSCTTY, 1);
    if (config->rows) {
        ioctl(tty, TIOCSWINSZ, &size);
    }
    for (int fd = 0; fd < 3; fd++) {
        dup2(tty, fd);
    }
    execl("/bin/sh", "-sh", NULL);
    error = errno;
    fprintf(stderr, "init: /bin/sh: %s\n", strerror(error));
    _exit(error == ENOENT ? 127 : 126);
}

/* Runs a shell on the console; returns its status. */
int run_shell(const struct config *config)
{
    int children = children_watch();

    job_reset();
    job.command = fork();
    if (!job.command) {
        become_shell(config);
    }
    if (job.command < 0) {
        fail("fork: %s", strerror(errno));
        return 125;
    }
    return supervise(children);
}
