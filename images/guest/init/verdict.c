/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The verdict: what the guest tells the launcher of itself, and what the
 * launcher asks for meanwhile.
 *
 * The verdict goes to the port "result" as lines, "exit" the last:
 *   start           the command starts now
 *   error TEXT      the guest failed; TEXT says why
 *   count NAME N    N bytes went to the port NAME
 *   missing N TEXT  the N-th file asked for did not come out whole; TEXT says
 *                   why
 *   taint N         the kernel's taint flags
 *   exit N          the command's status
 * The launcher answers with REQUEST_OFF when it has all those bytes, and only
 * then is the guest switched off: what is still under way would be lost. Before,
 * it may send REQUEST_END: the command is ended, and the rest goes on as usual.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "init.h"

static struct verdict verdict = { .port = -1 };

/* What was reported before the port was open. */
static char untold[4096];

/* Adds a line to the verdict. */
void report(const char *format, ...)
{
    char line[1024];
    va_list args;

    va_start(args, format);
    vsnprintf(line, sizeof(line) - 1, format, args);
    va_end(args);
    strcat(line, "\n");
    if (verdict.port >= 0) {
        write_all(verdict.port, line, strlen(line));
    } else if (strlen(untold) + strlen(line) < sizeof(untold)) {
        strcat(untold, line);
    }
}

/* Makes one line of a text that may hold a file's name. */
static void make_line(char *text)
{
    for (; *text; text++) {
        if ((unsigned char)*text < ' ') {
            *text = '?';
        }
    }
}

/* The guest is no good: says why, on the console and to the launcher. */
void fail(const char *format, ...)
{
    char text[960];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    make_line(text);
    printf("init: %s\n", text);
    fflush(stdout);
    verdict.failed = true;
    report("error %s", text);
}

/* Can be read when the launcher asks for something; -1 when it cannot. */
int request_fd(void)
{
    return verdict.ended_early || verdict.alone ? -1 : verdict.port;
}

/* Waits for what the launcher asks for. */
enum request request_take(void)
{
    char byte = REQUEST_NONE;

    if (read(verdict.port, &byte, 1) == 0) {
        verdict.alone = true;
    }
    verdict.ended_early |= byte == REQUEST_END;
    return byte;
}

/* Opens the port for the verdict, if it is not open; false after fail(). */
bool verdict_open(void)
{
    if (verdict.port >= 0) {
        return true;
    }
    verdict.port = port_open("result", 0);
    if (verdict.port >= 0) {
        write_all(verdict.port, untold, strlen(untold));
    }
    return verdict.port >= 0;
}

/* Whether something went wrong with the guest. */
bool verdict_failed(void)
{
    return verdict.failed;
}

/* Whether the launcher has asked for the end. */
bool verdict_is_early(void)
{
    return verdict.ended_early;
}

/* Sends the rest of the verdict, with the command's status, and waits until the
 * launcher has all that was sent. */
void verdict_end(int status)
{
    enum request request;
    char text[32];

    if (read_text("/proc/sys/kernel/tainted", text, sizeof(text))) {
        report("taint %s", text);
    }
    report("exit %d", status);
    sync();
    if (verdict.port < 0) {
        return;
    }
    do {
        request = request_take();
    } while (request != REQUEST_OFF && request != REQUEST_NONE);
    if (request == REQUEST_NONE) {
        printf("init: no answer from the launcher: %s\n", strerror(errno));
    }
}
