// SPDX-License-Identifier: GPL-2.0-or-later
/* The random operations on descriptors. */
#include <poll.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "fuzz.h"

/*
 * The number of fault injection points in a system call, of which one fails:
 * allocations and copies.
 */
#define REACH	12

/* An argument for any request. */
union argument {
	unsigned int value;
	struct bpf_program program;
	struct ifreq ifreq;
	struct timeval timeval;
	struct bpf_stat stat;
	struct bpf_version version;
	struct bpf_dltlist dltlist;
};

static const int open_errors[] = { ENOBUFS, ENOMEM, ENFILE, EINTR, EFAULT, 0 };
static const int request_errors[] = {
	EINVAL, ENXIO, ENOMEM, EFAULT, EPERM, EDOM, EIO, ENOBUFS, EBUSY,
	EOPNOTSUPP, 0
};
static const int read_errors[] = {
	EINVAL, EIO, EAGAIN, EINTR, EFAULT, EOPNOTSUPP, 0
};
static const int write_errors[] = {
	EINVAL, EMSGSIZE, EPERM, EAGAIN, EINTR, ENXIO, ENOMEM, EFAULT, ENOBUFS,
	ENETDOWN,
	EIO, 0
};

/* Each thread's memory for zero-copy buffers. */
static _Thread_local struct {
	uint8_t *at;		/* NULL: none */
	size_t len;
} regions[4];

int open_descriptor(struct worker *worker)
{
	bool armed = faults_begin(worker, -1, REACH);
	int fd = open("/dev/bpf", O_RDWR | O_CLOEXEC |
		      (below(&worker->random, 2) ? O_NONBLOCK : 0));

	error_check("open", fd, open_errors);
	if (armed)
		faults_end(worker);
	return count(COUNT_OPEN, fd);
}

/* Make a request, sometimes with fault injection or an invalid argument. */
static int request(struct worker *worker, struct target *target,
		   enum count what, unsigned long number, void *arg)
{
	static const char *const names[] = {
#define NAME(id, name) name,
		COUNTS(NAME)
#undef NAME
	};
	bool armed, bad = below(&worker->random, 32) == 0;
	int result, error;

	if (bad && _IOC_SIZE(number))
		arg = below(&worker->random, 2) ? NULL : (void *)-4096L;
	armed = faults_begin(worker, -1, REACH);
	result = ioctl(target->fd, number, arg);
	error = errno;
	if (armed)
		faults_end(worker);
	errno = error;
	error_check(names[what], result, request_errors);
	count(what, result);
	return result;
}

static void set_size(struct worker *w, struct target *t)
{
	unsigned int size = 1U << below(&w->random, 19);

	if (below(&w->random, 8) == 0)
		size = below(&w->random, MAX_BUFFER);
	size += below(&w->random, 4) ? 0 : below(&w->random, 64);
	if (request(w, t, COUNT_SIZE, BIOCSBLEN, &size) == 0 && t->state)
		t->state->size = size;
	else if (errno == EFAULT && t->state)
		/* Copying the result failed; the request may have succeeded. */
		t->state->size = get(t->fd, BIOCGBLEN);
}

static void do_attach(struct worker *w, struct target *t)
{
	static const char *const names[] = {
		"eth0", "eth1", "capture0", "capture1", "eth0", "capture0", "lo",
		"nowhere", "",
	};
	struct ifreq ifr = { 0 };

	strcpy(ifr.ifr_name, names[below(&w->random, 9)]);
	if (request(w, t, COUNT_ATTACH, BIOCSETIF, &ifr) == 0 && t->state)
		t->state->attached = true;
}

static void set_program(struct worker *w, struct target *t)
{
	static const unsigned long numbers[] = {
		BIOCSETF, BIOCSETFNR, BIOCSETWF
	};
	struct bpf_insn insns[BPF_MAXINSNS + 1] = {
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 12),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETHERTYPE, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, below(&w->random, 2) ? ~0U :
			 below(&w->random, 200)),
		BPF_STMT(BPF_RET | BPF_K, below(&w->random, 4) ? ~0U : 0),
	};
	struct bpf_program program = { 4, insns };
	unsigned int which = below(&w->random, 3), i;

	switch (below(&w->random, 8)) {
	case 0:
		program.bf_len = 0;
		break;
	case 1:
		program.bf_len = below(&w->random, BPF_MAXINSNS + 2);
		break;
	case 2:
		program.bf_insns = NULL;
		break;
	case 3:
		for (i = 0; i < 4; i++) {
			insns[i].code = below(&w->random, 256);
			insns[i].k = below(&w->random, 64);
		}
		insns[4].code = BPF_RET;
		program.bf_len = 5;
		break;
	}
	if (request(w, t, which < 2 ? COUNT_FILTER : COUNT_WRITE_FILTER,
		    numbers[which], &program) == 0 && t->stat && which == 0)
		memset(t->stat, 0, sizeof(*t->stat));
}

