/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The main program of the runner, which does for the launcher what init does,
 * in a system that was booted from a disk and has its own init, network and
 * users.
 *
 * It is started by the guest agent, by sshd or by a shell on the console, and
 * becomes a daemon, so that the command's environment is always the same:
 * root's variables, no terminal, the runner's messages on the console. It
 * removes its own file.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/klog.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "init.h"

/* For klogctl(): print kernel messages more severe than this level. */
#define SYSLOG_ACTION_CONSOLE_LEVEL 8
#define CONSOLE_LEVEL 5

/* Removes the program file and the folder made for it. */
static void forget_file(const char *path)
{
    char *copy = strdup(path), *slash = strrchr(copy, '/');

    unlink(path);
    if (slash) {
        *slash = 0;
        rmdir(copy);
    }
    free(copy);
}

/* Leaves the cgroup of the service that started this process: systemd kills the
 * processes in it when the service, such as the console's login, ends. */
static void leave_service(void)
{
    write_text("/sys/fs/cgroup/cgroup.procs", "0");
    /* cgroup v1 */
    write_text("/sys/fs/cgroup/systemd/cgroup.procs", "0");
    write_text("/sys/fs/cgroup/unified/cgroup.procs", "0");
}

/* Becomes a daemon that keeps no descriptors, variables or signal settings. */
static void become_daemon(void)
{
    int null = open("/dev/null", O_RDONLY);
    int console = open("/dev/console", O_WRONLY | O_NOCTTY);
    sigset_t none;

    if (fork()) {
        _exit(0);
    }
    setsid();
    leave_service();
    for (int number = 1; number < NSIG; number++) {
        signal(number, SIG_DFL);
    }
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    dup2(null, 0);
    dup2(console < 0 ? null : console, 1);
    dup2(console < 0 ? null : console, 2);
    for (int fd = 3; fd < sysconf(_SC_OPEN_MAX) && fd < 1024; fd++) {
        close(fd);
    }
    umask(022);
    clearenv();
    setenv("PATH",
           "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 1);
    setenv("HOME", "/root", 1);
    setenv("USER", "root", 1);
    setenv("LOGNAME", "root", 1);
    setenv("SHELL", "/bin/sh", 1);
    /* Orphaned descendants become children of this process. */
    prctl(PR_SET_CHILD_SUBREAPER, 1);
}

/* Makes the kernel panic on an oops and print warnings on the console, like the
 * parameters of the launcher's own kernel (KERNEL_PARAMETERS in qemu.py). */
static void make_strict(void)
{
    write_text("/proc/sys/kernel/panic", "-1");
    write_text("/proc/sys/kernel/panic_on_oops", "1");
    write_text("/proc/sys/kernel/softlockup_panic", "1");
    klogctl(SYSLOG_ACTION_CONSOLE_LEVEL, NULL, CONSOLE_LEVEL);
}

/* Loads the capture driver of the disk's system; false after fail(). */
static bool load_driver(void)
{
    static char *const args[] = { "modprobe", "virtio_capture", NULL };
    struct utsname name;

    if (access("/sys/module/virtio_capture", F_OK) &&
        wait_status(spawn(args, -1, -1, -1))) {
        uname(&name);
        fail("the disk's system has no driver virtio_capture for its kernel %s "
             "(--no-capture does without)", name.release);
        return false;
    }
    return driver_serves();
}

/* Stops the login on the console, which the shell will use. */
static void stop_login(void)
{
    char path[300], service[350];
    char *const args[] = { "systemctl", "stop", service, NULL };

    if (!access("/run/systemd/system", F_OK) &&
        console_path(path, sizeof(path))) {
        snprintf(service, sizeof(service), "serial-getty@%s.service",
                 path + strlen("/dev/"));
        wait_status(spawn(args, -1, -1, -1));
    }
}

/* Prepares the guest for the command; false after fail(). */
static bool prepare(const struct config *config)
{
    setenv("TERM", config->term, 1);
    if (!wait_for_devices(config) || !setup_add(config) ||
        !shares_mount(config) || (config->capture && !load_driver())) {
        return false;
    }
    if (chdir("/root")) {
        fail("/root: %s", strerror(errno));
    }
    if (!config->num_args) {
        stop_login();
    }
    return !verdict_failed();
}

int main(int argc, char *argv[])
{
    struct config config = { 0 };
    int status = 0;

    (void)argc;
    forget_file(argv[0]);
    become_daemon();
    make_strict();
    if (verdict_open() && setup_read(&config) && prepare(&config)) {
        report("start");
        status = launch_run(&config);
        launch_send_files(&config);
    }
    verdict_end(status);
    if (config.keep) {
        power_down();
    }
    power_off();
    return 1;
}
