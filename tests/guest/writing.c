// SPDX-License-Identifier: GPL-2.0-or-later
/* write(2): frames are sent by the NIC, and its listeners capture them. */
#define _GNU_SOURCE
#include <sched.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "guest.h"

#define SIZE	65536

static uint8_t buf[SIZE];
static const uint8_t eth0_mac[] = { 0x52, 0x54, 0, 0x12, 0x34, 0x56 };

/* Return the only test frame in a descriptor's buffers, or NULL. */
static struct frame *only_frame(int fd, unsigned int *len)
{
	struct bpf_hdr *h;
	size_t off = 0;
	ssize_t n;

	n = read(fd, buf, SIZE);
	h = next_packet(buf, n, &off);
	if (!h || off != (size_t)n)
		return NULL;
	*len = h->bh_datalen;
	return packet_frame(h);
}

static void test_errors(void)
{
	char *volatile nowhere = (char *)8;
	static char big[1515];
	int fd = open_bpf(O_RDWR);

	equal(error_of(write(fd, big, 100)), EINVAL,
	      "write without an interface is EINVAL [BPF-WRITE-1]");
	attach(fd, "eth0");
	equal(write(fd, big, 0), 0, "write of no bytes is 0 [BPF-WRITE-3]");
	equal(error_of(write(fd, big, 13)), EINVAL,
	      "write of less than a header is EINVAL [CAP-DRV-INJ-1 BPF-WRITE-6]");
	equal(error_of(write(fd, big, 1515)), EMSGSIZE,
	      "write of more than header and MTU is EMSGSIZE [CAP-DRV-INJ-1 BPF-WRITE-4]");
	equal(write(fd, big, 1514), 1514,
	      "write of the longest frame returns its length [BPF-WRITE-5]");
	equal(write(fd, big, 14), 14,
	      "write of the shortest frame returns its length [BPF-WRITE-16]");
	equal(error_of(write(fd, nowhere, 60)), EFAULT,
	      "write from a bad address is EFAULT [BPF-WRITE-8]");
	close(fd);
	fd = open_bpf(O_WRONLY);
	attach(fd, "eth0");
	equal(write(fd, big, 60), 60,
	      "descriptor opened for writing only: write succeeds");
	equal(error_of(read(fd, buf, 32768)), EBADF,
	      "descriptor opened for writing only: read is EBADF");
	close(fd);
	fd = open_bpf(O_RDONLY);
	attach(fd, "eth0");
	equal(error_of(write(fd, big, 60)), EBADF,
	      "descriptor opened for reading only: write is EBADF");
	close(fd);
}

static void test_frame(int complete)
{
	int fd = listen_on("eth0", SIZE, O_RDWR | O_NONBLOCK);
	int far = listen_on("eth1", SIZE, O_RDWR | O_NONBLOCK);
	struct frame f, *got;
	unsigned int len = 0;

	set(fd, BIOCSHDRCMPLT, complete);
	make_frame(&f, 1, 77);
	equal(write(fd, &f, 77), 77,
	      "header complete %d: write returns the length", complete);
	equal(stats(fd).bs_capt, 1,
	      "header complete %d: the writing descriptor captures the frame [BPF-WRITE-10]",
	      complete);
	got = only_frame(fd, &len);
	ok(got && len == 77,
	   "header complete %d: the frame is captured once, with its length",
	   complete);
	if (!complete)
		memcpy(f.src, eth0_mac, 6);
	ok(got && !memcmp(got, &f, 77),
	   complete ?
	   "header complete: the source address is untouched [BPF-WRITE-12]" :
	   "header not complete: the source address is the NIC's [BPF-WRITE-11]");
	ok(await_received(far, 1),
	   "header complete %d: the frame leaves through the NIC [BPF-WRITE-9]",
	   complete);
	got = only_frame(far, &len);
	ok(got && len == 77 && !memcmp(got, &f, 77),
	   "header complete %d: the frame arrives as it was captured [BPF-INPUT-3]",
	   complete);
	close(fd);
	close(far);
}