static void set_values(struct worker *w, struct target *t)
{
	unsigned int value = below(&w->random, 4), which = below(&w->random, 6);
	struct state *s = t->state;

	switch (which) {
	case 0:
		request(w, t, COUNT_IMMEDIATE, BIOCIMMEDIATE, &value);
		break;
	case 1:
		if (!request(w, t, COUNT_DIRECTION, BIOCSDIRECTION, &value) && s)
			s->direction = value;
		break;
	case 2:
		if (!request(w, t, COUNT_DIRECTION, BIOCSSEESENT, &value) && s)
			s->direction = value ? BPF_D_INOUT : BPF_D_IN;
		break;
	case 3:
		if (!request(w, t, COUNT_TSTAMP, BIOCSTSTAMP, &value) && s)
			s->tstamp = value;
		break;
	case 4:
		if (!request(w, t, COUNT_COMPLETE, BIOCSHDRCMPLT, &value) && s)
			s->header_complete = value != 0;
		break;
	default:
		if (!request(w, t, COUNT_FEEDBACK, BIOCSFEEDBACK, &value) && s)
			s->feedback = value != 0;
	}
}

/* Set zero-copy buffers in the thread's memory, sometimes invalid ones. */
static void set_buffers(struct worker *w, struct target *t)
{
	unsigned int mode = below(&w->random, 4) ? BPF_BUFMODE_ZBUF
						 : below(&w->random, 4);
	size_t len = 4096UL << below(&w->random, 5);
	unsigned int i = below(&w->random, 4);
	struct bpf_zbuf zbuf;

	request(w, t, COUNT_BUFMODE, BIOCSETBUFMODE, &mode);
	if (regions[i].at)
		munmap(regions[i].at, regions[i].len);
	regions[i].len = 2 * len;
	regions[i].at = mmap(NULL, 2 * len, PROT_READ | PROT_WRITE,
			     (below(&w->random, 4) ? MAP_PRIVATE : MAP_SHARED) |
			     MAP_ANONYMOUS, -1, 0);
	if (regions[i].at == MAP_FAILED) {
		regions[i].at = NULL;
		return;
	}
	zbuf = (struct bpf_zbuf){ regions[i].at, regions[i].at + len, len };
	switch (below(&w->random, 16)) {
	case 0:
		zbuf.bz_bufb = zbuf.bz_bufa;
		break;
	case 1:
		zbuf.bz_buflen = below(&w->random, 1 << 20);
		break;
	case 2:
		munmap(regions[i].at, regions[i].len);
		regions[i].at = NULL;
		break;
	}
	if (request(w, t, COUNT_ZBUF, BIOCSETZBUF, &zbuf) == 0 && t->state)
		t->state->size = zbuf.bz_buflen -
				 sizeof(struct bpf_zbuf_header);
}

static void rotate(struct worker *w, struct target *t)
{
	struct bpf_zbuf zbuf;

	request(w, t, COUNT_ROTATE, BIOCROTZBUF, &zbuf);
}

/* Acknowledge buffers; then overwrite or unmap them. */
static void spoil(struct worker *w, struct target *t)
{
	unsigned int i = below(&w->random, 4), half;
	struct bpf_zbuf_header *header;
	size_t at;

	(void)t;
	if (!regions[i].at)
		return;
	for (half = 0; half < 2; half++) {
		header = (void *)(regions[i].at + half * regions[i].len / 2);
		header->bzh_user_gen = header->bzh_kernel_gen;
	}
	at = below(&w->random, regions[i].len);
	switch (below(&w->random, 6)) {
	case 0:
	case 1:
		memset(regions[i].at + at, below(&w->random, 256),
		       below(&w->random, regions[i].len - at));
		break;
	case 2:
		madvise(regions[i].at, regions[i].len, MADV_DONTNEED);
		break;
	case 3:
		munmap(regions[i].at, regions[i].len);
		regions[i].at = NULL;
		break;
	}
	count(COUNT_SPOIL, 0);
}

