// SPDX-License-Identifier: GPL-2.0-or-later
/* Checks that hold for descriptors after any operation. */
#include <stddef.h>
#include <time.h>

#include "fuzz.h"

#define SHOWN	20	/* violations that are printed */

const char *const invariant_names[] = {
	"reads return whole, aligned packets with valid headers and contents",
	"a descriptor's state is as the successful requests have set it",
	"counts are consistent and do not decrease",
	"errors are those that the manual page lists",
};

atomic_ulong violations[NUM_INVARIANTS];

#define violate(which, ...)						\
	do {								\
		if (violations[which]++ < SHOWN) {			\
			printf("# " __VA_ARGS__);			\
			putchar('\n');					\
			fflush(stdout);					\
		}							\
	} while (0)

static unsigned int ask(int fd, unsigned long request, const char *name)
{
	unsigned int value = 0;

	if (ioctl(fd, request, &value) < 0)
		violate(STATES, "%s: %s", name, strerror(errno));
	return value;
}

/* Read a descriptor's state. */
void state_look(int fd, struct state *state)
{
	unsigned int dlt;

	memset(state, 0, sizeof(*state));
	state->size = ask(fd, BIOCGBLEN, "BIOCGBLEN");
	state->header_complete = ask(fd, BIOCGHDRCMPLT, "BIOCGHDRCMPLT");
	state->direction = ask(fd, BIOCGDIRECTION, "BIOCGDIRECTION");
	state->feedback = ask(fd, BIOCGFEEDBACK, "BIOCGFEEDBACK");
	state->tstamp = ask(fd, BIOCGTSTAMP, "BIOCGTSTAMP");
	if (ioctl(fd, BIOCGRTIMEOUT, &state->timeout) < 0)
		violate(STATES, "BIOCGRTIMEOUT: %s", strerror(errno));
	state->attached = ioctl(fd, BIOCGDLT, &dlt) == 0;
}

/* Check the state after an operation. */
void state_check(struct target *target, const char *after)
{
	struct state *want = target->state, got;

	state_look(target->fd, &got);
	/* An interface can be detached at any time, but not attached. */
	if (want->attached && !got.attached)
		got.attached = true;
	if (!memcmp(&got, want, sizeof(got)))
		return;
	violate(STATES, "after %s: size %u/%u complete %u/%u direction %u/%u "
		"feedback %u/%u tstamp %u/%u timeout %ld.%06ld/%ld.%06ld "
		"attached %d/%d (is/should be)", after, got.size, want->size,
		got.header_complete, want->header_complete, got.direction,
		want->direction, got.feedback, want->feedback, got.tstamp,
		want->tstamp, (long)got.timeout.tv_sec,
		(long)got.timeout.tv_usec, (long)want->timeout.tv_sec,
		(long)want->timeout.tv_usec, got.attached, want->attached);
	*want = got;
}

/* The fields of both kinds of header. */
struct fields {
	int64_t sec;
	uint32_t caplen, datalen, hdrlen, shortest;
};

static struct fields read_header(const uint8_t *at, unsigned int tstamp)
{
	const struct bpf_hdr *h = (const void *)at;
	const struct bpf_xhdr *x = (const void *)at;

	if (tstamp == BPF_T_MICROTIME)
		return (struct fields){ h->bh_tstamp.tv_sec, h->bh_caplen,
					h->bh_datalen, h->bh_hdrlen,
					offsetof(struct bpf_hdr, bh_hdrlen) + 2 };
	return (struct fields){ x->bh_tstamp.bt_sec, x->bh_caplen,
				x->bh_datalen, x->bh_hdrlen,
				offsetof(struct bpf_xhdr, bh_hdrlen) + 2 };
}

/* Check the contents of the fuzzer's frames, see make_frame(). */
static bool contents_valid(const struct frame *f, uint32_t caplen)
{
	uint32_t seq, i;

	if (caplen <= 18 || f->type != htons(ETHERTYPE))
		return true;
	seq = ntohl(f->seq);
	for (i = 0; i < caplen - 18; i++)
		if (f->payload[i] != (uint8_t)(seq * 7 + i) &&
		    /* The padding of short frames. */
		    !(i + 18 < 60 && f->payload[i] == 0))
			return false;
	return true;
}

/*
 * Check the packets that a read has returned. If the state is unknown, so is
 * the format of time stamps.
 */
void packets_check(struct target *target, const uint8_t *buf, ssize_t len)
{
	const char *wrong = NULL;
	struct fields h = { 0 };
	size_t off = 0, space;

	if (!target->state && BPF_ALIGNMENT == 4)
		return;
	if (len == 0 || len % BPF_ALIGNMENT)
		wrong = "length";
	while (!wrong && off < (size_t)len) {
		space = len - off;
		if (space < sizeof(struct bpf_hdr)) {
			wrong = "end";
			break;
		}
		h = read_header(buf + off, target->state ?
				target->state->tstamp : BPF_T_MICROTIME);
		if (h.hdrlen < h.shortest || h.hdrlen > 64 || h.hdrlen > space)
			wrong = "header length";
		else if (h.caplen > h.datalen || h.caplen > space - h.hdrlen)
			wrong = "captured length";
		else if (h.datalen < 14 || h.datalen > 65536 + 14)
			wrong = "frame's length";
		else if (llabs(h.sec - (int64_t)time(NULL)) > 3600)
			wrong = "time";
		else if (!contents_valid((const void *)(buf + off + h.hdrlen),
					 h.caplen))
			wrong = "contents";
		else if (BPF_WORDALIGN(h.hdrlen + h.caplen) > space)
			wrong = "padding";
		off += BPF_WORDALIGN(h.hdrlen + h.caplen);
		count(COUNT_PACKET, wrong ? -1 : 0);
	}
	if (wrong)
		violate(PACKETS, "%s: read of %zd, header before %zu: time %lld "
			"caplen %u datalen %u hdrlen %u", wrong, len, off,
			(long long)h.sec, h.caplen, h.datalen, h.hdrlen);
}

void stats_check(struct target *target, const struct bpf_stat *stat)
{
	const struct bpf_stat *last = target->stat;

	if (stat->bs_recv < stat->bs_capt || stat->bs_recv < stat->bs_drop ||
	    (last && (stat->bs_recv < last->bs_recv ||
		      stat->bs_capt < last->bs_capt ||
		      stat->bs_drop < last->bs_drop)))
		violate(STATS, "received %llu, dropped %llu, captured %llu; "
			"before: %llu, %llu, %llu",
			(unsigned long long)stat->bs_recv,
			(unsigned long long)stat->bs_drop,
			(unsigned long long)stat->bs_capt,
			(unsigned long long)(last ? last->bs_recv : 0),
			(unsigned long long)(last ? last->bs_drop : 0),
			(unsigned long long)(last ? last->bs_capt : 0));
	if (target->stat)
		*target->stat = *stat;
}

/* Report an operation that has succeeded but must fail. */
void success_check(const char *what, bool succeeded)
{
	if (succeeded)
		violate(ERRORS, "%s: no error", what);
}

/* @allowed: error numbers, terminated by 0. */
void error_check(const char *what, int result, const int *allowed)
{
	int error = errno;

	if (result >= 0)
		return;
	for (; *allowed; allowed++)
		if (error == *allowed)
			return;
	violate(ERRORS, "%s: %s", what, strerror(error));
	errno = error;
}
