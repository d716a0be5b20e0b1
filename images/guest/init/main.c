/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PID 1 of the guest: the order of events.
 *
 * The verdict comes after every check: the command's processes are gone, files
 * are sent and the driver is unloaded before a debug kernel is asked what it has
 * found and the kernel's flags are read.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "init.h"

/* Everything before the command; false after fail(). */
static bool prepare(const struct config *config)
{
    char name[64];

    if (!wait_for_devices(config) || !network_name(config) ||
        (config->capture && !driver_load())) {
        return false;
    }
    if (read_text("/etc/hostname", name, sizeof(name))) {
        sethostname(name, strlen(name));
    }
    network_up(config);
    if (!verdict_failed()) {
        network_dhcp(config);
    }
    if (!root_enter(config) || !shares_mount(config)) {
        return false;
    }
    if (config->root) {
        setenv("PATH", "/usr/local/sbin:/usr/local/bin:"
               "/usr/sbin:/usr/bin:/sbin:/bin", 1);
    }
    if (chdir("/root")) {
        fail("/root: %s", strerror(errno));
    }
    return !verdict_failed();
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
    int status = 0;

    devices_mount();
    config_read(&config);
    setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin:/root", 1);
    setenv("HOME", "/root", 1);
    setenv("TERM", config.term, 1);
    if (prepare(&config)) {
        status = launch_run(&config);
        launch_send_files(&config);
        /* A process that cannot be killed may hold it. */
        if (!verdict_is_early()) {
            driver_unload();
        }
        checks_end();
    }
    verdict_end(status);
    power_off();
    return 1;
}
