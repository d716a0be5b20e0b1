/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files for the launcher, sent at the end: one tar archive each. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "init.h"

#define CHUNK 65536

/* Copies available data from one descriptor to another; false at end of
 * file. */
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

/* Sends a file or folder to a port as a tar archive, and adds its size to
 * *count. Returns NULL, or why the archive is missing or incomplete. */
const char *archive_send(const char *path, int port, size_t *count)
{
    char *copy = strdup(path), *folder = "/", *name = copy;
    char *args[] = { "tar", "-cf", "-", "-C", NULL, "--", NULL, NULL };
    char *slash = strrchr(copy, '/');
    const char *error = NULL;
    char inside[32];
    int pipe_fds[2], fd;
    struct stat st;
    pid_t pid;

    if (slash) {
        *slash = 0;
        name = slash + 1;
        folder = slash == copy ? "/" : copy;
    }
    /* tar may run in another root (process.c), so it gets a descriptor. */
    fd = open(folder, O_PATH | O_DIRECTORY);
    snprintf(inside, sizeof(inside), "/proc/self/fd/%d", fd);
    args[4] = inside;
    args[6] = name;
    if (fd < 0 || lstat(path, &st) || pipe2(pipe_fds, O_CLOEXEC)) {
        error = strerror(errno);
    } else {
        pid = spawn_own(args, -1, pipe_fds[1], -1);
        close(pipe_fds[1]);
        while (relay(pipe_fds[0], port, count)) {
        }
        close(pipe_fds[0]);
        if (wait_status(pid)) {
            error = "tar failed (see the console)";
        }
    }
    if (fd >= 0) {
        close(fd);
    }
    free(copy);
    return error;
}
