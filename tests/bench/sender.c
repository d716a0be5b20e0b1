/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The frame source on the host, the other end of QEMU's "-netdev socket,fd=".
 *
 * sender FD dgram|stream MAC: for each line "SIZE COUNT RATE" of the input,
 * sends COUNT frames of SIZE bytes to MAC, RATE a second (0: as fast as QEMU
 * reads them), and prints "sent MICROSECONDS". While the NIC has no receive
 * buffers, QEMU does not read the socket, and so the sender waits.
 *
 * Every hundredth frame has a 1 behind its Ethernet header, the others a 0.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define ETHERTYPE   0x88b5      /* local experimental, used by no protocol */
#define BATCH       50          /* frames for each system call */
#define CYCLE       100         /* frames from one marked one to the next */
#define PREFIX      4           /* length word before each frame of a stream */
#define LARGEST     65536
#define TICK_NS     200000      /* how often paced frames are sent */

static int fd;
static bool stream;
static uint8_t frames[CYCLE][PREFIX + LARGEST];

static uint64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000ull + t.tv_nsec;
}

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static void make_frames(const uint8_t *mac, unsigned size)
{
    static const uint8_t source[6] = { 0x52, 0x54, 0, 0, 0, 1 };
    uint32_t len = htonl(size);
    int i;

    for (i = 0; i < CYCLE; i++) {
        uint8_t *frame = frames[i] + PREFIX;

        memcpy(frames[i], &len, PREFIX);
        memset(frame, 0x5a, size);
        memcpy(frame, mac, 6);
        memcpy(frame + 6, source, 6);
        frame[12] = ETHERTYPE >> 8;
        frame[13] = ETHERTYPE & 0xff;
        frame[14] = i == 0;
    }
}

static void send_datagrams(struct iovec *iov, unsigned n)
{
    struct mmsghdr messages[BATCH] = { 0 };
    unsigned i, done = 0;
    int sent;

    for (i = 0; i < n; i++) {
        messages[i].msg_hdr.msg_iov = &iov[i];
        messages[i].msg_hdr.msg_iovlen = 1;
    }
    while (done < n) {
        sent = sendmmsg(fd, messages + done, n - done, MSG_NOSIGNAL);
        if (sent < 0) {
            fail("sendmmsg");
        }
        done += sent;
    }
}

static void send_bytes(struct iovec *iov, unsigned n)
{
    struct msghdr message = { .msg_iov = iov, .msg_iovlen = n };

    while (message.msg_iovlen) {
        ssize_t sent = sendmsg(fd, &message, MSG_NOSIGNAL);

        if (sent < 0) {
            fail("sendmsg");
        }
        while (message.msg_iovlen &&
               (size_t)sent >= message.msg_iov->iov_len) {
            sent -= message.msg_iov->iov_len;
            message.msg_iov++;
            message.msg_iovlen--;
        }
        if (sent) {
            message.msg_iov->iov_base =
                (uint8_t *)message.msg_iov->iov_base + sent;
            message.msg_iov->iov_len -= sent;
        }
    }
}

/* Sends n frames, from the frame with number first on. */
static void send_frames(unsigned size, uint64_t first, unsigned n)
{
    size_t prefix = stream ? PREFIX : 0;
    struct iovec iov[BATCH];
    unsigned i;

    for (i = 0; i < n; i++) {
        iov[i].iov_base = frames[(first + i) % CYCLE] + PREFIX - prefix;
        iov[i].iov_len = size + prefix;
    }
    if (stream) {
        send_bytes(iov, n);
    } else {
        send_datagrams(iov, n);
    }
}

static void sleep_until(uint64_t ns)
{
    struct timespec t = { ns / 1000000000, ns % 1000000000 };

    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
}

static void send_all(unsigned size, uint64_t count, double rate)
{
    uint64_t start = now_ns(), tick = start, sent = 0, due = count;

    while (sent < count) {
        if (rate > 0) {
            due = (now_ns() - start) * rate / 1e9 + 1;
            due = due < count ? due : count;
        }
        while (sent < due) {
            unsigned n = due - sent < BATCH ? due - sent : BATCH;

            send_frames(size, sent, n);
            sent += n;
        }
        if (sent < count) {
            tick += TICK_NS;
            sleep_until(tick);
        }
    }
}

int main(int argc, char **argv)
{
    unsigned m[6], size, i;
    uint8_t mac[6];
    uint64_t count, start;
    double rate;

    if (argc != 4 || sscanf(argv[3], "%x:%x:%x:%x:%x:%x", &m[0], &m[1], &m[2],
                            &m[3], &m[4], &m[5]) != 6) {
        fprintf(stderr, "usage: sender FD dgram|stream MAC\n");
        return 2;
    }
    fd = atoi(argv[1]);
    stream = !strcmp(argv[2], "stream");
    for (i = 0; i < 6; i++) {
        mac[i] = m[i];
    }
    while (scanf("%u %lu %lf", &size, &count, &rate) == 3) {
        if (size < 15 || size > LARGEST) {
            fprintf(stderr, "sender: %u is not a valid frame size\n", size);
            return 2;
        }
        make_frames(mac, size);
        start = now_ns();
        send_all(size, count, rate);
        printf("sent %lu\n", (now_ns() - start) / 1000);
        fflush(stdout);
    }
    return 0;
}
