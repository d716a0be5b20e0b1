/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two programs that run one command in a guest for the launcher (images/vm),
 * and report its status and errors of the kernel: init, the first process of
 * the launcher's own image, which sets the guest up, and the runner, which the
 * launcher copies into a system on a disk (images/vm --disk).
 *
 * main.c     init's main program
 * runner.c   the runner's main program; it becomes a daemon
 * launch.c   what both have in common
 * verdict.c  reports to the launcher, and its requests
 * setup.c    the settings and files that the runner gets from the launcher
 * power.c    power-off and shutdown
 * config.c   the settings
 * devices.c  file systems, modules, the launcher's ports
 * shares.c   folders of the host
 * root.c     a folder of the host as the root file system, for init
 * additions.c  copies the files of --add to their places
 * network.c  names and state of the interfaces
 * process.c  starts processes and waits for them
 * command.c  runs the command and forwards its output
 * archive.c  files for the launcher, sent at the end
 * follow.c   files for the launcher, sent as they grow
 * live.c     captures for viewers on the host
 * checks.c   the reports of a debug kernel
 * text.c     reads and writes short text files
 */
#ifndef INIT_H
#define INIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define MAX_ITEMS 64

/* The most viewers at a time; file descriptors to poll: two pipes for each
 * viewer, and the port. */
#define MAX_VIEWERS 8
#define LIVE_FDS (1 + 2 * MAX_VIEWERS)

/* A NIC that the launcher configured; the n-th becomes ethn. */
struct nic {
    const char *mac;
    bool dhcp; /* take a lease before the command starts */
};

/* A folder of the host, shared by 9P; the n-th has the mount tag "sharen". */
struct share {
    const char *name; /* of the mount point in /mnt */
    bool writable;
};

/* A file or folder of --add, to be copied to its place. */
struct addition {
    const char *base; /* its name */
    const char *target; /* the destination, as for cp */
};

/* The launcher's settings, see config.c. */
struct config {
    struct nic nics[MAX_ITEMS];
    size_t num_nics;
    struct share shares[MAX_ITEMS];
    size_t num_shares;
    bool root; /* the command's root is the host's folder with the tag "root" */
    bool root_writable;
    const char *gets[MAX_ITEMS]; /* files to send to the launcher */
    size_t num_gets;
    struct addition adds[MAX_ITEMS];
    size_t num_adds;
    char **args; /* the command, NULL-terminated; a shell if empty */
    size_t num_args;
    char **env; /* NAME=VALUE for the command */
    size_t num_env;
    bool capture; /* load the capture driver */
    bool has_stdin;
    bool live; /* there is a port "live" */
    bool merged; /* the command's stderr goes to its stdout */
    bool keep; /* shut the system down cleanly instead of powering off */
    int patience; /* seconds to wait for devices */
    const char *term;
    int rows, columns; /* of the launcher's terminal, 0: unknown */
};

/* The state of the report to the launcher. */
struct verdict {
    int port; /* -1 until the port is open */
    int status;
    bool failed; /* something in the guest has failed */
    bool ended_early; /* the launcher has sent REQUEST_END */
    bool alone; /* the launcher has closed the port */
};

/* The launcher's requests on the port "result", a byte each. */
enum request {
    REQUEST_NONE = 0,
    REQUEST_END = 'e', /* end the command; send its output and files */
    REQUEST_OFF = '\n', /* power off */
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
/* The largest message size that the transport supports saves round trips. */
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
