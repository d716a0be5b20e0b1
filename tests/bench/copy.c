/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * copy SIZE COUNT: the reference for the device. Copies COUNT frames of SIZE
 * bytes one behind another with memcpy() of the C library, whose instructions
 * are counted in the same way as the device's.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define ROOM    (1 << 20)

static void *copy_nothing(void *to, const void *from __attribute__((unused)),
                          size_t size __attribute__((unused)))
{
    return to;
}

int main(int argc, char **argv)
{
    static uint8_t from[1 << 16], to[ROOM + (1 << 16)];
    size_t size = argc == 3 ? strtoul(argv[1], NULL, 10) : 0;
    long count = argc == 3 ? strtol(argv[2], NULL, 10) : 0;
    void *(*volatile copy)(void *, const void *, size_t) =
        size ? memcpy : copy_nothing;
    size_t at = 0;

    if (argc != 3 || size > sizeof(from)) {
        return 2;
    }
    while (count-- > 0) {
        copy(to + at, from, size);
        at = (at + size + 7) / 8 * 8 % ROOM;
    }
    return 0;
}
