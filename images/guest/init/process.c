/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Starts processes, waits for them, and sends them signals. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "init.h"

/* In the child: executes the program; exits on failure with a shell's
 * status. */
static void become(char *const args[])
{
    int error;

    execvp(args[0], args);
    error = errno;
    fprintf(stderr, "init: %s: %s\n", args[0], strerror(error));
    _exit(error == ENOENT ? 127 : 126);
}

/* The root folder with init's own programs, after init has changed its root. */
static int own_root = -1;

/* Keeps the current root open for spawn_own(); on failure returns false and
 * sets errno. */
bool own_root_keep(void)
{
    own_root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    return own_root >= 0;
}

/* Returns whether init's own programs are in another root. */
bool own_root_is_kept(void)
{
    return own_root >= 0;
}

/* In the child: changes to the root with init's own programs. */
static void return_to_own_root(void)
{
    if (fchdir(own_root) || chroot(".")) {
        fprintf(stderr, "init: cannot change to its own root: %s\n",
                strerror(errno));
        _exit(126);
    }
    setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1);
}

/* Implements spawn() and spawn_own(). */
static pid_t start(char *const args[], int in, int out, int err, bool is_own)
{
    pid_t pid = fork();

    if (pid) {
        return pid;
    }
    setsid();
    children_unblock();
    if (in < 0) {
        in = open("/dev/null", O_RDONLY);
    }
    dup2(in, 0);
    if (out >= 0) {
        dup2(out, 1);
    }
    if (err >= 0) {
        dup2(err, 2);
    }
    if (is_own && own_root >= 0) {
        return_to_own_root();
    }
    become(args);
    return -1;
}

/* Starts a program. For the descriptor -1 its stdin is /dev/null, its stdout
 * and stderr the console. */
pid_t spawn(char *const args[], int in, int out, int err)
{
    return start(args, in, out, err, false);
}

/* Like spawn(), for one of init's own programs, in the root that contains
 * it. */
pid_t spawn_own(char *const args[], int in, int out, int err)
{
    return start(args, in, out, err, true);
}

/* Converts a wait status to a shell's exit status. */
int shell_status(int status)
{
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* Waits for one child and returns its shell_status(). Reaps no other
 * children. */
int wait_status(pid_t pid)
{
    int status = 0;

    if (pid < 0) {
        return 127;
    }
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    return shell_status(status);
}

/* Returns a file descriptor that is readable when a child has ended, until
 * children_unblock(). */
int children_watch(void)
{
    sigset_t child;

    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    sigprocmask(SIG_BLOCK, &child, NULL);
    return signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
}

void children_unblock(void)
{
    sigset_t none;

    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Reaps children, including viewers' tcpdumps. Sets *ended and *status if the
 * command is one of them. Returns whether there are children left. */
bool children_reap(pid_t command, bool *ended, int *status)
{
    int any;
    pid_t pid;

    while ((pid = waitpid(-1, &any, WNOHANG)) > 0) {
        if (pid == command) {
            *status = any;
            *ended = true;
        }
        live_reaped(pid, any);
    }
    return pid == 0;
}

struct process {
    pid_t pid, parent;
    bool descends; /* from this process */
};

/* Returns the parent of the process of that name in /proc; 0 if there is no
 * such process. */
static pid_t parent_of(const char *name)
{
    char path[300], text[512];
    const char *end;
    pid_t parent = 0;
    ssize_t n;
    int fd;

    snprintf(path, sizeof(path), "/proc/%s/stat", name);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return 0;
    }
    n = read(fd, text, sizeof(text) - 1);
    close(fd);
    text[n > 0 ? n : 0] = 0;
    /* The process's name, in parentheses, can contain any character. */
    end = strrchr(text, ')');
    if (end) {
        sscanf(end, ") %*c %d", &parent);
    }
    return parent;
}

/* Returns an array of all processes. */
static struct process *processes(size_t *count)
{
    struct process *list = NULL, *more;
    DIR *folder = opendir("/proc");
    struct dirent *entry;

    *count = 0;
    while (folder && (entry = readdir(folder))) {
        struct process found = { .pid = atoi(entry->d_name) };

        if (found.pid <= 0) {
            continue;
        }
        found.parent = parent_of(entry->d_name);
        more = realloc(list, (*count + 1) * sizeof(*list));
        if (!more) {
            break;
        }
        list = more;
        list[(*count)++] = found;
    }
    if (folder) {
        closedir(folder);
    }
    return list;
}

/* Marks those that descend from this process. */
static void mark_descendants(struct process *list, size_t count)
{
    bool changed = true;

    while (changed) {
        changed = false;
        for (size_t i = 0; i < count; i++) {
            bool descends = list[i].parent == getpid();

            for (size_t j = 0; j < count && !descends; j++) {
                descends = list[j].descends && list[j].pid == list[i].parent;
            }
            changed |= descends && !list[i].descends;
            list[i].descends |= descends;
        }
    }
}

/* Sends a signal: init to all other processes, the runner to its descendants,
 * as its system has other processes. */
void processes_kill(int signal)
{
    struct process *list;
    size_t count;

    if (getpid() == 1) {
        kill(-1, signal);
        return;
    }
    list = processes(&count);
    mark_descendants(list, count);
    for (size_t i = 0; i < count; i++) {
        if (list[i].descends) {
            kill(list[i].pid, signal);
        }
    }
    free(list);
}
