/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads and writes short text files, such as those of sysfs. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "init.h"

bool write_all(int fd, const void *data, size_t length)
{
    const char *from = data;

    while (length) {
        ssize_t n = write(fd, from, length);

        if (n < 0 && errno != EINTR) {
            return false;
        }
        if (n > 0) {
            from += n;
            length -= n;
        }
    }
    return true;
}

/* Reads the first line of a text file, without the newline. */
bool read_text(const char *path, char *text, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n;

    if (fd < 0) {
        return false;
    }
    n = read(fd, text, size - 1);
    close(fd);
    if (n < 0) {
        return false;
    }
    text[n] = 0;
    text[strcspn(text, "\n")] = 0;
    return true;
}

bool write_text(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool ok;

    if (fd < 0) {
        return false;
    }
    ok = write_all(fd, text, strlen(text));
    close(fd);
    return ok;
}