static void set_timeout(struct worker *w, struct target *t)
{
	struct timeval tv = { 0, 1 + below(&w->random, 50000) };

	switch (below(&w->random, 8)) {
	case 0:
		tv.tv_usec = below(&w->random, 2) ? -1 : 1000000;
		break;
	case 1:
		tv.tv_sec = below(&w->random, 0x7fffffff);
		break;
	}
	if (request(w, t, COUNT_TIMEOUT, BIOCSRTIMEOUT, &tv) == 0 && t->state)
		t->state->timeout = tv;
}

static void other_requests(struct worker *w, struct target *t)
{
	union argument arg = { 0 };

	switch (below(&w->random, 8)) {
	case 0:
		/* Flushing sets the counts to zero. */
		if (t->stat)
			memset(t->stat, 0, sizeof(*t->stat));
		request(w, t, COUNT_FLUSH, BIOCFLUSH, NULL);
		break;
	case 1:
		request(w, t, COUNT_PROMISC, BIOCPROMISC, NULL);
		break;
	case 2:
		if (below(&w->random, 8) == 0)
			request(w, t, COUNT_LOCK, BIOCLOCK, NULL);
		break;
	case 3:
		request(w, t, COUNT_ASK, BIOCGETIF, &arg);
		break;
	case 4:
		request(w, t, COUNT_ASK, BIOCVERSION, &arg);
		break;
	case 5:
		arg.dltlist.bfl_len = below(&w->random, 3);
		arg.dltlist.bfl_list = (unsigned int *)w->buffer;
		request(w, t, COUNT_ASK, BIOCGDLTLIST, &arg);
		break;
	case 6:
		arg.value = below(&w->random, 3);
		request(w, t, COUNT_ASK, BIOCSDLT, &arg);
		break;
	default:
		request(w, t, COUNT_ASK, BIOCGSEESENT, &arg);
	}
}

static void look(struct worker *w, struct target *t)
{
	struct bpf_stat stat;
	int readable = 0;

	if (below(&w->random, 2)) {
		memset(&stat, 0, sizeof(stat));
		if (request(w, t, COUNT_STATS, BIOCGSTATS, &stat) == 0 &&
		    stat.bs_padding[12] == 0)
			stats_check(t, &stat);
		return;
	}
	if (request(w, t, COUNT_READABLE, FIONREAD, &readable) == 0 &&
	    t->state)
		success_check("FIONREAD beyond the buffer", readable < 0 ||
			      (unsigned int)readable > t->state->size);
}

/* Make a request that /dev/bpf does not have, with a random argument. */
static void unknown_request(struct worker *w, struct target *t)
{
	unsigned long number = _IOC(below(&w->random, 4),
				    below(&w->random, 2) ? 'B' : 'b',
				    below(&w->random, 100),
				    below(&w->random, 1 << 14));
	int result = ioctl(t->fd, number, below(&w->random, 2) ?
			   (void *)w->buffer : NULL);

	error_check("unknown request", result, (int[]){ ENOTTY, 0 });
	success_check("unknown request", result >= 0);
	count(COUNT_UNKNOWN, result < 0 ? 0 : -1);
}

static void do_read(struct worker *w, struct target *t)
{
	unsigned int size = 0;
	struct iovec iov[2];
	ssize_t len;
	bool armed;

	if (t->state)
		size = t->state->size;
	else if (ioctl(t->fd, BIOCGBLEN, &size) < 0)
		return;
	if (size > MAX_BUFFER)
		size = MAX_BUFFER;
	if (below(&w->random, 16) == 0)
		size = below(&w->random, MAX_BUFFER);
	armed = faults_begin(w, t->fd, REACH);
	if (below(&w->random, 4)) {
		len = read(t->fd, w->buffer, size);
	} else {
		iov[0] = (struct iovec){ w->buffer, size / 3 };
		iov[1] = (struct iovec){ w->buffer + size / 3,
					 size - size / 3 };
		len = readv(t->fd, iov, 2);
	}
	if (armed) {
		int error = errno;

		faults_end(w);
		errno = error;
	}
	/* With ENOMEM, the kernel had no memory for the iovec. */
	if (len < 0 && errno != ENOMEM)
		error_check("read", len, read_errors);
	if (len > 0)
		packets_check(t, w->buffer, len);
	count(COUNT_READ, len);
}

