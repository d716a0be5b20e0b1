/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Processes: the command, its output's way to the launcher, helpers. */
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
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "init.h"

#define CHUNK 65536

/* In the child: become the program; what stops that is told as a shell does. */
static void become(char *const args[])
{
    int error;

    execvp(args[0], args);
    error = errno;
    fprintf(stderr, "init: %s: %s\n", args[0], strerror(error));
    _exit(error == ENOENT ? 127 : 126);
}

/* Starts a program; a descriptor of -1 is /dev/null for input and the console
 * for output. */
pid_t spawn(char *const args[], int in, int out, int err)
{
    sigset_t none;
    pid_t pid = fork();

    if (pid) {
        return pid;
    }
    setsid();
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (in < 0) {
        in = open("/dev/null", O_RDONLY);
    }
    dup2(in, 0);
    if (out >= 0) {
        dup2(out, 1);
    }
    if (err >= 0) {
        dup2(err, 2);
    }
    become(args);
    return -1;
}

/* A wait status as a shell gives it. */
static int shell_status(int status)
{
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* Waits for one child; other children's ends are taken note of by nobody. */
int wait_status(pid_t pid)
{
    int status = 0;

    if (pid < 0) {
        return 127;
    }
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    return shell_status(status);
}

/* Passes on what is there to read; false at the end of the input. */
static bool relay(int from, int to, size_t *count)
{
    static char data[CHUNK];
    ssize_t n = read(from, data, sizeof(data));

    if (n <= 0) {
        return n < 0 && (errno == EINTR || errno == EAGAIN);
    }
    *count += n;
    write_all(to, data, n);
    return true;
}

/* Ends every other process. What they wrote stays in the pipes. */
void kill_all(void)
{
    kill(-1, SIGKILL);
    while (waitpid(-1, NULL, 0) > 0 || errno == EINTR) {
    }
}

/* Takes note of ended children; true when the command is one of them. */
static bool reap(pid_t command, int *status)
{
    bool ended = false;
    int any;
    pid_t pid;

    while ((pid = waitpid(-1, &any, WNOHANG)) > 0) {
        if (pid == command) {
            *status = any;
            ended = true;
        }
    }
    return ended;
}

/*
 * Relays both pipes until the command has ended; what it left running is ended
 * then, so that both pipes come to their end.
 */
static int relay_command(pid_t pid, struct pollfd fds[3], const int ports[2],
                         size_t *counts[2])
{
    int open_pipes = 2, status = 0;

    while (open_pipes || fds[2].fd >= 0) {
        if (poll(fds, 3, -1) < 0 && errno != EINTR) {
            fail("poll: %s", strerror(errno));
            break;
        }
        for (int i = 0; i < 2; i++) {
            if (fds[i].revents && !relay(fds[i].fd, ports[i], counts[i])) {
                fds[i].fd = -1;
                open_pipes--;
            }
        }
        if (fds[2].revents) {
            struct signalfd_siginfo info;

            if (read(fds[2].fd, &info, sizeof(info)) > 0 &&
                reap(pid, &status)) {
                kill_all();
                fds[2].fd = -1;
            }
        }
    }
    return shell_status(status);
}

/* Runs the command; returns its status and how much it wrote. */
int run_command(const struct config *config, int out, int err,
                size_t *out_count, size_t *err_count)
{
    int out_pipe[2], err_pipe[2], in = -1, status;
    const int ports[2] = { out, err };
    size_t *counts[2] = { out_count, err_count };
    struct pollfd fds[3];
    sigset_t child;
    pid_t pid;

    if (config->has_stdin) {
        in = port_open("stdin");
    }
    if (pipe2(out_pipe, O_CLOEXEC) || pipe2(err_pipe, O_CLOEXEC)) {
        fail("pipe: %s", strerror(errno));
        return 125;
    }
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    sigprocmask(SIG_BLOCK, &child, NULL);
    fds[0] = (struct pollfd){ .fd = out_pipe[0], .events = POLLIN };
    fds[1] = (struct pollfd){ .fd = err_pipe[0], .events = POLLIN };
    fds[2] = (struct pollfd){ .fd = signalfd(-1, &child, SFD_CLOEXEC),
                              .events = POLLIN };

    pid = spawn(config->args, in, out_pipe[1], err_pipe[1]);
    close(out_pipe[1]);
    close(err_pipe[1]);
    if (pid < 0) {
        fail("fork: %s", strerror(errno));
        return 125;
    }
    status = relay_command(pid, fds, ports, counts);
    sigprocmask(SIG_UNBLOCK, &child, NULL);
    return status;
}

/* A login shell on the console; returns its status. */
int run_shell(const struct config *config)
{
    struct winsize size = { .ws_row = config->rows,
                            .ws_col = config->columns };
    pid_t pid = fork();
    int tty, status;

    if (!pid) {
        setsid();
        tty = open("/dev/ttyS0", O_RDWR);
        ioctl(tty, TIOCSCTTY, 1);
        if (config->rows) {
            ioctl(tty, TIOCSWINSZ, &size);
        }
        for (int fd = 0; fd < 3; fd++) {
            dup2(tty, fd);
        }
        execl("/bin/sh", "-sh", NULL);
        _exit(127);
    }
    status = wait_status(pid);
    kill_all();
    return status;
}

/* Sends a file or folder to a port as a tar archive; false after fail(). */
bool send_file(const char *path, int port, size_t *count)
{
    char *copy = strdup(path), *folder = "/", *name = copy;
    char *args[] = { "tar", "-cf", "-", "-C", NULL, "--", NULL, NULL };
    char *slash = strrchr(copy, '/');
    int pipe_fds[2];
    struct stat st;
    pid_t pid;
    bool ok;

    if (lstat(path, &st)) {
        fail("--get %s: %s", path, strerror(errno));
        free(copy);
        return false;
    }
    if (slash) {
        *slash = 0;
        name = slash + 1;
        folder = slash == copy ? "/" : copy;
    }
    args[4] = folder;
    args[6] = *name ? name : ".";
    if (pipe2(pipe_fds, O_CLOEXEC)) {
        fail("--get %s: pipe: %s", path, strerror(errno));
        free(copy);
        return false;
    }
    pid = spawn(args, -1, pipe_fds[1], -1);
    close(pipe_fds[1]);
    while (relay(pipe_fds[0], port, count)) {
    }
    close(pipe_fds[0]);
    ok = !wait_status(pid);
    if (!ok) {
        fail("--get %s: tar failed (see the console)", path);
    }
    free(copy);
    return ok;
}
