/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The verdict: the guest's report to the launcher, and the launcher's requests.
 *
 * The verdict goes to the port "result" as lines, of which "exit" is the last:
 *   start           the command starts now
 *   error TEXT      the guest failed; TEXT says why
 *   count NAME N    N bytes were written to the port NAME
 *   missing N TEXT  the N-th requested file was not sent, or not completely;
 *                   TEXT says why
 *   taint N         the kernel's taint flags
 *   exit N          the command's status
 * The launcher answers with REQUEST_OFF when it has received all these bytes.
 * Only then does the guest power off, as bytes in flight would be lost. Before
 * that, the launcher may send REQUEST_END to end the command; all else goes on
 * as usual.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "init.h"

static struct verdict verdict = { .port = -1 };

/* Lines reported before the port was open. */
static char untold[4096];

/* Sends a line of the verdict. */
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

/* Replaces control characters, which a file's name may contain. */
static void make_line(char *text)
{
    for (; *text; text++) {
        if ((unsigned char)*text < ' ') {
            *text = '?';
        }
    }
}

/* Reports a failure of the guest, on the console and to the launcher. */
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

/* Returns a file descriptor that is readable when there is a request, -1 if
 * there can be no more. */
int request_fd(void)
{
    return verdict.ended_early || verdict.alone ? -1 : verdict.port;
}

/* Waits for a request and returns it. */
enum request request_take(void)
{
    char byte = REQUEST_NONE;

    if (read(verdict.port, &byte, 1) == 0) {
        verdict.alone = true;
    }
    verdict.ended_early |= byte == REQUEST_END;
    return byte;
}

/* Opens the port "result" if it is not open; false after fail(). */
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

/* Returns whether fail() was called. */
bool verdict_failed(void)
{
    return verdict.failed;
}

/* Returns whether the launcher has sent REQUEST_END. */
bool verdict_is_early(void)
{
    return verdict.ended_early;
}

/* Sends the rest of the verdict, with the command's status, and waits until the
 * launcher has received everything. */
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
