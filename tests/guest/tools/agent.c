// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Executes calls for a test on the host, whose end is tests/lib/lifecycle.py.
 * A line "TAG COMMAND ARGUMENT..." is a command. Each has a thread of its own,
 * so that one can block while others run. The answer is a line "TAG ERROR
 * RESULT", with error 0 or a name such as EIO; newlines and backslashes of the
 * result are escaped.
 *
 * "TAG foreground COMMAND" runs a shell command with the agent's input and
 * output until it ends. The agent only waits for it, so that the benchmark
 * counts nothing but the command's work; no other command may be in progress.
 *
 * Descriptors are numbers that the test chooses. Frames are those of guest.h;
 * consecutive numbers are printed as "7-19".
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <time.h>
#include <sys/wait.h>

#include "../guest.h"

#define MAX_DESCRIPTORS	1024

static int descriptors[MAX_DESCRIPTORS];
static pthread_mutex_t output = PTHREAD_MUTEX_INITIALIZER;

/* A command: its arguments, and its result so far. */
struct call {
	const char *tag;
	char *line;
	FILE *result;
	char *text;		/* of result */
	size_t len;
};

/* Print a command's result; @err is 0 or an errno. */
static void answer(struct call *call, int err)
{
	size_t i;

	fflush(call->result);
	pthread_mutex_lock(&output);
	printf("%s %s ", call->tag, err ? strerrorname_np(err) : "0");
	for (i = 0; i < call->len; i++) {
		if (call->text[i] == '\n')
			printf("\\n");
		else if (call->text[i] == '\\')
			printf("\\\\");
		else
			putchar(call->text[i]);
	}
	putchar('\n');
	fflush(stdout);
	pthread_mutex_unlock(&output);
}

/* The frame numbers that a reader has seen, in order. */
struct numbers {
	FILE *out;
	int64_t first, last;	/* of the run that is not yet printed */
};

static void end_run(struct numbers *n)
{
	if (n->last > n->first)
		fprintf(n->out, "%lld-%lld ", (long long)n->first,
			(long long)n->last);
	else if (n->last >= 0)
		fprintf(n->out, "%lld ", (long long)n->first);
}

static void add_number(struct numbers *n, uint32_t number)
{
	if (n->last < 0 || number != n->last + 1) {
		end_run(n);
		n->first = number;
	}
	n->last = number;
}

static int call_bpf(int fd, unsigned long request, void *arg)
{
	return ioctl(fd, request, arg) < 0 ? errno : 0;
}

static int do_open(struct call *call)
{
	int slot, nonblock = 0;

	sscanf(call->line, "%d %d", &slot, &nonblock);
	descriptors[slot] = open("/dev/bpf",
				 O_RDWR | O_CLOEXEC |
				 (nonblock ? O_NONBLOCK : 0));
	return descriptors[slot] < 0 ? errno : 0;
}

static int do_close(struct call *call)
{
	return close(descriptors[atoi(call->line)]) < 0 ? errno : 0;
}

static int do_setif(struct call *call)
{
	struct ifreq ifr = { 0 };
	int slot;

	sscanf(call->line, "%d %15s", &slot, ifr.ifr_name);
	return call_bpf(descriptors[slot], BIOCSETIF, &ifr);
}

static int do_getif(struct call *call)
{
	struct ifreq ifr = { 0 };
	int err = call_bpf(descriptors[atoi(call->line)], BIOCGETIF, &ifr);

	fputs(ifr.ifr_name, call->result);
	return err;
}

static int do_stats(struct call *call)
{
	struct bpf_stat st = { 0 };
	int err = call_bpf(descriptors[atoi(call->line)], BIOCGSTATS, &st);

	fprintf(call->result, "%llu %llu %llu", (long long)st.bs_recv,
		(long long)st.bs_drop, (long long)st.bs_capt);
	return err;
}

