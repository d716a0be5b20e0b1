/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Checks at the end on a debug kernel (images/guest/debug-kernel): that kmemleak
 * found no leak, and that kmemleak and lockdep have not turned themselves
 * off. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "init.h"

#define KMEMLEAK "/sys/kernel/debug/kmemleak"

/* kmemleak does not report objects younger than 5 s. */
#define LEAK_AGE_S 6

/* Copies kmemleak's report to the console; returns the number of leaks. */
static unsigned int print_leaks(void)
{
    FILE *report = fopen(KMEMLEAK, "r");
    unsigned int count = 0;
    char line[256];

    if (!report) {
        return 0;
    }
    while (fgets(line, sizeof(line), report)) {
        count += !strncmp(line, "unreferenced object", 19);
        fputs(line, stdout);
    }
    fflush(stdout);
    fclose(report);
    return count;
}

/*
 * Scans twice: the first scan records checksums of the objects, and the second
 * reports unreferenced objects that have not changed since.
 */
static void check_leaks(void)
{
    char parameters[2048];
    unsigned int count;

    /* Tests turn it off where they do not need it, as it is slow. */
    if (access(KMEMLEAK, F_OK) ||
        (read_text("/proc/cmdline", parameters, sizeof(parameters)) &&
         strstr(parameters, "kmemleak=off"))) {
        return;
    }
    sleep(LEAK_AGE_S);
    for (int i = 0; i < 2; i++) {
        if (!write_text(KMEMLEAK, "scan")) {
            fail("kmemleak does not work: %s", strerror(errno));
            return;
        }
    }
    count = print_leaks();
    if (count) {
        fail("kmemleak reports %u leaks (see the console)", count);
    }
}

/* lockdep turns itself off after its first report. */
static void check_lockdep(void)
{
    FILE *stats = fopen("/proc/lockdep_stats", "r");
    char line[256];
    int on = 0;

    if (!stats) {
        return;
    }
    while (fgets(line, sizeof(line), stats)) {
        sscanf(line, " debug_locks: %d", &on);
    }
    fclose(stats);
    if (!on) {
        fail("lockdep has turned itself off (see the console)");
    }
}

void checks_end(void)
{
    check_leaks();
    check_lockdep();
}
