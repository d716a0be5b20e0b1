/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The main program of the guest's init.
 *
 * The checks of a debug kernel and of the taint flags come last, after the
 * command's processes have ended and the driver is unloaded, so that they cover
 * all of it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "init.h"

/* Prepares the guest for the command; false after fail(). */
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

/* Unloads the driver, as this is tested too: a warning of the kernel taints it.
 * The command may have unloaded the driver already. */
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
        /* After an early end, a process that cannot be killed may use it. */
        if (!verdict_is_early()) {
            driver_unload();
        }
        checks_end();
    }
    verdict_end(status);
    power_off();
    return 1;
}