/* Set an option with a request that takes an unsigned int. */
static int do_option(struct call *call)
{
	static const struct {
		const char *name;
		unsigned long request;
	} options[] = {
		{ "immediate", BIOCIMMEDIATE }, { "size", BIOCSBLEN },
		{ "complete", BIOCSHDRCMPLT }, { "seesent", BIOCSSEESENT },
		{ "promiscuous", BIOCPROMISC }, { "direction", BIOCSDIRECTION },
	};
	char name[16];
	unsigned int value;
	size_t i;
	int slot;

	sscanf(call->line, "%d %15s %u", &slot, name, &value);
	for (i = 0; i < sizeof(options) / sizeof(*options); i++)
		if (!strcmp(options[i].name, name))
			return call_bpf(descriptors[slot], options[i].request,
					&value);
	return ENOTTY;
}

/* Accept only frames of one ethertype. */
static int do_filter(struct call *call)
{
	struct bpf_insn insns[] = {
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 12),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETHERTYPE, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 0xffffffff),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct bpf_program program = { 4, insns };
	int slot;

	sscanf(call->line, "%d %x", &slot, &insns[1].k);
	return call_bpf(descriptors[slot], BIOCSETF, &program);
}

static int do_poll(struct call *call)
{
	struct pollfd p = { .events = POLLIN };
	int slot, timeout, n;

	sscanf(call->line, "%d %d", &slot, &timeout);
	p.fd = descriptors[slot];
	n = poll(&p, 1, timeout);
	fprintf(call->result, "%d %s", n, p.revents & POLLIN ? "in" : "-");
	return n < 0 ? errno : 0;
}

/* Read one buffer; the caller frees it. */
static int read_buffer(int fd, uint8_t **buffer, ssize_t *len)
{
	unsigned int size = 0;

	ioctl(fd, BIOCGBLEN, &size);
	*buffer = malloc(size);
	*len = read(fd, *buffer, size);
	return *len < 0 ? errno : 0;
}

/* Read one buffer; if @again, read on until an error or number @last. */
static int read_numbers(struct call *call, int fd, int64_t last, int again)
{
	struct numbers n = { call->result, -1, -1 };
	struct bpf_hdr *h;
	uint8_t *buffer;
	ssize_t len;
	size_t off;
	int err;

	do {
		err = read_buffer(fd, &buffer, &len);
		for (off = 0; (h = next_packet(buffer, len, &off));)
			add_number(&n, ntohl(packet_frame(h)->seq));
		free(buffer);
	} while (!err && again && n.last < last);
	end_run(&n);
	return err;
}

static int do_read(struct call *call)
{
	return read_numbers(call, descriptors[atoi(call->line)], 0, 0);
}

static int do_drain(struct call *call)
{
	long long last;
	int slot;

	sscanf(call->line, "%d %lld", &slot, &last);
	return read_numbers(call, descriptors[slot], last, 1);
}

/* Read one buffer and print the frames: length on the wire, bytes. */
static int do_frames(struct call *call)
{
	struct bpf_hdr *h;
	uint8_t *buffer;
	ssize_t len;
	size_t off;
	unsigned int i;
	int err;

	err = read_buffer(descriptors[atoi(call->line)], &buffer, &len);
	for (off = 0; (h = next_packet(buffer, len, &off));) {
		fprintf(call->result, "%u:", h->bh_datalen);
		for (i = 0; i < h->bh_caplen; i++)
			fprintf(call->result, "%02x",
				((uint8_t *)packet_frame(h))[i]);
		fputc(' ', call->result);
	}
	free(buffer);
	return err;
}

/* Write numbered frames; print how many were written. */
static int do_write(struct call *call)
{
	unsigned int slot, first, count, len, i;
	struct frame f;
	int err = 0;

	sscanf(call->line, "%u %u %u %u", &slot, &first, &count, &len);
	for (i = 0; i < count && !err; i++) {
		make_frame(&f, first + i, len);
		if (write(descriptors[slot], &f, len) != (ssize_t)len)
			err = errno;
	}
	fprintf(call->result, "%u", err ? i - 1 : i);
	return err;
}

/* The same through the kernel's stack and the NIC's driver. */
static int do_send(struct call *call)
{
	unsigned int first, count, len;
	char name[16];

	sscanf(call->line, "%15s %u %u %u", name, &first, &count, &len);
	send_frames(name, first, count, len);
	return 0;
}

/*
 * Occupy the processor for some milliseconds, so that it only handles
 * interrupts. The answer is sent before, as sending it needs the processor.
 */
