/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * /launcher: strings KEY=VALUE, a NUL after each, so that a value can hold any
 * other byte. The launcher puts the file into the guest's root folder.
 *
 *   nic=MAC      the next NIC; dhcp=1 after it: take a lease for it
 *   share=NAME   mount the next folder of the host at /mnt/NAME; writable=1 after
 *                it: not read-only
 *   get=PATH     bring that file or folder out after the command
 *   arg=WORD     the next word of the command; none: a shell on the console
 *   env=NAME=VALUE  of the command's environment
 *   capture=1    load the capture driver
 *   stdin=1      the command reads the port "stdin"
 *   live=1       the launcher lets others watch, by the port "live"
 *   merged=1     the command's errors go to its output's pipe and port
 *   patience=N   wait so many seconds for devices; a guest may be slow
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
    } else if (!strcmp(key, "get") && config->num_gets < MAX_ITEMS) {
        config->gets[config->num_gets++] = value;
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
        fail("/launcher: cannot take %s=%s", key, value);
    }
}

/* Reads the launcher's file; without one (a guest that somebody else boots)
 * the guest gets a shell. */
void config_read(struct config *config)
{
    int fd = open("/launcher", O_RDONLY | O_CLOEXEC);
    struct stat st;
    char *text;

    *config = (struct config){ .term = "linux", .patience = PATIENCE_S };
    config->args = calloc(1, sizeof(char *));
    if (fd < 0 || fstat(fd, &st)) {
        return;
    }
    text = malloc(st.st_size + 1);
    config->args = calloc(st.st_size + 1, sizeof(char *));
    config->env = calloc(st.st_size + 1, sizeof(char *));
    if (!text || !config->args || !config->env ||
        read(fd, text, st.st_size) != st.st_size) {
        fail("cannot read /launcher");
        return;
    }
    text[st.st_size] = 0;
    close(fd);

    for (char *item = text; item < text + st.st_size;) {
        char *next = item + strlen(item) + 1;
        char *equals = strchr(item, '=');

        if (equals) {
            *equals = 0;
            config_set(config, item, equals + 1);
        }
        item = next;
    }
}
