/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Files for the launcher, sent as they grow, so that it has them when the
 * kernel panics or hangs. Every regular file that is requested, or is in a
 * requested folder, is checked several times a second, and data appended to it
 * is sent to the port "follow", in records:
 *
 *   a header, text of HEADER_SIZE bytes: the number of the requested path, the
 *   offset in the file, the length of the data, the length of the name; then
 *   the name (from the last component of the path on) and the data
 *
 * Offset 0 starts the file again: it is new, truncated, replaced by another
 * file of that name, or was modified without growing. A modification of data
 * already sent is not noticed if the file has grown too.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "init.h"

/* The files are checked every LOOK_MS, but in no more than 1/LOOK_SHARE of the
 * time. */
#define LOOK_MS 100
#define LOOK_SHARE 10

#define MAX_FILES 256
#define HEADER_SIZE 50
/* The longest write that the port accepts: a record is written in one write. */
#define RECORD_SIZE 32768
/* The most records for each check. */
#define MAX_RECORDS 32

struct followed {
    char *path;
    dev_t device;
    ino_t inode;
    off_t sent;
    struct timespec changed; /* modification time at the last check */
};

static struct {
    const struct config *config;
    int port; /* non-blocking */
    struct followed files[MAX_FILES];
    size_t num_files;
    /* The current check: */
    size_t get; /* number of the requested path */
    size_t folder_length; /* length of the part of paths that is not sent */
    int records; /* that may still be sent */
} follow = { .port = -1 };

void follow_start(const struct config *config)
{
    if (config->num_gets) {
        follow.config = config;
        follow.port = port_open("follow", O_NONBLOCK);
    }
}

static struct followed *find(const char *path)
{
    struct followed *file;

    for (size_t i = 0; i < follow.num_files; i++) {
        if (!strcmp(follow.files[i].path, path)) {
            return &follow.files[i];
        }
    }
    if (follow.num_files == MAX_FILES) {
        return NULL;
    }
    file = &follow.files[follow.num_files];
    *file = (struct followed){ .path = strdup(path), .sent = -1 };
    follow.num_files += file->path != NULL;
    return file->path ? file : NULL;
}

/* Returns whether the file no longer begins with the data that was sent. */
static bool is_stale(const struct followed *file, const struct stat *st)
{
    return file->sent < 0 || st->st_dev != file->device ||
           st->st_ino != file->inode || st->st_size < file->sent ||
           (st->st_size == file->sent &&
            (st->st_mtim.tv_sec != file->changed.tv_sec ||
             st->st_mtim.tv_nsec != file->changed.tv_nsec));
}

/* Sends the next part of a file; false if the port has no room, this check may
 * send no more records, or the file cannot be read. */
static bool send_part(struct followed *file, int fd, off_t size)
{
    static char record[RECORD_SIZE + 1];
    const char *name = file->path + follow.folder_length;
    size_t name_length = strlen(name), room, total;
    ssize_t n;

    if (follow.records <= 0 || name_length > RECORD_SIZE / 2) {
        return false;
    }
    room = RECORD_SIZE - HEADER_SIZE - name_length;
    if ((off_t)room > size - file->sent) {
        room = size - file->sent;
    }
    n = pread(fd, record + HEADER_SIZE + name_length, room, file->sent);
    if (n < 0 || (n == 0 && room)) {
        return false;
    }
    /* The name overwrites the NUL at the header's end. */
    snprintf(record, HEADER_SIZE + 1, "%9zu %19lld %9zd %9zu\n", follow.get,
             (long long)file->sent, n, name_length);
    memcpy(record + HEADER_SIZE, name, name_length);
    total = HEADER_SIZE + name_length + n;
    if (write(follow.port, record, total) != (ssize_t)total) {
        return false;
    }
    follow.records--;
    file->sent += n;
    return true;
}

/* Checks one file; called by nftw(). */
static int look_at(const char *path, const struct stat *found, int type,
                   struct FTW *walk)
{
    struct followed *file;
    struct stat st;
    int fd;

    (void)walk;
    if (type != FTW_F || !S_ISREG(found->st_mode) || follow.records <= 0) {
        return 0;
    }
    file = find(path);
    if (!file || (!is_stale(file, found) && found->st_size == file->sent)) {
        return 0;
    }
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0) {
        return 0;
    }
    if (!fstat(fd, &st) && S_ISREG(st.st_mode)) {
        if (is_stale(file, &st)) {
            file->device = st.st_dev;
            file->inode = st.st_ino;
            file->sent = 0;
            if (!st.st_size) {
                send_part(file, fd, 0);
            }
        }
        while (file->sent < st.st_size && send_part(file, fd, st.st_size)) {
        }
        file->changed = st.st_mtim;
    }
    close(fd);
    return 0;
}

/* Sends data appended to the files; returns the time of the next check, 0 if no
 * files are requested. */
int64_t follow_look(void)
{
    int64_t start = now_ms(), end;

    if (follow.port < 0) {
        return 0;
    }
    follow.records = MAX_RECORDS;
    for (follow.get = 0; follow.get < follow.config->num_gets; follow.get++) {
        const char *path = follow.config->gets[follow.get];
        const char *slash = strrchr(path, '/');

        follow.folder_length = slash ? slash + 1 - path : 0;
        nftw(path, look_at, 16, FTW_PHYS);
    }
    end = now_ms();
    return end + LOOK_MS + (end - start) * (LOOK_SHARE - 1);
}
