/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Folders of the host, which QEMU shares by 9P over virtio. devices_coldplug()
 * loads the transport's module.
 */
#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "init.h"

static bool tag_exists(const char *tag)
{
    bool matches = false;
    char text[64];
    glob_t found;

    if (glob("/sys/bus/virtio/devices/*/mount_tag", 0, NULL, &found)) {
        return false;
    }
    for (size_t i = 0; i < found.gl_pathc && !matches; i++) {
        matches = read_text(found.gl_pathv[i], text, sizeof(text)) &&
                  !strcmp(text, tag);
    }
    globfree(&found);
    return matches;
}

/* Returns the mount point of a folder whose device has no driver, NULL if all
 * have one. */
const char *share_missing(const struct config *config)
{
    static char place[300];
    char tag[32];

    if (config->root && !tag_exists("root")) {
        return "/";
    }
    for (size_t i = 0; i < config->num_shares; i++) {
        snprintf(tag, sizeof(tag), "share%zu", i);
        if (!tag_exists(tag)) {
            snprintf(place, sizeof(place), "/mnt/%s",
                     config->shares[i].name);
            return place;
        }
    }
    return NULL;
}

/* Mounts all shared folders; false after fail(). */
bool shares_mount(const struct config *config)
{
    static char *const load[] = { "modprobe", "-q", "9p", NULL };
    char tag[32], place[512];

    if (!config->num_shares) {
        return true;
    }
    /* Errors are left to mount(2), as it may be built in. */
    wait_status(spawn_own(load, -1, -1, -1));
    mkdir("/mnt", 0755);
    for (size_t i = 0; i < config->num_shares; i++) {
        const struct share *share = &config->shares[i];
        unsigned long flags = share->writable ? 0 : MS_RDONLY;

        snprintf(tag, sizeof(tag), "share%zu", i);
        snprintf(place, sizeof(place), "/mnt/%s", share->name);
        if (mkdir(place, 0755) && errno != EEXIST) {
            fail("cannot make %s: %s", place, strerror(errno));
            return false;
        }
        if (mount(tag, place, "9p", flags, SHARE_OPTIONS)) {
            fail("cannot mount the host's folder at %s: %s", place,
                 errno == ENODEV ? "the kernel has no file system 9p" :
                                   strerror(errno));
            return false;
        }
    }
    return true;
}
