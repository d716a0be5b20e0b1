// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A 32-bit program on a 64-bit kernel: requests whose arguments have another
 * size, and packets with the headers that it knows. Built by another compiler.
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
	equal(error_of(attach(fd, "eth9")), ENXIO, "BIOCSETIF: no such name");
	equal(attach(fd, "eth0"), 0, "BIOCSETIF");
	memset(&ifr, 0xff, sizeof(ifr));
	equal(ioctl(fd, BIOCGETIF, &ifr), 0, "BIOCGETIF");
	ok(!strcmp(ifr.ifr_name, "eth0"), "tells the name");
	equal(ioctl(fd, BIOCSRTIMEOUT, &tv), 0, "BIOCSRTIMEOUT");
	memset(&tv, 0xff, sizeof(tv));
	equal(ioctl(fd, BIOCGRTIMEOUT, &tv), 0, "BIOCGRTIMEOUT");
	ok(tv.tv_sec == 3 && tv.tv_usec == 250000, "reads it back [BPF-COMPAT-1]");
	tv.tv_usec = -1;
	equal(error_of(ioctl(fd, BIOCSRTIMEOUT, &tv)), EINVAL, "a negative one");
	equal(ioctl(fd, BIOCGDLTLIST, &list), 0, "BIOCGDLTLIST: the number");
	equal(list.bfl_len, 1, "is 1");
	list.bfl_list = &type;
	equal(ioctl(fd, BIOCGDLTLIST, &list), 0, "BIOCGDLTLIST: the list");
	equal(type, DLT_EN10MB, "has Ethernet");
	equal(error_of(ioctl(fd, BIOCGSTATS, NULL)), EFAULT, "a bad address");
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
	equal(stats(fd).bs_capt, 2, "format %u: two packets", tstamp);
	equal(read(fd, buf, sizeof(buf)), total * 2, "of the right size [BPF-COMPAT-1]");
	if (tstamp == BPF_T_MICROTIME) {
		ok(h->bh_hdrlen == hdrlen && h->bh_caplen == 101 &&
		   h->bh_datalen == 101, "with the right header [BPF-COMPAT-1]");
		ok(h->bh_tstamp.tv_sec >= start - 1 &&
		   h->bh_tstamp.tv_sec <= start + 60 &&
		   h->bh_tstamp.tv_usec < 1000000, "and time");
	} else {
		ok(x->bh_hdrlen == hdrlen && x->bh_caplen == 101 &&
		   x->bh_datalen == 101, "with the right header [BPF-COMPAT-1]");
		ok(x->bh_tstamp.bt_sec >= start - 1 &&
		   x->bh_tstamp.bt_sec <= start + 60 &&
		   x->bh_tstamp.bt_frac < 1000000000, "and time");
	}
	f = (struct frame *)(buf + total + hdrlen);
	ok(f->type == htons(ETHERTYPE) && f->seq == htonl(8), "and contents");
	close(fd);
}

static void test_cut(void)
{
	struct bpf_insn insns[] = { BPF_STMT(BPF_RET | BPF_K, 21) };
	struct bpf_program program = { 1, insns };
	int fd = listen_on("eth0", sizeof(buf), O_RDWR | O_NONBLOCK);
	struct bpf_hdr *h = (struct bpf_hdr *)buf;

	equal(ioctl(fd, BIOCSETF, &program), 0, "a filter that keeps 21 bytes");
	send_frames("eth0", 7, 1, 1000);
	stats(fd);
	ok(read(fd, buf, sizeof(buf)) > 0 && h->bh_caplen == 21,
	   "captured length");
	equal(h->bh_datalen, 1000, "original length");
	equal(ioctl(fd, BIOCSETFNR, &program), 0, "BIOCSETFNR");
	equal(ioctl(fd, BIOCSETWF, &program), 0, "BIOCSETWF");
	close(fd);
}

/* Zero-copy buffers: addresses and sizes of 32 bits, the same headers. */
static void test_zero_copy(void)
{
	unsigned int total = (20 + 101 + 3) & ~3u;
	struct bpf_zbuf zbuf;
	struct bpf_hdr *h;
	size_t max = 0;
	struct zero z;
	int fd = open_zero(O_RDWR);

	equal(sizeof(zbuf), 12, "struct bpf_zbuf of 32 bits");
	equal(ioctl(fd, BIOCGETZMAX, &max), 0, "BIOCGETZMAX");
	equal(max, 4 << 20, "gives a size");
	equal(error_of(set_buffers(fd, NULL, NULL, PAGE)), EINVAL,
	      "BIOCSETZBUF: no buffers");
	close(fd);
	z = zero_listen(PAGE);
	zbuf = rotate(&z);
	ok(!zbuf.bz_bufa && !zbuf.bz_bufb && !zbuf.bz_buflen,
	   "BIOCROTZBUF: nothing");
	send_frames("eth0", 7, 2, 101);
	zbuf = rotate(&z);
	ok(zbuf.bz_bufa == z.buf[0], "BIOCROTZBUF: the first buffer");
	equal(zbuf.bz_buflen, 2 * total, "with two packets");
	equal(available(&z), 2 * total, "as its header says");
	h = (struct bpf_hdr *)(packets(&z, 0) + total);
	ok(h->bh_hdrlen == 20 && h->bh_caplen == 101, "in headers of 32 bits");
	equal(ntohl(packet_frame(h)->seq), 8, "one after the other");
	finish_next(&z);
	send_frames("eth0", 9, 1, 101);
	rotate(&z);
	equal(zseq(&z, 1, 0), 9, "then the second buffer");
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
