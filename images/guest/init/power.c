/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Power-off and shutdown. */
#include <sys/reboot.h>
#include <unistd.h>

#include "init.h"

/* Powers the machine off at once. Without ACPI that is not possible, so it
 * resets the machine; QEMU runs with -no-reboot. */
void power_off(void)
{
    reboot(access("/sys/firmware/acpi", F_OK) ? RB_AUTOBOOT : RB_POWER_OFF);
}

/* Shuts the system down; without a program for that, remounts file systems
 * read-only and powers off by SysRq. */
static const char shutdown_script[] =
    "cd /\n"
    "if [ -d /run/systemd/system ]; then systemctl --no-block poweroff\n"
    "else poweroff; fi && exit\n"
    "sync\n"
    "echo 1 >/proc/sys/kernel/sysrq\n"
    "for key in u o b; do echo $key >/proc/sysrq-trigger; sleep 1; done\n";

/* Shuts the system down, so that its file systems are clean. Executes a shell
 * for that: while the program file of this process is in use, the file system
 * with it cannot be unmounted. Returns only if there is no shell. */
void power_down(void)
{
    execl("/bin/sh", "sh", "-c", shutdown_script, NULL);
}
