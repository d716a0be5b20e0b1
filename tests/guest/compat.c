// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A 32-bit program on a 64-bit kernel: requests whose arguments have another
 * size, and packets with the program's headers. Built by another compiler.
 */
#include "zbuf.h"

static unsigned char buf[4096];

static void test_requests(void)
{
	struct timeval tv = { 3, 250000 };
	struct bpf_dltlist list = { 0, NULL };
	unsigned int type = 0;
	struct ifreq ifr;
	int fd = open_bpf(O_RDWR);

	equal(sizeof(long), 4, "this is a 32-bit program");
	set(fd, BIOCSBLEN, sizeof(buf));
	equal(error_of(attach(fd, "eth9")), ENXIO,
	      "BIOCSETIF: no interface eth9 is ENXIO");
	equal(attach(fd, "eth0"), 0, "BIOCSETIF succeeds");
	memset(&ifr, 0xff, sizeof(ifr));
	equal(ioctl(fd, BIOCGETIF, &ifr), 0, "BIOCGETIF succeeds");
	ok(!strcmp(ifr.ifr_name, "eth0"), "BIOCGETIF gives the name");
	equal(ioctl(fd, BIOCSRTIMEOUT, &tv), 0,
	      "BIOCSRTIMEOUT 3.25 s succeeds");
	memset(&tv, 0xff, sizeof(tv));
	equal(ioctl(fd, BIOCGRTIMEOUT, &tv), 0, "BIOCGRTIMEOUT succeeds");
	ok(tv.tv_sec == 3 && tv.tv_usec == 250000,
	   "BIOCGRTIMEOUT gives the timeout that was set [BPF-COMPAT-1]");
	tv.tv_usec = -1;
	equal(error_of(ioctl(fd, BIOCSRTIMEOUT, &tv)), EINVAL,
	      "BIOCSRTIMEOUT with negative microseconds is EINVAL");
	equal(ioctl(fd, BIOCGDLTLIST, &list), 0,
	      "BIOCGDLTLIST without a list succeeds");
	equal(list.bfl_len, 1,
	      "BIOCGDLTLIST without a list gives the number 1");
	list.bfl_list = &type;
	equal(ioctl(fd, BIOCGDLTLIST, &list), 0,
	      "BIOCGDLTLIST with a list succeeds");
	equal(type, DLT_EN10MB, "BIOCGDLTLIST: the list has Ethernet");
	equal(error_of(ioctl(fd, BIOCGSTATS, NULL)), EFAULT,
	      "BIOCGSTATS to a bad address is EFAULT");
	close(fd);
}

/* Read two packets and check where the second one is. */
static void test_packets(unsigned int tstamp, unsigned int hdrlen)
{
	int fd = listen_on("eth0", sizeof(buf), O_RDWR | O_NONBLOCK);
	unsigned int total = (hdrlen + 101 + 3) & ~3u;
	struct bpf_xhdr *x = (struct bpf_xhdr *)(buf + total);
	struct bpf_hdr *h = (struct bpf_hdr *)(buf + total);
	time_t start = time(NULL);
	struct frame *f;

	set(fd, BIOCSTSTAMP, tstamp);
	send_frames("eth0", 7, 2, 101);
	equal(stats(fd).bs_capt, 2, "format %u: two packets are captured",
	      tstamp);
	equal(read(fd, buf, sizeof(buf)), total * 2,
	      "format %u: the packets have the size with 32-bit headers [BPF-COMPAT-1]",
	      tstamp);
	if (tstamp == BPF_T_MICROTIME) {
		ok(h->bh_hdrlen == hdrlen && h->bh_caplen == 101 &&
		   h->bh_datalen == 101,
		   "format %u: the header has lengths and its own length [BPF-COMPAT-1]",
		   tstamp);
		ok(h->bh_tstamp.tv_sec >= start - 1 &&
		   h->bh_tstamp.tv_sec <= start + 60 &&
		   h->bh_tstamp.tv_usec < 1000000,
		   "format %u: the time is that of the capture", tstamp);
	} else {
		ok(x->bh_hdrlen == hdrlen && x->bh_caplen == 101 &&
		   x->bh_datalen == 101,
		   "format %u: the header has lengths and its own length [BPF-COMPAT-1]",
		   tstamp);
		ok(x->bh_tstamp.bt_sec >= start - 1 &&
		   x->bh_tstamp.bt_sec <= start + 60 &&
		   x->bh_tstamp.bt_frac < 1000000000,
		   "format %u: the time is that of the capture", tstamp);
	}
	f = (struct frame *)(buf + total + hdrlen);
	ok(f->type == htons(ETHERTYPE) && f->seq == htonl(8),
	   "format %u: the packet has its contents", tstamp);
	close(fd);
}

