/* SPDX-License-Identifier: GPL-2.0-or-later */
/* File systems, kernel modules, and the launcher's virtio-serial ports. */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "init.h"

/* A capture device's alias: its driver is loaded after the NICs' drivers. */
#define CAPTURE_ALIAS "virtio:d0000003F"

#define MAX_ALIASES 256
#define ALIAS_SIZE 128

/* Aliases already passed to modprobe. */
static char aliases[MAX_ALIASES][ALIAS_SIZE];
static size_t num_aliases;

/* Mounts the kernel's pseudo file systems in this process's root. */
void file_systems_mount(void)
{
    static const struct {
        const char *type, *where;
        bool optional; /* the kernel may lack it */
    } mounts[] = {
        { "devtmpfs", "/dev", false },
        { "proc", "/proc", false },
        { "sysfs", "/sys", false },
        { "devpts", "/dev/pts", false },
        { "debugfs", "/sys/kernel/debug", true },
    };

    for (size_t i = 0; i < sizeof(mounts) / sizeof(*mounts); i++) {
        mkdir(mounts[i].where, 0755);
        if (mount(mounts[i].type, mounts[i].where, mounts[i].type, 0, NULL) &&
            errno != EBUSY && !mounts[i].optional) {
            fail("cannot mount %s: %s", mounts[i].where, strerror(errno));
        }
    }
}

void devices_mount(void)
{
    static const char *const links[][2] = {
        { "/proc/self/fd", "/dev/fd" },
        { "/proc/self/fd/0", "/dev/stdin" },
        { "/proc/self/fd/1", "/dev/stdout" },
        { "/proc/self/fd/2", "/dev/stderr" },
    };
    int console;

    file_systems_mount();
    for (size_t i = 0; i < sizeof(links) / sizeof(*links); i++) {
        if (symlink(links[i][0], links[i][1])) {
            fail("cannot make %s: %s", links[i][1], strerror(errno));
        }
    }
    console = open("/dev/console", O_RDWR);
    for (int fd = 0; fd < 3 && console >= 0; fd++) {
        dup2(console, fd);
    }
    if (console > 2) {
        close(console);
    }
}

/* Adds an alias to the list; false if it is there already or the list is
 * full. */
static bool alias_add(const char *alias)
{
    for (size_t i = 0; i < num_aliases; i++) {
        if (!strcmp(aliases[i], alias)) {
            return false;
        }
    }
    if (num_aliases == MAX_ALIASES) {
        return false;
    }
    snprintf(aliases[num_aliases++], ALIAS_SIZE, "%s", alias);
    return true;
}

/*
 * Loads the modules for devices that have appeared since the last call; returns
 * whether there were any. Loading a module can make more devices appear, with a
 * delay, so callers repeat this until the device that they wait for is there.
 */
bool devices_coldplug(void)
{
    static const char *const buses[] = { "pci", "virtio", "usb" };
    char *args[MAX_ALIASES + 4] = { "modprobe", "-q", "-a" };
    size_t first = num_aliases, n = 3;
    char pattern[64], alias[ALIAS_SIZE];
    glob_t found;

    for (size_t bus = 0; bus < sizeof(buses) / sizeof(*buses); bus++) {
        snprintf(pattern, sizeof(pattern), "/sys/bus/%s/devices/*/modalias",
                 buses[bus]);
        if (glob(pattern, 0, NULL, &found)) {
            continue;
        }
        for (size_t i = 0; i < found.gl_pathc; i++) {
            if (read_text(found.gl_pathv[i], alias, sizeof(alias)) &&
                strncmp(alias, CAPTURE_ALIAS, strlen(CAPTURE_ALIAS))) {
                alias_add(alias);
            }
        }
        globfree(&found);
    }
    for (size_t i = first; i < num_aliases; i++) {
        args[n++] = aliases[i];
    }
    if (n == 3) {
        return false;
    }
    /* The status is not checked, as most devices have no module in the
     * image. */
    wait_status(spawn(args, -1, -1, -1));
    return true;
}

