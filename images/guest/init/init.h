/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two programs that run one command in a guest for the launcher (images/vm), and
 * tell how the command and the kernel fared: init, the first process of the
 * launcher's own image, which makes the guest ready, and the runner, which the
 * launcher brings into a system that was there before (images/vm --disk).
 *
 * main.c     init's order of events
 * runner.c   the runner's, and how it becomes a daemon
 * launch.c   what they have in common
 * verdict.c  what the launcher is told, and what it asks for meanwhile
 * setup.c    the settings and files that the runner gets from the launcher
 * power.c    the end of the machine
 * config.c   the settings
 * devices.c  file systems, modules, the launcher's ports
 * shares.c   folders of the host
 * root.c     a folder of the host as the root file system, for init
 * additions.c  files of the launcher's, and their places
 * network.c  names and state of the interfaces
 * process.c  how processes are started and their ends noticed
 * command.c  the command's life, its output
 * archive.c  files for the launcher, as they are at the end
 * follow.c   files for the launcher, as they grow
 * live.c     captures for viewers on the host
 * checks.c   what a debug kernel found
 * text.c     short texts in files
 */
#ifndef INIT_H
#define INIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define MAX_ITEMS 64

/* Viewers at a time; descriptors to poll: two pipes for each, and the port. */
#define MAX_VIEWERS 8
#define LIVE_FDS (1 + 2 * MAX_VIEWERS)

/* A NIC that the launcher gave the guest; the n-th becomes ethn. */
struct nic {
    const char *mac;
    bool dhcp; /* take a lease before the command starts */
};

/* A folder of the host, by 9P: the n-th one's mount tag is "sharen". */
struct share {
    const char *name; /* of the folder in /mnt */
    bool writable;
};

/* A file or folder of the launcher's, to be put into its place. */
struct addition {
    const char *base; /* its name */
    const char *target; /* where cp would put it */
};

/* The launcher's settings, see config.c. */
struct config {
    struct nic nics[MAX_ITEMS];
    size_t num_nics;
    struct share shares[MAX_ITEMS];
    size_t num_shares;
    bool root; /* the command's root is a folder of the host, tag "root" */
    bool root_writable;
    const char *gets[MAX_ITEMS]; /* files to bring out */
    size_t num_gets;
    struct addition adds[MAX_ITEMS];
    size_t num_adds;
    char **args; /* the command, NULL at the end; empty: a shell */
    size_t num_args;
    char **env; /* NAME=VALUE for the command */
    size_t num_env;
    bool capture; /* the driver has to be there */
    bool has_stdin;
    bool live; /* there is a port "live" */
    bool merged; /* the command's errors go to its output */
    bool keep; /* the system is to be shut down, and not just switched off */
    int patience; /* seconds to wait for devices */
    const char *term;
    int rows, columns; /* of the launcher's terminal, 0: unknown */
};

/* The verdict in the making; every field but the status may already fail it. */
struct verdict {
    int port; /* -1 until the port is open */
    int status;
    bool failed;
    bool ended_early; /* the launcher asked for the end */
    bool alone; /* the launcher has closed the port */
};

/* What the launcher may ask for on the port "result", a byte each. */
enum request {
    REQUEST_NONE = 0,
    REQUEST_END = 'e', /* end the command and send what is there */
    REQUEST_OFF = '\n', /* switch off */
};

/* config.c */
void config_read(struct config *config);
bool config_parse(struct config *config, char *text, size_t size);

/* devices.c */
void devices_mount(void);
void file_systems_mount(void);
bool devices_ready(const struct config *config, const char **missing);
bool devices_coldplug(void);
bool driver_load(void);
bool driver_serves(void);
int port_open(const char *name, int flags);

/* shares.c */
/* A message as large as the transport takes saves round trips. */
#define SHARE_OPTIONS "trans=virtio,version=9p2000.L,msize=262144"
const char *share_missing(const struct config *config);
bool shares_mount(const struct config *config);

/* root.c */
bool root_enter(const struct config *config);

/* additions.c */
bool addition_place(const char *folder, size_t n,
                    const struct addition *add);

/* network.c */
const char *network_missing(const struct config *config);
bool network_name(const struct config *config);
void network_up(const struct config *config);
void network_dhcp(const struct config *config);

/* process.c */
pid_t spawn(char *const args[], int in, int out, int err);
pid_t spawn_own(char *const args[], int in, int out, int err);
bool own_root_keep(void);
bool own_root_is_kept(void);
int shell_status(int status);
int wait_status(pid_t pid);
int children_watch(void);
void children_unblock(void);
bool children_reap(pid_t command, bool *ended, int *status);
void processes_kill(int signal);

/* command.c */
int64_t now_ms(void);
int run_command(const struct config *config, size_t *out_count,
                size_t *err_count);
int run_shell(const struct config *config);
bool console_path(char *path, size_t size);

/* archive.c */
const char *archive_send(const char *path, int port, size_t *count);

/* follow.c */
void follow_start(const struct config *config);
int64_t follow_look(void);

/* live.c */
struct pollfd;
void live_start(const struct config *config);
void live_poll(struct pollfd *fds);
void live_relay(const struct pollfd *fds);
void live_reaped(pid_t pid, int status);
bool live_is_watched(void);
void live_end(void);
ssize_t live_count(void);

/* checks.c */
void checks_end(void);

/* launch.c */
bool wait_for_devices(const struct config *config);
int launch_run(const struct config *config);
void launch_send_files(const struct config *config);

/* verdict.c */
__attribute__((format(printf, 1, 2))) void report(const char *format, ...);
__attribute__((format(printf, 1, 2))) void fail(const char *format, ...);
bool verdict_open(void);
bool verdict_failed(void);
bool verdict_is_early(void);
void verdict_end(int status);
int request_fd(void);
enum request request_take(void);

/* setup.c */
bool setup_read(struct config *config);
bool setup_add(const struct config *config);

/* power.c */
void power_off(void);
void power_down(void);

/* text.c */
bool write_all(int fd, const void *data, size_t length);
bool read_text(const char *path, char *text, size_t size);
bool write_text(const char *path, const char *text);

#endif
