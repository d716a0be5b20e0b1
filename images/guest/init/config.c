/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The launcher's settings: strings KEY=VALUE, each terminated by a NUL, so that
 * a value can have any other byte. init reads them from the file /launcher.
 *
 *   nic=MAC      the next NIC; followed by dhcp=1: get a DHCP lease for it
 *   share=NAME   mount the next folder of the host at /mnt/NAME, read-only
 *                unless followed by writable=1
 *   root=ro, root=rw  the command's root file system is a folder of the host;
 *                ro: the guest's changes are kept in its memory only
 *   get=PATH     send that file or folder to the launcher after the command
 *   arg=WORD     the next word of the command; without any, it is a shell
 *   env=NAME=VALUE  set a variable in the command's environment
 *   add=NAME     copy a file, for the runner and with root=; followed by
 *                to=PATH, the destination as for cp
 *   keep=1       the runner shuts the system down cleanly after the command
 *   capture=1    load the capture driver
 *   stdin=1      the command's stdin is the port "stdin"
 *   live=1       viewers on the host may capture, through the port "live"
 *   merged=1     the command's stderr goes to the pipe and port of its stdout
 *   patience=N   wait N seconds for devices; a guest may be slow
 *   term=NAME, rows=N, columns=N: the launcher's terminal
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "init.h"

#define PATIENCE_S 30

static void config_set(struct config *config, const char *key, char *value)
{
    if (!strcmp(key, "nic") && config->num_nics < MAX_ITEMS) {
        config->nics[config->num_nics++].mac = value;
    } else if (!strcmp(key, "dhcp") && config->num_nics) {
        config->nics[config->num_nics - 1].dhcp = true;
    } else if (!strcmp(key, "share") && config->num_shares < MAX_ITEMS) {
        config->shares[config->num_shares++].name = value;
    } else if (!strcmp(key, "writable") && config->num_shares) {
        config->shares[config->num_shares - 1].writable = true;
    } else if (!strcmp(key, "root")) {
        config->root = true;
        config->root_writable = !strcmp(value, "rw");
    } else if (!strcmp(key, "get") && config->num_gets < MAX_ITEMS) {
        config->gets[config->num_gets++] = value;
    } else if (!strcmp(key, "add") && config->num_adds < MAX_ITEMS) {
        config->adds[config->num_adds++] =
            (struct addition){ .base = value, .target = "/root" };
    } else if (!strcmp(key, "to") && config->num_adds) {
        config->adds[config->num_adds - 1].target = value;
    } else if (!strcmp(key, "keep")) {
        config->keep = true;
    } else if (!strcmp(key, "arg")) {
        config->args[config->num_args++] = value;
    } else if (!strcmp(key, "env")) {
        config->env[config->num_env++] = value;
    } else if (!strcmp(key, "capture")) {
        config->capture = true;
    } else if (!strcmp(key, "stdin")) {
        config->has_stdin = true;
    } else if (!strcmp(key, "live")) {
        config->live = true;
    } else if (!strcmp(key, "merged")) {
        config->merged = true;
    } else if (!strcmp(key, "patience")) {
        config->patience = atoi(value);
    } else if (!strcmp(key, "term")) {
        config->term = value;
    } else if (!strcmp(key, "rows")) {
        config->rows = atoi(value);
    } else if (!strcmp(key, "columns")) {
        config->columns = atoi(value);
    } else {
        fail("invalid setting from the launcher: %s=%s", key, value);
    }
}

/* Parses settings. The text has a NUL at text[size] and must stay valid, as the
 * settings point into it. False if out of memory. */
bool config_parse(struct config *config, char *text, size_t size)
{
    *config = (struct config){ .term = "linux", .patience = PATIENCE_S };
    config->args = calloc(size + 1, sizeof(char *));
    config->env = calloc(size + 1, sizeof(char *));
    if (!config->args || !config->env) {
        return false;
    }
    for (char *item = text; item < text + size;) {
        char *next = item + strlen(item) + 1;
        char *equals = strchr(item, '=');

        if (equals) {
            *equals = 0;
            config_set(config, item, equals + 1);
        }
        item = next;
    }
    return true;
}

/* Reads the launcher's file. Without it, as when the image is booted without
 * the launcher, the guest runs a shell. */
void config_read(struct config *config)
{
    int fd = open("/launcher", O_RDONLY | O_CLOEXEC);
    struct stat st;
    char *text;

    config_parse(config, "", 0);
    if (fd < 0 || fstat(fd, &st)) {
        return;
    }
    text = calloc(1, st.st_size + 1);
    if (!text || read(fd, text, st.st_size) != st.st_size ||
        !config_parse(config, text, st.st_size)) {
        fail("cannot read /launcher");
    }
    close(fd);
}