/* Returns the first capture device without a driver, NULL if all have one. */
static const char *device_without_driver(void)
{
    static char name[64];
    const char *result = NULL;
    char path[128], alias[ALIAS_SIZE];
    glob_t found;

    if (glob("/sys/bus/virtio/devices/*/modalias", 0, NULL, &found)) {
        return NULL;
    }
    for (size_t i = 0; i < found.gl_pathc && !result; i++) {
        char *file = found.gl_pathv[i];

        if (!read_text(file, alias, sizeof(alias)) ||
            strncmp(alias, CAPTURE_ALIAS, strlen(CAPTURE_ALIAS))) {
            continue;
        }
        *strrchr(file, '/') = 0;
        snprintf(path, sizeof(path), "%s/driver", file);
        if (access(path, F_OK)) {
            snprintf(name, sizeof(name), "%s", strrchr(file, '/') + 1);
            result = name;
        }
    }
    globfree(&found);
    return result;
}

/* The group whose members may open /dev/bpf, as in the image's /etc/group. */
#define BPF_GROUP 100

/* Loads the capture driver; false after fail() unless it is bound to all
 * capture devices and /dev/bpf exists. */
bool driver_load(void)
{
    static char *const args[] = { "modprobe", "virtio_capture", NULL };

    if (wait_status(spawn(args, -1, -1, -1))) {
        fail("cannot load the module virtio_capture (see the console; is it "
             "in the image?)");
        return false;
    }
    if (!driver_serves()) {
        return false;
    }
    /* On other systems a udev rule does this (guest-driver/dist). */
    if (chown("/dev/bpf", 0, BPF_GROUP) || chown("/dev/bpf0", 0, BPF_GROUP)) {
        fail("cannot change the group of /dev/bpf");
        return false;
    }
    return true;
}

/* Checks that the loaded driver is bound to all capture devices and that
 * /dev/bpf exists; false after fail(). */
bool driver_serves(void)
{
    const char *device = device_without_driver();

    if (device) {
        fail("virtio_capture did not bind to the capture device %s (see the "
             "console)", device);
        return false;
    }
    if (access("/dev/bpf", F_OK)) {
        fail("virtio_capture is loaded, but there is no /dev/bpf");
        return false;
    }
    return true;
}

/* Gets the device node of the port of that name; false if it does not exist
 * yet. */
static bool port_path(const char *name, char *path, size_t size)
{
    bool matches = false;
    char text[64];
    glob_t found;

    if (glob("/sys/class/virtio-ports/*/name", 0, NULL, &found)) {
        return false;
    }
    for (size_t i = 0; i < found.gl_pathc && !matches; i++) {
        char *file = found.gl_pathv[i];

        if (!read_text(file, text, sizeof(text)) || strcmp(text, name)) {
            continue;
        }
        *strrchr(file, '/') = 0;
        snprintf(path, size, "/dev/%s", strrchr(file, '/') + 1);
        matches = !access(path, F_OK);
    }
    globfree(&found);
    return matches;
}

/* Opens the launcher's port of that name; flags is O_NONBLOCK or 0. */
int port_open(const char *name, int flags)
{
    char path[128];
    int fd = -1;

    if (port_path(name, path, sizeof(path))) {
        fd = open(path, O_RDWR | O_CLOEXEC | flags);
    }
    if (fd < 0) {
        fail("cannot open the port %s: %s", name, strerror(errno));
    }
    return fd;
}

/* Returns whether a port exists, and describes it in name. */
static bool port_ready(const char *port, char *name, size_t size)
{
    char path[128];

    snprintf(name, size, "the port %s", port);
    return port_path(port, path, sizeof(path));
}

/* Returns whether all ports, shared folders and NICs that the launcher
 * configured are there; else sets *missing to a description of one that is
 * not. */
bool devices_ready(const struct config *config, const char **missing)
{
    const struct {
        const char *name;
        bool wanted;
    } ports[] = {
        { "result", true },
        { "follow", config->num_gets },
        { "stdout", config->num_args },
        { "stderr", config->num_args && !config->merged },
        { "stdin", config->num_args && config->has_stdin },
        { "live", config->live },
    };
    static char name[320];
    char get[16];
    const char *share, *mac;

    *missing = name;
    for (size_t i = 0; i < sizeof(ports) / sizeof(*ports); i++) {
        if (ports[i].wanted &&
            !port_ready(ports[i].name, name, sizeof(name))) {
            return false;
        }
    }
    for (size_t i = 0; i < config->num_gets; i++) {
        snprintf(get, sizeof(get), "get%zu", i);
        if (!port_ready(get, name, sizeof(name))) {
            return false;
        }
    }
    share = share_missing(config);
    if (share) {
        snprintf(name, sizeof(name), "the host's folder for %s", share);
        return false;
    }
    mac = network_missing(config);
    snprintf(name, sizeof(name), "a driver for the NIC with address %s",
             mac ? mac : "");
    return !mac;
}