static void test_cut(void)
{
	struct bpf_insn insns[] = { BPF_STMT(BPF_RET | BPF_K, 21) };
	struct bpf_program program = { 1, insns };
	int fd = listen_on("eth0", sizeof(buf), O_RDWR | O_NONBLOCK);
	struct bpf_hdr *h = (struct bpf_hdr *)buf;

	equal(ioctl(fd, BIOCSETF, &program), 0,
	      "BIOCSETF of a filter that keeps 21 bytes succeeds");
	send_frames("eth0", 7, 1, 1000);
	stats(fd);
	ok(read(fd, buf, sizeof(buf)) > 0 && h->bh_caplen == 21,
	   "a filter that keeps 21 bytes: the captured length is 21");
	equal(h->bh_datalen, 1000,
	      "a filter that keeps 21 bytes: the original length is 1000");
	equal(ioctl(fd, BIOCSETFNR, &program), 0, "BIOCSETFNR succeeds");
	equal(ioctl(fd, BIOCSETWF, &program), 0, "BIOCSETWF succeeds");
	close(fd);
}

/* Zero-copy buffers: 32-bit addresses and sizes, the same headers. */
static void test_zero_copy(void)
{
	unsigned int total = (20 + 101 + 3) & ~3u;
	struct bpf_zbuf zbuf;
	struct bpf_hdr *h;
	size_t max = 0;
	struct zero z;
	int fd = open_zero(O_RDWR);

	equal(sizeof(zbuf), 12, "struct bpf_zbuf has 12 bytes");
	equal(ioctl(fd, BIOCGETZMAX, &max), 0, "BIOCGETZMAX succeeds");
	equal(max, 4 << 20, "BIOCGETZMAX gives 4 MiB");
	equal(error_of(set_buffers(fd, NULL, NULL, PAGE)), EINVAL,
	      "BIOCSETZBUF without buffers is EINVAL");
	close(fd);
	z = zero_listen(PAGE);
	zbuf = rotate(&z);
	ok(!zbuf.bz_bufa && !zbuf.bz_bufb && !zbuf.bz_buflen,
	   "BIOCROTZBUF without packets gives zeros");
	send_frames("eth0", 7, 2, 101);
	zbuf = rotate(&z);
	ok(zbuf.bz_bufa == z.buf[0], "BIOCROTZBUF gives the first buffer");
	equal(zbuf.bz_buflen, 2 * total,
	      "BIOCROTZBUF gives the length of two packets");
	equal(available(&z), 2 * total,
	      "the zero-copy buffer's header has the same length");
	h = (struct bpf_hdr *)(packets(&z, 0) + total);
	ok(h->bh_hdrlen == 20 && h->bh_caplen == 101,
	   "zero-copy: the packet's header has 20 bytes");
	equal(ntohl(packet_frame(h)->seq), 8,
	      "zero-copy: the second packet follows the first");
	finish_next(&z);
	send_frames("eth0", 9, 1, 101);
	rotate(&z);
	equal(zseq(&z, 1, 0), 9, "BIOCROTZBUF gives the second buffer next");
	zero_close(&z);
}

int main(void)
{
	test_requests();
	test_cut();
	test_packets(BPF_T_MICROTIME, BPF_WORDALIGN(18));
	test_packets(BPF_T_NANOTIME, BPF_WORDALIGN(26));
	test_zero_copy();
	return done_testing();
}
