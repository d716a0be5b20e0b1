// SPDX-License-Identifier: GPL-2.0-or-later
/* BIOCGSTATS, FIONREAD, BIOCFLUSH, BIOCSETF: counts are exact. */
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
	      "BIOCGSTATS without an interface succeeds [BPF-GSTATS-3]");
	for (i = 0; i < sizeof(st.bs_padding) / sizeof(st.bs_padding[0]); i++)
		bad += st.bs_padding[i] != 0;
	equal(bad, 0, "BIOCGSTATS fills the padding with zeros [BPF-GSTATS-2]");
	equal(ioctl(fd, BIOCFLUSH, NULL), 0,
	      "BIOCFLUSH without an interface succeeds [BPF-FLUSH-3]");
	equal(get(fd, FIONREAD), 0,
	      "FIONREAD without an interface gives 0 [BPF-FIONREAD-5]");
	filter_test_frames(fd);
	equal(attach(fd, "eth0"), 0,
	      "BIOCSETIF succeeds after BIOCSETF [BPF-SETF-9]");
	send_frames("eth0", 0, 1, 100);
	equal(stats(fd).bs_capt, 1,
	      "a filter set before BIOCSETIF is in force after it");
	close(fd);
}

/* There is no sleep between sending and counting: the calls are a barrier. */
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
	      "BIOCGSTATS at once counts a frame that was sent [BPF-GSTATS-1]");
	while (get(fd, FIONREAD))
		if (read(fd, large, sizeof(large)) <= 0)
			bail("read");
	for (bad = 0; i <= 200; i++) {
		send_frames("eth0", i, 1, 100);
		bad += get(fd, FIONREAD) != 136;
		bad += read(fd, large, sizeof(large)) != 136;
	}
	equal(bad, 0,
	      "FIONREAD and read at once give a frame that was sent [BPF-FIONREAD-1]");
	close(fd);
}

static void test_drops(void)
{
	int fd = listen_on("eth0", SIZE, O_RDWR | O_NONBLOCK);
	struct bpf_stat st;

	/* 30 packets fill one buffer, 60 fill both. */
	send_frames("eth0", 0, 75, 100);
	st = stats(fd);
	ok(st.bs_recv >= 75, "75 frames sent: bs_recv counts all");
	equal(st.bs_capt, 75,
	      "75 frames sent: bs_capt counts those that passed the filter [BPF-INPUT-9]");
	equal(st.bs_drop, 15,
	      "75 frames sent: bs_drop counts those without room [BPF-INPUT-11 BPF-GSTATS-1]");
	equal(get(fd, FIONREAD), 4080,
	      "75 frames sent: FIONREAD gives the hold buffer's length [BPF-FIONREAD-1]");
	equal(read(fd, buf, SIZE), 4080,
	      "after drops the first read gets a whole buffer");
	equal(ntohl(packet_frame((struct bpf_hdr *)buf)->seq), 0,
	      "after drops the first read begins with packet 0");
	equal(read(fd, buf, SIZE), 4080,
	      "after drops the second read gets a whole buffer");
	equal(ntohl(packet_frame((struct bpf_hdr *)buf)->seq), 30,
	      "after drops the second read begins with packet 30");
	equal(error_of(read(fd, buf, SIZE)), EAGAIN,
	      "after drops a third read is EAGAIN");
	close(fd);
}

static void test_flush(void)
{
	int fd = listen_on("eth0", SIZE, O_RDWR | O_NONBLOCK);
	struct bpf_stat st;

	send_frames("eth0", 0, 70, 100);
	equal(stats(fd).bs_drop, 10, "70 frames sent: 10 are dropped");
	equal(ioctl(fd, BIOCFLUSH, NULL), 0,
	      "BIOCFLUSH succeeds with full buffers");
	st = stats(fd);
	equal(st.bs_recv + st.bs_capt + st.bs_drop, 0,
	      "BIOCFLUSH resets the three counts [BPF-FLUSH-2]");
	equal(error_of(read(fd, buf, SIZE)), EAGAIN,
	      "BIOCFLUSH empties both buffers [BPF-FLUSH-1]");
	send_frames("eth0", 0, 1, 100);
	equal(stats(fd).bs_capt, 1, "after BIOCFLUSH capture goes on");
	send_frames("eth0", 1, 1, 100);
	ioctl(fd, BIOCFLUSH, NULL);
	equal(stats(fd).bs_capt, 0,
	      "BIOCFLUSH discards a frame that was just sent");
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
	      "BIOCSETF of a filter that rejects all succeeds [BPF-INPUT-2]");
	send_frames("eth0", 0, 3, 100);
	ok(stats(fd).bs_recv >= 3,
	   "frames that the filter rejects count as received [CAP-DRV-FLT-2]");
	equal(stats(fd).bs_capt, 0,
	      "frames that the filter rejects do not count as captured"
	      " [CAP-DRV-FLT-2 BPF-INPUT-2]");
	before = stats(fd).bs_recv;
	equal(set_filter(fd, BIOCSETF, bad, 2), EINVAL,
	      "BIOCSETF of an invalid program is EINVAL [BPF-SETF-4]");
	equal(set_filter(fd, BIOCSETF, long_one, 513), EINVAL,
	      "BIOCSETF of 513 instructions is EINVAL [BPF-SETF-1]");
	equal(set_filter(fd, BIOCSETF, NULL, 1), EFAULT,
	      "BIOCSETF from a bad address is EFAULT [BPF-SETF-3]");
	equal(stats(fd).bs_recv, before,
	      "BIOCSETF that fails leaves the counts [BPF-SETF-5]");
	send_frames("eth0", 0, 1, 100);
	equal(stats(fd).bs_capt, 0,
	      "BIOCSETF that fails leaves the old filter in force [BPF-SETF-5]");
	equal(set_filter(fd, BIOCSETF, long_one, 512), 0,
	      "BIOCSETF of 512 instructions succeeds [BPF-SETF-2]");
	send_frames("eth0", 0, 1, 100);
	equal(stats(fd).bs_capt, 1, "a filter of 512 instructions is in force");
	equal(set_filter(fd, BIOCSETF, none, 1), 0,
	      "BIOCSETF over another filter succeeds [BPF-SETF-7]");
	equal(stats(fd).bs_recv, 0, "BIOCSETF resets the counts [BPF-SETF-8]");
	equal(error_of(read(fd, buf, SIZE)), EAGAIN,
	      "BIOCSETF empties the buffers [BPF-SETF-8]");
	equal(set_filter(fd, BIOCSETF, nowhere, 0), 0,
	      "BIOCSETF of no instructions succeeds whatever their address [BPF-SETF-6]");
	equal(stats(fd).bs_recv, 0,
	      "BIOCSETF of no instructions resets the counts");
	send_frames("eth0", 0, 2, 100);
	ok(stats(fd).bs_capt >= 2,
	   "without a filter all frames are captured [BPF-INPUT-3]");
	before = stats(fd).bs_capt;
	send_frames("eth0", 0, 1, 100);
	equal(set_filter(fd, BIOCSETFNR, none, 1), 0, "BIOCSETFNR succeeds");
	ok(stats(fd).bs_capt > before,
	   "BIOCSETFNR keeps the counts, and counts by the old filter what came before"
	   " [BPF-SETFNR-1]");
	ok(read(fd, buf, SIZE) >= 2 * 136,
	   "BIOCSETFNR keeps the packets [BPF-SETFNR-1]");
	send_frames("eth0", 0, 1, 100);
	equal(error_of(read(fd, buf, SIZE)), EAGAIN,
	      "the filter of BIOCSETFNR is in force [BPF-SETFNR-1]");
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