static int do_spin(struct call *call)
{
	struct sched_param param = { .sched_priority = 99 };
	struct timespec now;
	int64_t end = 0, ms;

	answer(call, 0);
	usleep(200000);
	if (sched_setscheduler(0, SCHED_FIFO, &param) < 0)
		bail("sched_setscheduler");
	do {
		clock_gettime(CLOCK_MONOTONIC, &now);
		ms = now.tv_sec * 1000LL + now.tv_nsec / 1000000;
		if (!end)
			end = ms + atoi(call->line);
	} while (ms < end);
	return -1;
}

static void add_status(struct call *call, int status)
{
	fprintf(call->result, "\n%d",
		WIFEXITED(status) ? WEXITSTATUS(status) : -1);
}

/* Run a shell command; its output is the result, its status the last line. */
static int do_sh(struct call *call)
{
	FILE *pipe;
	char *p;
	int c;

	/* A single line cannot hold its newlines. */
	for (p = call->line; *p; p++)
		if (*p == '\r')
			*p = '\n';
	pipe = popen(call->line, "r");
	if (!pipe)
		return errno;
	while ((c = getc(pipe)) != EOF)
		putc(c, call->result);
	add_status(call, pclose(pipe));
	return 0;
}

/* The same, with the agent's own input and output. */
static int do_foreground(struct call *call)
{
	add_status(call, system(call->line));
	return 0;
}

static int execute(struct call *call);

/* Run a command in the network namespace of a process. */
static int do_in(struct call *call)
{
	char path[64];
	int fd, skip;

	snprintf(path, sizeof(path), "/proc/%d/ns/net", atoi(call->line));
	fd = open(path, O_RDONLY);
	if (fd < 0 || setns(fd, CLONE_NEWNET) < 0)
		return errno;
	close(fd);
	sscanf(call->line, "%*d %n", &skip);
	call->line += skip;
	return execute(call);
}

static int execute(struct call *call)
{
	static const struct {
		const char *name;
		int (*execute)(struct call *call);
	} commands[] = {
		{ "open", do_open }, { "close", do_close },
		{ "setif", do_setif }, { "getif", do_getif },
		{ "stats", do_stats }, { "option", do_option },
		{ "filter", do_filter }, { "poll", do_poll },
		{ "read", do_read }, { "drain", do_drain },
		{ "frames", do_frames }, { "write", do_write },
		{ "send", do_send }, { "spin", do_spin }, { "sh", do_sh },
		{ "in", do_in }, { "foreground", do_foreground },
	};
	const char *name = strsep(&call->line, " ");
	size_t i;

	for (i = 0; i < sizeof(commands) / sizeof(*commands); i++)
		if (!strcmp(commands[i].name, name))
			return commands[i].execute(call);
	return ENOSYS;
}

static void *run(void *arg)
{
	struct call call = { 0 };
	char *line = arg;
	int err;

	call.line = line;
	call.tag = strsep(&call.line, " ");
	call.result = open_memstream(&call.text, &call.len);
	err = execute(&call);
	if (err >= 0)
		answer(&call, err);
	fclose(call.result);
	free(call.text);
	free(line);
	return NULL;
}

/*
 * Return the next line of the input; NULL at its end. For a moment after a
 * suspend the port reads as ended, too, until QEMU has reported that it is
 * open: only an end that persists is the end of the input.
 */
static char *next_line(void)
{
	unsigned int tries;
	char *line = NULL;
	size_t size = 0;

	for (tries = 0; tries < 100; tries++) {
		if (getline(&line, &size, stdin) > 0) {
			line[strcspn(line, "\n")] = '\0';
			return line;
		}
		clearerr(stdin);
		usleep(50000);
	}
	return NULL;
}

/* Return true if a command reads the input; the main thread then must not. */
static bool is_foreground(const char *line)
{
	char name[16];

	return sscanf(line, "%*s %15s", name) == 1 &&
	       !strcmp(name, "foreground");
}

int main(void)
{
	char *line;
	pthread_t thread;

	printf("ready\n");
	fflush(stdout);
	while ((line = next_line()) && strcmp(line, "end")) {
		if (is_foreground(line)) {
			run(line);
			continue;
		}
		if (pthread_create(&thread, NULL, run, line))
			bail("pthread_create");
		pthread_detach(thread);
	}
	return 0;
}