static void do_write(struct worker *w, struct target *t)
{
	size_t len = below(&w->random, 16) ? 60 + below(&w->random, 1455)
					   : below(&w->random, 3000);
	static _Thread_local struct frame frame;
	ssize_t result;
	bool armed;
	int error;

	make_frame(&frame, below(&w->random, 1 << 20),
		   len < sizeof(frame) ? len : sizeof(frame));
	if (len > sizeof(frame))
		len = sizeof(frame);
	armed = faults_begin(w, t->fd, REACH);
	result = write(t->fd, &frame, len);
	error = errno;
	if (armed)
		faults_end(w);
	errno = error;
	error_check("write", result, write_errors);
	count(COUNT_WRITE, result);
}

static void do_poll(struct worker *w, struct target *t)
{
	struct pollfd p = { t->fd, POLLIN | POLLOUT, 0 };
	int result;

	if (below(&w->random, 2))
		p.events = POLLIN;
	result = poll(&p, 1, below(&w->random, 20));
	error_check("poll", result, (int[]){ EINTR, 0 });
	success_check("poll for other events", result > 0 &&
		      (p.revents & ~(POLLIN | POLLOUT | POLLHUP | POLLERR)));
	count(COUNT_POLL, result);
}

static void do_mmap(struct worker *w, struct target *t)
{
	void *at = mmap(NULL, 1 << (12 + below(&w->random, 6)), PROT_READ,
			below(&w->random, 2) ? MAP_SHARED : MAP_PRIVATE, t->fd,
			0);
	int result = at == MAP_FAILED ? -1 : 0;

	error_check("mmap", result, (int[]){ ENODEV, 0 });
	success_check("mmap", result == 0);
	count(COUNT_MMAP, -1 - result);
}

/* Fork a child that makes requests and does not close its descriptors. */
static void do_fork(struct worker *w, struct target *t)
{
	unsigned int turns = below(&w->random, 10);
	unsigned int turn, value;
	struct bpf_stat stat;
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		for (turn = 0; turn < turns; turn++) {
			ioctl(t->fd, BIOCGSTATS, &stat);
			value = turn & 1;
			if (!t->state)
				ioctl(t->fd, BIOCIMMEDIATE, &value);
		}
		_exit(0);
	}
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	count(COUNT_FORK, pid < 0 || status ? -1 : 0);
}

static void toggle_nonblock(struct worker *w, struct target *t)
{
	fcntl(t->fd, F_SETFL, below(&w->random, 2) ? O_NONBLOCK : 0);
}

/* The operations and their relative frequencies. */
static const struct operation {
	void (*perform)(struct worker *worker, struct target *target);
	const char *name;
	unsigned int weight;
} operations[] = {
	{ do_read, "read", 24 },
	{ do_write, "write", 12 },
	{ do_poll, "poll", 6 },
	{ look, "BIOCGSTATS or FIONREAD", 10 },
	{ set_values, "a request that sets a value", 10 },
	{ set_program, "a request that sets a program", 8 },
	{ other_requests, "another request", 8 },
	{ do_attach, "BIOCSETIF", 8 },
	{ set_size, "BIOCSBLEN", 6 },
	{ set_buffers, "BIOCSETZBUF", 4 },
	{ rotate, "BIOCROTZBUF", 6 },
	{ spoil, "a change of shared memory", 8 },
	{ set_timeout, "BIOCSRTIMEOUT", 4 },
	{ unknown_request, "an unknown request", 3 },
	{ do_mmap, "mmap", 2 },
	{ toggle_nonblock, "fcntl", 2 },
	{ do_fork, "fork", 1 },
};

void operate(struct worker *worker, struct target *target)
{
	const struct operation *op = operations;
	unsigned int total = 0, at;

	for (at = 0; at < sizeof(operations) / sizeof(*operations); at++)
		total += operations[at].weight;
	at = below(&worker->random, total);
	while (at >= op->weight)
		at -= op++->weight;
	op->perform(worker, target);
	if (target->state)
		state_check(target, op->name);
}
