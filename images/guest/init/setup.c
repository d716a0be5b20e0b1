/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the runner reads from the port "setup":
 *
 *   a header, text of HEADER_SIZE bytes: the length of the settings, and the
 *   length of the archive
 *   the settings, see config.c
 *   a tar archive of the files to add, each in a folder named by its number
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "init.h"

#define HEADER_SIZE 40
#define CHUNK 65536

static struct {
    int port;
    long long left; /* bytes of the archive to read */
} setup = { .port = -1 };

static bool read_all(int fd, char *data, size_t length)
{
    while (length) {
        ssize_t n = read(fd, data, length);

        if (n == 0 || (n < 0 && errno != EINTR)) {
            return false;
        }
        if (n > 0) {
            data += n;
            length -= n;
        }
    }
    return true;
}

/* Reads the settings, which precede the archive; false after fail(). */
bool setup_read(struct config *config)
{
    char header[HEADER_SIZE + 1] = "";
    long long size;
    char *text;

    setup.port = port_open("setup", 0);
    if (setup.port < 0) {
        return false;
    }
    if (!read_all(setup.port, header, HEADER_SIZE) ||
        sscanf(header, "%lld %lld", &size, &setup.left) != 2) {
        fail("cannot read the header of the launcher's settings");
        return false;
    }
    text = calloc(1, size + 1);
    if (!text || !read_all(setup.port, text, size) ||
        !config_parse(config, text, size)) {
        fail("cannot read the launcher's settings");
        return false;
    }
    return true;
}

/* Writes the archive to a program's stdin. */
static void relay(int to)
{
    static char data[CHUNK];

    while (setup.left) {
        size_t most = setup.left < CHUNK ? setup.left : CHUNK;
        ssize_t n = read(setup.port, data, most);

        if (n == 0 || (n < 0 && errno != EINTR)) {
            return;
        }
        if (n > 0) {
            setup.left -= n;
            /* If the program ends early, its status reports that. */
            write_all(to, data, n);
        }
    }
}

/* Copies the files of the archive to their places; false after fail(). */
bool setup_add(const struct config *config)
{
    static const char *const places[] = { "/tmp", "/var/tmp", "/root" };
    char folder[64], *made = NULL;
    int ends[2];
    bool ok;
    pid_t tar;

    if (!config->num_adds) {
        return true;
    }
    for (size_t i = 0; i < sizeof(places) / sizeof(*places) && !made; i++) {
        snprintf(folder, sizeof(folder), "%s/virtio-capture.XXXXXX",
                 places[i]);
        made = mkdtemp(folder);
    }
    if (!made || pipe2(ends, O_CLOEXEC)) {
        fail("cannot make a folder for --add: %s", strerror(errno));
        return false;
    }
    tar = spawn((char *[]){ "tar", "-x", "-p", "-f", "-", "-C", folder, NULL },
                ends[0], -1, -1);
    close(ends[0]);
    relay(ends[1]);
    close(ends[1]);
    ok = !wait_status(tar);
    if (!ok) {
        fail("cannot unpack the files of --add (see the console)");
    }
    for (size_t i = 0; i < config->num_adds && ok; i++) {
        ok = addition_place(folder, i, &config->adds[i]);
    }
    wait_status(spawn((char *[]){ "rm", "-rf", folder, NULL }, -1, -1, -1));
    return ok;
}
