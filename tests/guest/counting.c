// SPDX-License-Identifier: GPL-2.0-or-later
/* BIOCGSTATS, FIONREAD, BIOCFLUSH, BIOCSETF: counts that can be relied on. */
#include "guest.h"

#define SIZE	4096

static uint8_t buf[SIZE];

static int set_filter(int fd, unsigned long request, struct bpf_insn *insns,
		      unsigned int len)
{
	struct bpf_program program = { len, insns };

	return error_of(ioctl(fd, request, &program));
}

static void test_statistics(void)
{
	int fd = open_bpf(O_RDWR);
	struct bpf_stat st;
	unsigned int i, bad = 0;

	memset(&st, 0xff, sizeof(st));
	equal(ioctl(fd, BIOCGSTATS, &st), 0,
	      "BIOCGSTATS before BIOCSETIF [BPF-GSTATS-3]");
	for (i = 0; i < sizeof(st.bs_padding) / sizeof(st.bs_padding[0]); i++)
		bad += st.bs_padding[i] != 0;
	equal(bad, 0, "its padding is zeros [BPF-GSTATS-2]");
	equal(ioctl(fd, BIOCFLUSH, NULL), 0,
	      "BIOCFLUSH before BIOCSETIF [BPF-FLUSH-3]");
	equal(get(fd, FIONREAD), 0,
	      "FIONREAD before BIOCSETIF [BPF-FIONREAD-5]");
	filter_test_frames(fd);
	equal(attach(fd, "eth0"), 0,
	      "a filter set before BIOCSETIF [BPF-SETF-9]");
	send_frames("eth0", 0, 1, 100);
	equal(stats(fd).bs_capt, 1, "is in force after it");
	close(fd);
}

/* No sleep between sending and looking: the calls are a barrier. */
static void test_synchronous(void)
{
	static uint8_t large[65536];
	int fd = listen_on("eth0", sizeof(large), O_RDWR), i, bad = 0;

	set(fd, BIOCIMMEDIATE, 1);
	for (i = 1; i <= 100; i++) {
		send_frames("eth0", i, 1, 100);
		bad += stats(fd).bs_capt != (unsigned int)i;
	}
	equal(bad, 0,
	      "what was sent is in the statistics at once [BPF-GSTATS-1]");
	while (get(fd, FIONREAD))
		if (read(fd, large, sizeof(large)) <= 0)
			bail("read");
	for (bad = 0; i <= 200; i++) {
		send_frames("eth0", i, 1, 100);
		bad += get(fd, FIONREAD) != 136;
		bad += read(fd, large, sizeof(large)) != 136;
	}
	equal(bad, 0, "and in FIONREAD [BPF-FIONREAD-1]");
	close(fd);
}

static void test_drops(void)
{
	int fd = listen_on("eth0", SIZE, O_RDWR | O_NONBLOCK);
	struct bpf_stat st;

	/* 30 packets fill a buffer, 60 both. */
	send_frames("eth0", 0, 75, 100);
	st = stats(fd);
	ok(st.bs_recv >= 75, "received: all that went through the filter");
	equal(st.bs_capt, 75, "captured: all that passed it [BPF-INPUT-9]");
	equal(st.bs_drop, 15,
	      "dropped: those without room [BPF-INPUT-11 BPF-GSTATS-1]");
	equal(get(fd, FIONREAD), 4080,
	      "FIONREAD: the hold buffer [BPF-FIONREAD-1]");
	equal(read(fd, buf, SIZE), 4080, "first read");
	equal(ntohl(packet_frame((struct bpf_hdr *)buf)->seq), 0, "from 0");
	equal(read(fd, buf, SIZE), 4080, "second read");
	equal(ntohl(packet_frame((struct bpf_hdr *)buf)->seq), 30, "from 30");
	equal(error_of(read(fd, buf, SIZE)), EAGAIN, "the rest was dropped");
	close(fd);
}

