/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What init and the runner have in common: wait for the devices that the
 * launcher configured, run the command, send files. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "init.h"

/* Waits until the launcher's ports, folders and NICs are there, and opens the
 * port "result"; false after fail(). */
bool wait_for_devices(const struct config *config)
{
    time_t start = time(NULL);
    const char *missing;

    while (!devices_ready(config, &missing)) {
        if (!devices_coldplug()) {
            usleep(2000);
        }
        if (time(NULL) > start + config->patience) {
            verdict_open();
            fail("the guest does not find %s", missing);
            return false;
        }
    }
    return verdict_open();
}

/* Runs the command, or a shell; returns its status. */
int launch_run(const struct config *config)
{
    size_t out_count = 0, err_count = 0;
    int status;

    follow_start(config);
    live_start(config);
    /* Only now, so that the programs that set up the guest do not see it. */
    for (size_t i = 0; i < config->num_env; i++) {
        putenv(config->env[i]);
    }
    if (config->num_args) {
        status = run_command(config, &out_count, &err_count);
        report("count stdout %zu", out_count);
        if (!config->merged) {
            report("count stderr %zu", err_count);
        }
    } else {
        status = run_shell(config);
    }
    if (live_count() >= 0) {
        report("count live %zd", live_count());
    }
    return status;
}

/* Sends the requested files to the launcher. */
void launch_send_files(const struct config *config)
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
