/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A folder of the host as the root file system of the command, by 9P: writable,
 * or read-only below an overlay that keeps changes in memory. init changes its
 * own root too, so that all paths from the launcher are in that root; for its
 * own programs see process.c.
 */
#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "init.h"

/* Folders in init's own root. */
#define NEW_ROOT "/newroot"
#define LOWER "/lower"
#define OVERLAY "/overlay"
#define ADDED "/added"

#define OVERLAY_OPTIONS \
    "lowerdir=" LOWER ",upperdir=" OVERLAY "/upper,workdir=" OVERLAY "/work"

/* Mounts a part of the root; false after fail(). */
static bool mount_root(const char *source, const char *place, const char *type,
                       unsigned long flags, const char *options)
{
    mkdir(place, 0755);
    if (mount(source, place, type, flags, options)) {
        if (errno == ENODEV) {
            fail("cannot mount the host's folder at /: the kernel has no file "
                 "system %s", type);
        } else {
            fail("cannot mount the host's folder at / (%s): %s", type,
                 strerror(errno));
        }
        return false;
    }
    return true;
}

static bool mount_overlay(void)
{
    /* cache=loose, as the host's files must not change meanwhile. */
    if (!mount_root("root", LOWER, "9p", MS_RDONLY,
                    SHARE_OPTIONS ",cache=loose") ||
        !mount_root("overlay", OVERLAY, "tmpfs", 0, "mode=755")) {
        return false;
    }
    mkdir(OVERLAY "/upper", 0755);
    mkdir(OVERLAY "/work", 0755);
    return mount_root("root", NEW_ROOT, "overlay", 0, OVERLAY_OPTIONS);
}

/* Makes the new root the root of this process and its future children. It is
 * moved to the mount point / because the kernel refuses some system calls, such
 * as unshare(CLONE_NEWUSER), to a process in a chroot. */
static bool change_root(void)
{
    if (!own_root_keep() || chdir(NEW_ROOT) ||
        mount(".", "/", NULL, MS_MOVE, NULL) || chroot(".") || chdir("/")) {
        fail("cannot change to the host's folder as root: %s",
             strerror(errno));
        return false;
    }
    return true;
}

/* Mounts the pseudo file systems and tmpfs; false after fail(). */
static bool mount_rest(void)
{
    static const struct {
        const char *where, *options;
    } mounts[] = {
        { "/dev/shm", "mode=1777" },
        { "/run", "mode=755" },
        { "/tmp", "mode=1777" },
    };

    file_systems_mount();
    for (size_t i = 0; i < sizeof(mounts) / sizeof(*mounts); i++) {
        mkdir(mounts[i].where, 0755);
        if (mount("tmpfs", mounts[i].where, "tmpfs", MS_NOSUID | MS_NODEV,
                  mounts[i].options)) {
            fail("cannot mount %s: %s", mounts[i].where, strerror(errno));
        }
    }
    return !verdict_failed();
}

/* Changes the group of /dev/bpf to the group bpf of the new root, or to root if
 * there is none: the number that bpf has in the image may be another group's
 * there. */
static void change_group(void)
{
    FILE *file = fopen("/etc/group", "re");
    struct group *group;
    gid_t number = 0;

    while (file && (group = fgetgrent(file))) {
        if (!strcmp(group->gr_name, "bpf")) {
            number = group->gr_gid;
        }
    }
    if (file) {
        fclose(file);
    }
    if (chown("/dev/bpf", 0, number) || chown("/dev/bpf0", 0, number)) {
        fail("cannot change the group of /dev/bpf");
    }
}

/* Copies the files of --add, which are in the image, to their places. */
static bool add_files(const struct config *config)
{
    static char *const forget[] = { "rm", "-rf", ADDED, NULL };
    bool ok = true;

    for (size_t i = 0; i < config->num_adds && ok; i++) {
        ok = addition_place(ADDED, i, &config->adds[i]);
    }
    /* The image's root is in memory. */
    if (config->num_adds) {
        wait_status(spawn_own(forget, -1, -1, -1));
    }
    return ok;
}

/* Changes to the root that the launcher configured, if any; false after
 * fail(). */
bool root_enter(const struct config *config)
{
    static char *const load[] = { "modprobe", "-q", "-a", "9p", "overlay",
                                  NULL };

    if (!config->root) {
        return true;
    }
    /* Errors are left to mount(2), as they may be built in. */
    wait_status(spawn(load, -1, -1, -1));
    if (config->root_writable ?
            !mount_root("root", NEW_ROOT, "9p", 0, SHARE_OPTIONS) :
            !mount_overlay()) {
        return false;
    }
    if (!change_root() || !mount_rest()) {
        return false;
    }
    mkdir("/root", 0700);
    if (config->capture) {
        change_group();
    }
    return add_files(config) && !verdict_failed();
}
