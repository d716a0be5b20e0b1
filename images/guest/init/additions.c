/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copies the files of --add, each in a folder of its own, to their places. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "init.h"

/* Creates a folder and its parents. Errors are left to their later use. */
static void make_folders(const char *path)
{
    char *copy = strdup(path);

    for (char *slash = strchr(copy + 1, '/'); slash;
         slash = strchr(slash + 1, '/')) {
        *slash = 0;
        mkdir(copy, 0755);
        *slash = '/';
    }
    mkdir(copy, 0755);
    free(copy);
}

/*
 * Copies the n-th addition from the folder with all of them to its destination;
 * false after fail(). cp runs in init's own root, which has the folder; the
 * destination is in this process's root, so cp gets it as a file descriptor.
 */
bool addition_place(const char *folder, size_t n, const struct addition *add)
{
    char *source, *target, *parent = strdup(add->target);
    size_t length = strlen(parent);
    char *slash = strrchr(parent, '/');
    const char *name = "";
    bool ok;
    int fd;

    if (slash && slash != parent) {
        *slash = 0;
        make_folders(parent);
    }
    if (length && add->target[length - 1] == '/') {
        make_folders(add->target);
    }
    fd = open(add->target, O_PATH | O_DIRECTORY);
    if (fd < 0 && slash) {
        fd = open(slash == parent ? "/" : parent, O_PATH | O_DIRECTORY);
        name = add->target + (slash - parent) + 1;
    }
    if (asprintf(&source, "%s/%zu/%s", folder, n, add->base) < 0 ||
        asprintf(&target, "/proc/self/fd/%d/%s", fd, name) < 0) {
        fail("out of memory for --add");
        return false;
    }
    ok = fd >= 0 && !wait_status(spawn_own((char *[]){ "cp", "-a", "--", source,
                                                       target, NULL },
                                           -1, -1, -1));
    if (!ok) {
        fail("cannot copy %s to %s (see the console)", add->base, add->target);
    }
    if (fd >= 0) {
        close(fd);
    }
    free(source);
    free(target);
    free(parent);
    return ok;
}
