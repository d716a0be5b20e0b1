// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * stress SECONDS: threads read, poll, change and close shared descriptors,
 * while others send. Prints the number of operations of each kind. Errors show
 * in the kernel's log, as a thread that never ends, or as a leak.
 */
#include <pthread.h>
#include <stdatomic.h>

#include "../guest.h"

#define SHARED	4

enum role { READER, POLLER, SETTER, GETTER, CLOSER, SENDER, ROLES };

static const char *const role_names[] = {
	"reads", "polls", "changes", "looks", "closes", "frames",
};

/*
 * The longest pause after a turn, in microseconds: threads that sleep and wake
 * interleave in more ways than busy threads.
 */
static const unsigned int pauses[] = {
	4000, 4000, 4000, 8000, 40000, 30000,
};

/*
 * The shared descriptors. A thread uses a duplicate, since the number of a
 * closed descriptor may be reused for another file at any time.
 */
static int shared[SHARED];
static pthread_mutex_t shared_lock = PTHREAD_MUTEX_INITIALIZER;

static atomic_long done[ROLES];
static atomic_bool stop;

static unsigned int next_random(unsigned int *seed)
{
	return rand_r(seed) >> 8;
}

static int open_one(unsigned int *seed)
{
	int fd = open("/dev/bpf", O_RDWR |
		      (next_random(seed) % 2 ? O_NONBLOCK : 0));
	struct timeval tv = { 0, 1 + next_random(seed) % 20000 };
	unsigned int size = 1 << (10 + next_random(seed) % 8);

	if (fd < 0)
		return -1;
	ioctl(fd, BIOCSRTIMEOUT, &tv);
	ioctl(fd, BIOCSBLEN, &size);
	attach(fd, next_random(seed) % 2 ? "eth0" : "capture1");
	return fd;
}

static void do_read(int fd)
{
	static _Thread_local char buf[1 << 18];
	unsigned int size = 0;

	if (ioctl(fd, BIOCGBLEN, &size) == 0 && size <= sizeof(buf))
		(void)!read(fd, buf, size);
}

static void do_change(int fd, unsigned int *seed)
{
	struct bpf_insn accept[] = { BPF_STMT(BPF_RET | BPF_K, 0xffffffff) };
	struct bpf_insn bad[] = { BPF_STMT(BPF_RET | BPF_X, 0) };
	struct bpf_program program = { 1, accept };
	unsigned int value = next_random(seed) % 3;

	switch (next_random(seed) % 9) {
	case 0:
		ioctl(fd, BIOCSETF, &program);
		break;
	case 1:
		program.bf_insns = bad;
		ioctl(fd, BIOCSETFNR, &program);
		break;
	case 2:
		ioctl(fd, BIOCFLUSH, NULL);
		break;
	case 3:
		ioctl(fd, BIOCPROMISC, NULL);
		break;
	case 4:
		ioctl(fd, BIOCIMMEDIATE, &value);
		break;
	case 5:
		ioctl(fd, BIOCSDIRECTION, &value);
		break;
	case 6:
		ioctl(fd, BIOCSTSTAMP, &value);
		break;
	case 7:
		program.bf_len = 0;
		ioctl(fd, BIOCSETFNR, &program);
		break;
	default:
		attach(fd, "eth0");
	}
}

static void do_look(int fd, unsigned int *seed)
{
	static _Thread_local char text[8192];
	struct bpf_stat st;
	struct ifreq ifr;
	int value, peers;

	switch (next_random(seed) % 4) {
	case 0:
		ioctl(fd, BIOCGSTATS, &st);
		break;
	case 1:
		ioctl(fd, FIONREAD, &value);
		break;
	case 2:
		ioctl(fd, BIOCGETIF, &ifr);
		break;
	default:
		peers = open("/proc/net/bpf", O_RDONLY);
		(void)!read(peers, text, sizeof(text));
		close(peers);
	}
}

static int borrow(int slot)
{
	int fd;

	pthread_mutex_lock(&shared_lock);
	fd = dup(shared[slot]);
	pthread_mutex_unlock(&shared_lock);
	return fd;
}

/* Close a shared descriptor that others may be using, and open another. */
static void replace(int slot, unsigned int *seed)
{
	int old, fresh = open_one(seed);

	pthread_mutex_lock(&shared_lock);
	old = shared[slot];
	shared[slot] = fresh;
	pthread_mutex_unlock(&shared_lock);
	close(old);
}

static void *run(void *arg)
{
	enum role role = (long)arg % ROLES;
	unsigned int seed = (long)arg + 1;
	struct pollfd p = { .events = POLLIN };
	int slot, fd;

	while (!stop) {
		slot = next_random(&seed) % SHARED;
		fd = borrow(slot);
		switch (role) {
		case READER:
			do_read(fd);
			break;
		case POLLER:
			p.fd = fd;
			poll(&p, 1, 5);
			break;
		case SETTER:
			do_change(fd, &seed);
			break;
		case GETTER:
			do_look(fd, &seed);
			break;
		case CLOSER:
			replace(slot, &seed);
			break;
		default:
			send_frames(next_random(&seed) % 2 ? "eth0" : "eth1",
				    0, 20, 60 + next_random(&seed) % 1400);
		}
		if (fd >= 0)
			close(fd);
		done[role]++;
		usleep(next_random(&seed) % pauses[role]);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t threads[ROLES * 2];
	unsigned int seed = 1;
	long i;

	for (i = 0; i < SHARED; i++)
		shared[i] = open_one(&seed);
	for (i = 0; i < ROLES * 2; i++)
		pthread_create(&threads[i], NULL, run, (void *)i);
	sleep(argc > 1 ? atoi(argv[1]) : 60);
	stop = true;
	for (i = 0; i < ROLES * 2; i++)
		pthread_join(threads[i], NULL);
	for (i = 0; i < SHARED; i++)
		if (shared[i] >= 0)
			close(shared[i]);
	for (i = 0; i < ROLES; i++)
		printf("%s %ld\n", role_names[i], (long)done[i]);
	return 0;
}
