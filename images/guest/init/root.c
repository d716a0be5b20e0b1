/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A folder of the host as the root file system of the command, by 9P: read-only
 * below an overlay whose changes are kept in memory, or writable. init itself has
 * that root then, too, so that every path that the launcher names is one of
 * there; for its own programs see process.c.
 */
#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "init.h"

/* In init's own root. */
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
    /* The host's files are not to change meanwhile: they may be cached. */
    if (!mount_root("root", LOWER, "9p", MS_RDONLY,
                    SHARE_OPTIONS ",cache=loose") ||
        !mount_root("overlay", OVERLAY, "tmpfs", 0, "mode=755")) {
        return false;
    }
    mkdir(OVERLAY "/upper", 0755);
    mkdir(OVERLAY "/work", 0755);
    return mount_root("root", NEW_ROOT, "overlay", 0, OVERLAY_OPTIONS);
}

/* Makes the new root the root of all processes that are started from now on. It
 * is moved to the place of the old one, because the kernel refuses some requests,
 * such as a new user namespace, to a process whose root is not that. */
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

/* Mounts what a system has in memory; false after fail(). */
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

/* Gives /dev/bpf to the group bpf of the new root, without one to root's: the
 * number that it has in the image may be another group's there. */
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
        fail("cannot give /dev/bpf to its group");
    }
}

/* Copies what --add names, which is in the image, to its places. */
static bool add_files(const struct config *config)
{
    static char *const forget[] = { "rm", "-rf", ADDED, NULL };
    bool ok = true;

    for (size_t i = 0; i < config->num_adds && ok; i++) {
        ok = addition_place(ADDED, i, &config->adds[i]);
    }
    /* It takes memory there. */
    if (config->num_adds) {
        wait_status(spawn_own(forget, -1, -1, -1));
    }
    return ok;
}

/* Changes to the root that the launcher names, if any; false after fail(). */
bool root_enter(const struct config *config)
{
    static char *const load[] = { "modprobe", "-q", "-a", "9p", "overlay",
                                  NULL };

    if (!config->root) {
        return true;
    }
    /* They may be built in: mount(2) tells whether they are there. */
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