static void test_writev(void)
{
	int fd = listen_on("eth0", SIZE, O_RDWR | O_NONBLOCK);
	unsigned int len = 0;
	struct frame f, *got;
	struct iovec iov[3];

	make_frame(&f, 1, 100);
	memcpy(f.src, eth0_mac, 6);
	iov[0] = (struct iovec){ &f, 14 };
	iov[1] = (struct iovec){ (char *)&f + 14, 1 };
	iov[2] = (struct iovec){ (char *)&f + 15, 85 };
	equal(writev(fd, iov, 3), 100,
	      "writev of three parts returns their length");
	got = only_frame(fd, &len);
	ok(got && len == 100 && !memcmp(got, &f, 100),
	   "writev of three parts sends one frame");
	close(fd);
}

static void test_feedback(void)
{
	int fd = listen_on("eth0", SIZE, O_RDWR | O_NONBLOCK);
	int socket_fd = socket(AF_PACKET, SOCK_RAW, htons(ETHERTYPE));
	struct sockaddr_ll ll = {
		.sll_family = AF_PACKET, .sll_protocol = htons(ETHERTYPE),
		.sll_ifindex = if_nametoindex("eth0"),
	};
	struct timeval patience = { 5, 0 };
	struct frame f, got;
	unsigned int len = 0;

	bind(socket_fd, (struct sockaddr *)&ll, sizeof(ll));
	setsockopt(socket_fd, SOL_SOCKET, SO_RCVTIMEO, &patience,
		   sizeof(patience));
	set(fd, BIOCSFEEDBACK, 1);
	make_frame(&f, 3, 90);
	equal(write(fd, &f, 90), 90,
	      "feedback: write returns the length [BPF-SFEEDBACK-1]");
	equal(recv(socket_fd, &got, sizeof(got), 0), 90,
	      "feedback: the NIC receives the frame [BPF-WRITE-13]");
	ok(!memcmp(&got, &f, 90),
	   "feedback: the frame is received as it was written, with its own source [BPF-WRITE-13]");
	equal(stats(fd).bs_capt, 1,
	      "feedback: the frame is captured once [BPF-WRITE-14]");
	ok(only_frame(fd, &len) && len == 90,
	   "feedback: the frame is captured with its length");
	set(fd, BIOCSFEEDBACK, 0);
	equal(write(fd, &f, 90), 90, "no feedback: write returns the length");
	stats(fd);
	set(fd, BIOCSFEEDBACK, 1);
	make_frame(&f, 4, 91);
	equal(write(fd, &f, 91), 91,
	      "feedback again: write returns the length");
	equal(recv(socket_fd, &got, sizeof(got), 0), 91,
	      "no feedback: the NIC does not receive the frame, but the next one"
	      " [BPF-WRITE-15 BPF-SFEEDBACK-1]");
	close(socket_fd);
	close(fd);
}

static void test_direction(void)
{
	int fd = listen_on("eth0", SIZE, O_RDWR | O_NONBLOCK);
	struct frame f;

	make_frame(&f, 1, 60);
	set(fd, BIOCSSEESENT, 0);
	equal(write(fd, &f, 60), 60,
	      "BIOCSSEESENT 0: write returns the length");
	equal(stats(fd).bs_capt, 0,
	      "BIOCSSEESENT 0: a written frame is not captured");
	set(fd, BIOCSDIRECTION, BPF_D_OUT);
	equal(write(fd, &f, 60), 60, "BPF_D_OUT: write returns the length");
	equal(stats(fd).bs_capt, 1, "BPF_D_OUT: a written frame is captured");
	close(fd);
}

static void test_write_filter(void)
{
	struct bpf_insn insns[] = {
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 12),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETHERTYPE, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 1),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct bpf_insn unknown = BPF_STMT(BPF_RET | BPF_X, 1);
	struct bpf_program program = { 4, insns }, invalid = { 1, &unknown };
	int fd = listen_on("eth0", SIZE, O_RDWR | O_NONBLOCK);
	struct bpf_stat before;
	unsigned int len = 0;
	struct frame f;

	send_frames("eth0", 1, 1, 100);
	before = stats(fd);
	equal(ioctl(fd, BIOCSETWF, &program), 0, "BIOCSETWF succeeds");
	equal(stats(fd).bs_capt, before.bs_capt,
	      "BIOCSETWF leaves the counts [BPF-SETWF-5]");
	equal(read(fd, buf, SIZE), HEADER + 104,
	      "BIOCSETWF leaves the stored packets [BPF-SETWF-5]");
	equal(error_of(ioctl(fd, BIOCSETWF, &invalid)), EINVAL,
	      "BIOCSETWF: an invalid program is EINVAL [BPF-SETWF-3]");
	make_frame(&f, 1, 60);
	equal(write(fd, &f, 60), 60,
	      "write filter: a frame for which it returns 1 is written [BPF-SETWF-2]");
	ok(only_frame(fd, &len) && len == 60,
	   "write filter: a frame for which it returns 1 is sent whole [BPF-SETWF-2]");
	f.type = htons(0x0800);
	equal(error_of(write(fd, &f, 60)), EPERM,
	      "write filter: a frame for which it returns 0 is EPERM [BPF-SETWF-1]");
	program.bf_len = 0;
	equal(ioctl(fd, BIOCSETWF, &program), 0,
	      "BIOCSETWF of no instructions succeeds");
	equal(write(fd, &f, 60), 60,
	      "write filter removed: the frame that it rejected is written [BPF-SETWF-4]");
	close(fd);
}

