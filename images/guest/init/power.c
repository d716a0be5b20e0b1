/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The end of the machine. */
#include <sys/reboot.h>
#include <unistd.h>

#include "init.h"

/* Switches the machine off at once. Without ACPI nothing can; QEMU ends at a
 * reset, too. */
void power_off(void)
{
    reboot(access("/sys/firmware/acpi", F_OK) ? RB_AUTOBOOT : RB_POWER_OFF);
}

/* Has the system shut itself down; without a program for that, file systems
 * become read-only, and the machine is switched off. */
static const char shutdown_script[] =
    "cd /\n"
    "if [ -d /run/systemd/system ]; then systemctl --no-block poweroff\n"
    "else poweroff; fi && exit\n"
    "sync\n"
    "echo 1 >/proc/sys/kernel/sysrq\n"
    "for key in u o b; do echo $key >/proc/sysrq-trigger; sleep 1; done\n";

/* Shuts the system down, so that its disk is whole afterwards. This process
 * becomes another program before: while its own file, which may be on the disk,
 * is in use, the file system cannot be unmounted. Returns without a shell. */
void power_down(void)
{
    execl("/bin/sh", "sh", "-c", shutdown_script, NULL);
}
