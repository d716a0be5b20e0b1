/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a debug kernel has to say at the end (images/guest/debug-kernel): has
 * something leaked, and were its checks at work all the time? */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "init.h"

#define KMEMLEAK "/sys/kernel/debug/kmemleak"

/* kmemleak does not judge what is younger than 5 s. */
#define LEAK_AGE_S 6

/* Copies kmemleak's report to the console; returns how many leaks it tells. */
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
 * The first scan takes down what all objects hold, and only the next one tells
 * those without a reference that have not changed since.
 */
static void check_leaks(void)
{
    char parameters[2048];
    unsigned int count;

    /* It may have been told to stay off: it costs much time. */
    if (access(KMEMLEAK, F_OK) ||
        (read_text("/proc/cmdline", parameters, sizeof(parameters)) &&
         strstr(parameters, "kmemleak=off"))) {
        return;
    }
    sleep(LEAK_AGE_S);
    for (int i = 0; i < 2; i++) {
        if (!write_text(KMEMLEAK, "scan")) {
            fail("kmemleak is not at work: %s", strerror(errno));
            return;
        }
    }
    count = print_leaks();
    if (count) {
        fail("kmemleak tells of %u leaks (see the console)", count);
    }
}

/* lockdep checks nothing more after its first complaint. */
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
        fail("lockdep is not at work (see the console)");
    }
}

void checks_end(void)
{
    check_leaks();
    check_lockdep();
}