/* Write a frame in another network namespace. */
static int write_elsewhere(int fd)
{
	struct frame f;
	pid_t pid;
	int status;

	make_frame(&f, 1, 60);
	fflush(stdout);
	pid = fork();
	if (pid == 0)
		_exit(unshare(CLONE_NEWNET) ? 255 :
		      error_of(write(fd, &f, 60)));
	waitpid(pid, &status, 0);
	return WEXITSTATUS(status);
}

static void test_down(void)
{
	int fd = listen_on("eth0", SIZE, O_RDWR | O_NONBLOCK), i;
	int far = listen_on("eth1", SIZE, O_RDWR | O_NONBLOCK);
	int own[2] = { listen_on("capture0", SIZE, O_RDWR | O_NONBLOCK),
		       listen_on("capture1", SIZE, O_RDWR | O_NONBLOCK) };
	struct frame f;

	make_frame(&f, 1, 60);
	if (system("ip link set eth0 down"))
		bail("ip");
	equal(error_of(write(fd, &f, 60)), ENETDOWN,
	      "interface down: write is ENETDOWN [BPF-WRITE-7]");
	equal(write_elsewhere(fd), ENETDOWN,
	      "interface down: write from another network namespace is ENETDOWN");
	equal(write(fd, &f, 0), 0, "interface down: write of no bytes is 0");
	equal(error_of(write(fd, buf, 1515)), EMSGSIZE,
	      "interface down: write of more than header and MTU is EMSGSIZE");
	for (i = 0; i < 2; i++)
		equal(write(own[i], &f, 60), 60,
		      "interface down: write by the name capture%d succeeds [BPF-WRITE-7]",
		      i);
	equal(write(far, &f, 60), 60,
	      "interface down: write to another interface succeeds");
	if (system("ip link set eth0 name nic"))
		bail("ip");
	equal(error_of(write(fd, &f, 60)), ENETDOWN,
	      "interface down and renamed: write is ENETDOWN");
	if (system("ip link set nic name eth0 && ip link set eth0 up"))
		bail("ip");
	equal(write(fd, &f, 60), 60,
	      "interface up again: write succeeds [BPF-WRITE-7]");
	equal(write_elsewhere(fd), 0,
	      "interface up again: write from another network namespace succeeds");
	for (i = 0; i < 2; i++)
		close(own[i]);
	close(far);
	close(fd);
}

static void test_many(void)
{
	int fd = listen_on("eth0", SIZE, O_RDWR);
	struct bpf_stat st = { 0 };
	struct frame f;
	int i, bad = 0;

	for (i = 0; i < 2000; i++) {
		make_frame(&f, i, 60);
		bad += write(fd, &f, 60) != 60;
	}
	equal(bad, 0, "more frames than the queue holds are written");
	/* They wait in the queue while the other NIC takes no frames. */
	for (i = 0; i < 2000; i++) {
		st = stats(fd);
		if (st.bs_recv >= 2000)
			break;
		usleep(5000);
	}
	/* A guest with too little processor time may not capture all. */
	ok(st.bs_recv >= 2000, "more frames than the queue holds are sent");
	close(fd);
}

int main(void)
{
	test_errors();
	test_frame(0);
	test_frame(1);
	test_writev();
	test_feedback();
	test_direction();
	test_write_filter();
	test_down();
	test_many();
	return done_testing();
}
