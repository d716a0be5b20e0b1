/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PID 1 of the guest: the order of events, and the verdict.
 *
 * The verdict goes to the port "result" as lines, "exit" the last:
 *   error TEXT      the guest failed; TEXT says why
 *   count NAME N    N bytes went to the port NAME
 *   missing N TEXT  the N-th file asked for did not come out whole; TEXT says
 *                   why
 *   taint N         the kernel's taint flags
 *   exit N          the command's status
 * The launcher answers with REQUEST_OFF when it has all those bytes, and only
 * then is the guest switched off: what is still under way would be lost. Before,
 * it may send REQUEST_END: the command is ended, and the rest goes on as usual.
 *
 * The verdict comes after every check: the command's processes are gone, files
 * are sent and the driver is unloaded before a debug kernel is asked what it has
 * found and the kernel's flags are read.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "init.h"

static struct verdict verdict = { .port = -1 };

/* What was reported before the port was open. */
static char untold[4096];

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

/* Reads a short text file, without the newline at its end. */
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

__attribute__((format(printf, 1, 2))) static void report(const char *format,
                                                         ...)
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

/* Opens the port for the verdict. */
static void open_port(void)
{
    verdict.port = port_open("result", 0);
    if (verdict.port >= 0) {
        write_all(verdict.port, untold, strlen(untold));
    }
}

/* Waits until the launcher's ports and NICs are there; opens the port for the
 * verdict as soon as possible. */
static bool wait_for_devices(const struct config *config)
{
    time_t start = time(NULL);
    const char *missing;

    while (!devices_ready(config, &missing)) {
        if (!devices_coldplug()) {
            usleep(2000);
        }
        if (time(NULL) > start + config->patience) {
            open_port();
            fail("the guest does not find %s", missing);
            return false;
        }
    }
    open_port();
    return verdict.port >= 0;
}

/* Everything before the command; false after fail(). */
static bool prepare(const struct config *config)
{
    char name[64];

    if (!wait_for_devices(config) || !network_name(config) ||
        !shares_mount(config) ||
        (config->capture && !driver_load())) {
        return false;
    }
    if (read_text("/etc/hostname", name, sizeof(name))) {
        sethostname(name, strlen(name));
    }
    if (chdir("/root")) {
        fail("/root: %s", strerror(errno));
    }
    network_up(config);
    if (!verdict.failed) {
        network_dhcp(config);
    }
    return !verdict.failed;
}

static void run(const struct config *config)
{
    size_t out_count = 0, err_count = 0;

    follow_start(config);
    live_start(config);
    /* Not before: the programs that prepare() runs are not to see it. */
    for (size_t i = 0; i < config->num_env; i++) {
        putenv(config->env[i]);
    }
    if (config->num_args) {
        verdict.status = run_command(config, &out_count, &err_count);
        report("count stdout %zu", out_count);
        if (!config->merged) {
            report("count stderr %zu", err_count);
        }
    } else {
        verdict.status = run_shell(config);
    }
    if (live_count() >= 0) {
        report("count live %zd", live_count());
    }
}

static void send_files(const struct config *config)
{
    char name[16];

    for (size_t i = 0; i < config->num_gets; i++) {
        const char *error;
        size_t count = 0;
        int port;

        snprintf(name, sizeof(name), "get%zu", i);
        port = port_open(name, 0);
        if (port >= 0) {
            error = archive_send(config->gets[i], port, &count);
            if (error) {
                report("missing %zu %s", i, error);
            }
            report("count %s %zu", name, count);
        }
    }
}

/* The driver's end belongs to what is tested: a kernel that warns here taints
 * itself. The command may have unloaded the driver itself. */
static void driver_unload(void)
{
    if (syscall(SYS_delete_module, "virtio_capture", O_NONBLOCK) &&
        errno != ENOENT) {
        fail("cannot unload the module virtio_capture: %s", strerror(errno));
    }
}

int main(void)
{
    struct config config;
    char text[32];
    enum request request;

    devices_mount();
    config_read(&config);
    setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin:/root", 1);
    setenv("HOME", "/root", 1);
    setenv("TERM", config.term, 1);
    if (prepare(&config)) {
        run(&config);
        send_files(&config);
        /* A process that cannot be killed may hold it. */
        if (!verdict.ended_early) {
            driver_unload();
        }
        checks_end();
    }
    if (read_text("/proc/sys/kernel/tainted", text, sizeof(text))) {
        report("taint %s", text);
    }
    report("exit %d", verdict.status);
    sync();
    if (verdict.port >= 0) {
        do {
            request = request_take();
        } while (request != REQUEST_OFF && request != REQUEST_NONE);
        if (request == REQUEST_NONE) {
            printf("init: no answer from the launcher: %s\n", strerror(errno));
        }
    }
    /* Without ACPI nothing can switch the machine off; QEMU ends at a reset,
     * too. */
    reboot(access("/sys/firmware/acpi", F_OK) ? RB_AUTOBOOT : RB_POWER_OFF);
    return 1;
}