static void test_flush(void)
{
	int fd = listen_on("eth0", SIZE, O_RDWR | O_NONBLOCK);
	struct bpf_stat st;

	send_frames("eth0", 0, 70, 100);
	equal(stats(fd).bs_drop, 10, "buffers full, and drops");
	equal(ioctl(fd, BIOCFLUSH, NULL), 0, "BIOCFLUSH");
	st = stats(fd);
	equal(st.bs_recv + st.bs_capt + st.bs_drop, 0,
	      "resets the counts [BPF-FLUSH-2]");
	equal(error_of(read(fd, buf, SIZE)), EAGAIN,
	      "and empties both buffers [BPF-FLUSH-1]");
	send_frames("eth0", 0, 1, 100);
	equal(stats(fd).bs_capt, 1, "capture goes on");
	send_frames("eth0", 1, 1, 100);
	ioctl(fd, BIOCFLUSH, NULL);
	equal(stats(fd).bs_capt, 0, "what was sent before is flushed");
	close(fd);
}

static void test_filters(void)
{
	struct bpf_insn none[] = { BPF_STMT(BPF_RET | BPF_K, 0) };
	struct bpf_insn all[] = { BPF_STMT(BPF_RET | BPF_K, 0xffffffff) };
	struct bpf_insn *nowhere = (struct bpf_insn *)8;
	struct bpf_insn bad[] = { BPF_STMT(BPF_LD | BPF_MEM, 16),
				  BPF_STMT(BPF_RET | BPF_K, 1) };
	int fd = listen_on("eth0", SIZE, O_RDWR | O_NONBLOCK);
	static struct bpf_insn long_one[513];
	uint64_t before;
	unsigned int i;

	for (i = 0; i < 513; i++)
		long_one[i] = all[0];
	equal(set_filter(fd, BIOCSETF, none, 1), 0,
	      "a filter that rejects [BPF-INPUT-2]");
	send_frames("eth0", 0, 3, 100);
	ok(stats(fd).bs_recv >= 3, "received [CAP-DRV-FLT-2]");
	equal(stats(fd).bs_capt, 0, "not captured [CAP-DRV-FLT-2 BPF-INPUT-2]");
	before = stats(fd).bs_recv;
	equal(set_filter(fd, BIOCSETF, bad, 2), EINVAL,
	      "an invalid filter [BPF-SETF-4]");
	equal(set_filter(fd, BIOCSETF, long_one, 513), EINVAL,
	      "one too long [BPF-SETF-1]");
	equal(set_filter(fd, BIOCSETF, NULL, 1), EFAULT,
	      "a bad address [BPF-SETF-3]");
	equal(stats(fd).bs_recv, before, "change nothing [BPF-SETF-5]");
	send_frames("eth0", 0, 1, 100);
	equal(stats(fd).bs_capt, 0, "the old filter stays [BPF-SETF-5]");
	equal(set_filter(fd, BIOCSETF, long_one, 512), 0,
	      "the longest filter [BPF-SETF-2]");
	send_frames("eth0", 0, 1, 100);
	equal(stats(fd).bs_capt, 1, "is in force");
	equal(set_filter(fd, BIOCSETF, none, 1), 0,
	      "another one replaces it [BPF-SETF-7]");
	equal(stats(fd).bs_recv, 0, "and flushes [BPF-SETF-8]");
	equal(error_of(read(fd, buf, SIZE)), EAGAIN,
	      "the packets, too [BPF-SETF-8]");
	equal(set_filter(fd, BIOCSETF, nowhere, 0), 0,
	      "no instructions: no filter [BPF-SETF-6]");
	equal(stats(fd).bs_recv, 0, "a new filter resets the counts");
	send_frames("eth0", 0, 2, 100);
	ok(stats(fd).bs_capt >= 2, "and lets everything in [BPF-INPUT-3]");
	before = stats(fd).bs_capt;
	send_frames("eth0", 0, 1, 100);
	equal(set_filter(fd, BIOCSETFNR, none, 1), 0, "BIOCSETFNR");
	ok(stats(fd).bs_capt > before, "keeps the counts [BPF-SETFNR-1]");
	ok(read(fd, buf, SIZE) >= 2 * 136, "and the packets [BPF-SETFNR-1]");
	send_frames("eth0", 0, 1, 100);
	equal(error_of(read(fd, buf, SIZE)), EAGAIN,
	      "but is in force [BPF-SETFNR-1]");
	close(fd);
}

int main(void)
{
	test_statistics();
	test_synchronous();
	test_drops();
	test_flush();
	test_filters();
	return done_testing();
}
