/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guest's interfaces: the launcher's n-th NIC is ethn, whatever the order
 * in which drivers were loaded.
 */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "init.h"

#define CARRIER_WAIT_MS 5000

/* Gets the name of the interface with that address; false if there is none. */
static bool interface_of(const char *mac, char name[IFNAMSIZ])
{
    bool matches = false;
    char text[64];
    glob_t found;

    if (glob("/sys/class/net/*/address", 0, NULL, &found)) {
        return false;
    }
    for (size_t i = 0; i < found.gl_pathc && !matches; i++) {
        char *file = found.gl_pathv[i];

        if (read_text(file, text, sizeof(text)) && !strcasecmp(text, mac)) {
            *strrchr(file, '/') = 0;
            snprintf(name, IFNAMSIZ, "%s", strrchr(file, '/') + 1);
            matches = true;
        }
    }
    globfree(&found);
    return matches;
}

/* Returns the address of a NIC without an interface, NULL if all have one. */
const char *network_missing(const struct config *config)
{
    char name[IFNAMSIZ];

    for (size_t i = 0; i < config->num_nics; i++) {
        if (!interface_of(config->nics[i].mac, name)) {
            return config->nics[i].mac;
        }
    }
    return NULL;
}

static bool interface_rename(int sock, const char *from, const char *to)
{
    struct ifreq request = { 0 };

    snprintf(request.ifr_name, IFNAMSIZ, "%s", from);
    snprintf(request.ifr_newname, IFNAMSIZ, "%s", to);
    if (strcmp(from, to) && ioctl(sock, SIOCSIFNAME, &request)) {
        fail("cannot rename %s to %s: %s", from, to, strerror(errno));
        return false;
    }
    return true;
}

/* Names the n-th NIC ethn. All get temporary names first, to avoid
 * conflicts. */
bool network_name(const struct config *config)
{
    int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    char from[IFNAMSIZ], to[IFNAMSIZ];
    bool ok = true;

    for (size_t i = 0; i < config->num_nics && ok; i++) {
        snprintf(to, sizeof(to), "nic%zu", i);
        ok = interface_of(config->nics[i].mac, from) &&
             interface_rename(sock, from, to);
    }
    for (size_t i = 0; i < config->num_nics && ok; i++) {
        snprintf(from, sizeof(from), "nic%zu", i);
        snprintf(to, sizeof(to), "eth%zu", i);
        ok = interface_rename(sock, from, to);
    }
    close(sock);
    return ok;
}

static void interface_up(int sock, const char *name)
{
    struct ifreq request = { 0 };

    snprintf(request.ifr_name, IFNAMSIZ, "%s", name);
    if (ioctl(sock, SIOCGIFFLAGS, &request)) {
        fail("no interface %s: %s", name, strerror(errno));
        return;
    }
    request.ifr_flags |= IFF_UP;
    if (ioctl(sock, SIOCSIFFLAGS, &request)) {
        fail("cannot bring %s up: %s", name, strerror(errno));
    }
}

static bool has_carrier(const char *name)
{
    char path[64], text[8];

    snprintf(path, sizeof(path), "/sys/class/net/%s/carrier", name);
    return read_text(path, text, sizeof(text)) && text[0] == '1';
}

/*
 * Brings lo and all ethn up and waits for their links. IPv6 is off on ethn, so
 * that an interface sends nothing before the command uses it.
 */
void network_up(const struct config *config)
{
    int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int waited = 0;
    char name[IFNAMSIZ], path[64];

    interface_up(sock, "lo");
    for (size_t i = 0; i < config->num_nics; i++) {
        snprintf(name, sizeof(name), "eth%zu", i);
        snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/disable_ipv6",
                 name);
        write_text(path, "1");
        interface_up(sock, name);
    }
    close(sock);

    for (size_t i = 0; i < config->num_nics; i++) {
        snprintf(name, sizeof(name), "eth%zu", i);
        while (!has_carrier(name) && waited++ < CARRIER_WAIT_MS) {
            usleep(1000);
        }
    }
}

/* Gets DHCP leases, for all NICs at once. The command runs even if one
 * fails. */
void network_dhcp(const struct config *config)
{
    pid_t pids[MAX_ITEMS] = { 0 };
    char name[IFNAMSIZ];
    char *args[] = { "udhcpc", "-f", "-q", "-n", "-t", "5", "-T", "1",
                     "-i", name, NULL };
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

    for (size_t i = 0; i < config->num_nics; i++) {
        snprintf(name, sizeof(name), "eth%zu", i);
        if (config->nics[i].dhcp) {
            pids[i] = spawn(args, -1, null, null);
        }
    }
    for (size_t i = 0; i < config->num_nics; i++) {
        if (pids[i] && wait_status(pids[i])) {
            printf("init: eth%zu has no DHCP lease\n", i);
            fflush(stdout);
        }
    }
    close(null);
}
