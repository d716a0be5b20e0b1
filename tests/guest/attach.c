// SPDX-License-Identifier: GPL-2.0-or-later
/* BIOCSETIF, BIOCGETIF, and requests that need an interface. */
#define _GNU_SOURCE
#include <sched.h>

#include "guest.h"

static const char *attached_to(int fd)
{
	static struct ifreq ifr;

	memset(&ifr, 0xff, sizeof(ifr));
	return ioctl(fd, BIOCGETIF, &ifr) < 0 ? "(error)" : ifr.ifr_name;
}

static void test_unattached(void)
{
	int fd = open_bpf(O_RDWR);
	struct bpf_dltlist list = { 0, NULL };
	struct ifreq ifr;
	char buf[32768];

	equal(error_of(ioctl(fd, BIOCGETIF, &ifr)), EINVAL,
	      "BIOCGETIF without an interface is EINVAL [BPF-GETIF-1]");
	equal(error_of(ioctl(fd, BIOCGDLT, &list.bfl_len)), EINVAL,
	      "BIOCGDLT without an interface is EINVAL [BPF-GDLT-1]");
	equal(error_of(ioctl(fd, BIOCSDLT, &list.bfl_len)), EINVAL,
	      "BIOCSDLT without an interface is EINVAL [BPF-SDLT-1]");
	equal(error_of(ioctl(fd, BIOCGDLTLIST, &list)), EINVAL,
	      "BIOCGDLTLIST without an interface is EINVAL [BPF-GDLTLIST-1]");
	equal(error_of(ioctl(fd, BIOCPROMISC, NULL)), EINVAL,
	      "BIOCPROMISC without an interface is EINVAL [BPF-PROMISC-1]");
	equal(error_of(read(fd, buf, sizeof(buf))), EINVAL,
	      "read without an interface is EINVAL [BPF-READ-3]");
	equal(stats(fd).bs_recv, 0,
	      "BIOCGSTATS without an interface gives zeros [BPF-OPEN-8]");
	close(fd);
}

static void test_names(void)
{
	int fd = open_bpf(O_RDWR);
	unsigned int i, other = 0;
	static const char *const wrong[] = {
		"eth7", "lo", "", "capture9", "capture", "eth0 ",
		"a-name-of-sixteen",
	};

	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		equal(error_of(attach(fd, wrong[i])), ENXIO,
		      "BIOCSETIF: no interface \"%s\" is ENXIO [BPF-SETIF-2]",
		      wrong[i]);
	equal(attach(fd, "eth0"), 0,
	      "BIOCSETIF succeeds after calls that failed [BPF-SETIF-6]");
	ok(!strcmp(attached_to(fd), "eth0"),
	   "BIOCGETIF gives the name that BIOCSETIF had [BPF-GETIF-2]");
	equal(error_of(attach(fd, "eth0")), EINVAL,
	      "BIOCSETIF a second time is EINVAL [BPF-SETIF-7]");
	equal(error_of(attach(fd, "eth1")), EINVAL,
	      "BIOCSETIF to another interface while attached is EINVAL [BPF-SETIF-7]");
	equal(error_of(ioctl(fd, BIOCSBLEN, &other)), EINVAL,
	      "BIOCSBLEN while attached is EINVAL [BPF-SBLEN-1]");
	close(fd);

	fd = open_bpf(O_RDWR);
	equal(attach(fd, "capture1"), 0,
	      "BIOCSETIF by the capture device's own name succeeds");
	ok(!strcmp(attached_to(fd), "capture1"),
	   "BIOCGETIF gives the capture device's own name after that");
	close(fd);
}

static void test_link_type(void)
{
	int fd = listen_on("eth0", 0, O_RDWR);
	unsigned int types[2] = { 99, 99 };
	struct bpf_dltlist list = { 0, NULL };

	equal(get(fd, BIOCGDLT), DLT_EN10MB,
	      "BIOCGDLT gives Ethernet [CAP-DRV-CFG-4 BPF-GDLT-2]");
	types[0] = DLT_EN10MB;
	equal(ioctl(fd, BIOCSDLT, types), 0,
	      "BIOCSDLT with the interface's link type succeeds [BPF-SDLT-3]");
	types[0] = 99;
	equal(error_of(ioctl(fd, BIOCSDLT, &types[0])), EINVAL,
	      "BIOCSDLT with another link type is EINVAL [BPF-SDLT-2]");
	equal(ioctl(fd, BIOCGDLTLIST, &list), 0,
	      "BIOCGDLTLIST without a list succeeds [BPF-GDLTLIST-2]");
	equal(list.bfl_len, 1,
	      "BIOCGDLTLIST without a list gives the number 1 [BPF-GDLTLIST-2]");
	list.bfl_list = types;
	list.bfl_len = 0;
	equal(error_of(ioctl(fd, BIOCGDLTLIST, &list)), ENOMEM,
	      "BIOCGDLTLIST with a list too short is ENOMEM [BPF-GDLTLIST-3]");
	equal(types[0], 99,
	      "BIOCGDLTLIST does not write to a list too short [BPF-GDLTLIST-3]");
	list.bfl_len = 2;
	equal(ioctl(fd, BIOCGDLTLIST, &list), 0,
	      "BIOCGDLTLIST with a list long enough succeeds [BPF-GDLTLIST-4]");
	equal(list.bfl_len, 1,
	      "BIOCGDLTLIST with a list gives the number 1 [BPF-GDLTLIST-4]");
	equal(types[0], DLT_EN10MB, "BIOCGDLTLIST: the list has Ethernet");
	equal(types[1], 99,
	      "BIOCGDLTLIST writes no more than one entry to the list [BPF-GDLTLIST-4]");
	close(fd);
}

/* The name in BIOCSETIF is cut at its last byte, even without a NUL there. */
static void test_cut_name(void)
{
	static const char name[] = "sixteen-letters";
	struct ifreq ifr;
	unsigned int i, bad = 0;
	int fd = open_bpf(O_RDWR);

	if (system("ip link set eth0 down && ip link set eth0 name "
		   "sixteen-letters && ip link set sixteen-letters up"))
		bail("rename");
	memset(&ifr, 0xff, sizeof(ifr));
	memcpy(ifr.ifr_name, name, IFNAMSIZ - 1);
	ifr.ifr_name[IFNAMSIZ - 1] = 'x';
	equal(ioctl(fd, BIOCSETIF, &ifr), 0,
	      "BIOCSETIF cuts a name of 16 bytes at its last byte [BPF-SETIF-1]");
	memset(&ifr, 0xff, sizeof(ifr));
	equal(ioctl(fd, BIOCGETIF, &ifr), 0,
	      "BIOCGETIF succeeds for a name of 15 letters");
	ok(!strcmp(ifr.ifr_name, name),
	   "BIOCGETIF gives the whole name of 15 letters");
	if (system("ip link set sixteen-letters down && ip link set "
		   "sixteen-letters name eth0 && ip link set eth0 up"))
		bail("rename back");
	memset(&ifr, 0xff, sizeof(ifr));
	ioctl(fd, BIOCGETIF, &ifr);
	for (i = 4; i < sizeof(ifr); i++)
		bad += ((char *)&ifr)[i] != 0;
	equal(bad, 0,
	      "BIOCGETIF fills the argument behind the name with zeros [BPF-GETIF-3]");
	close(fd);
}

/* A renamed interface is found only by its new name. */
static void test_rename(void)
{
	int fd = listen_on("eth0", 0, O_RDWR), other = open_bpf(O_RDWR);

	if (system("ip link set eth0 down && ip link set eth0 name nic && "
		   "ip link set nic up"))
		bail("rename");
	ok(!strcmp(attached_to(fd), "nic"),
	   "BIOCGETIF gives the new name of a renamed interface");
	equal(error_of(attach(other, "eth0")), ENXIO,
	      "BIOCSETIF by the old name of a renamed interface is ENXIO");
	equal(attach(other, "nic"), 0,
	      "BIOCSETIF by the new name of a renamed interface succeeds");
	if (system("ip link set nic down && ip link set nic name eth0 && "
		   "ip link set eth0 up"))
		bail("rename back");
	close(fd);
	close(other);
}

/* An interface is identified by its permanent address. */
static void test_other_address(void)
{
	int fd = open_bpf(O_RDWR);

	if (system("ip link set eth0 down && ip link set eth0 address "
		   "52:54:00:77:77:77 && ip link set eth0 up"))
		bail("address");
	equal(attach(fd, "eth0"), 0,
	      "BIOCSETIF to an interface with another MAC address succeeds");
	ok(!strcmp(attached_to(fd), "eth0"),
	   "BIOCGETIF gives the name of an interface with another MAC address");
	if (system("ip link set eth0 down && ip link set eth0 address "
		   "52:54:00:12:34:56 && ip link set eth0 up"))
		bail("address back");
	close(fd);
}

/* Names are looked up in the caller's network namespace. */
static void test_namespace(void)
{
	int fd = open_bpf(O_RDWR), other = listen_on("eth0", 0, O_RDWR);
	int home = open("/proc/self/ns/net", O_RDONLY);

	if (unshare(CLONE_NEWNET))
		bail("unshare");
	equal(error_of(attach(fd, "eth0")), ENXIO,
	      "BIOCSETIF to an interface of another network namespace is ENXIO");
	equal(attach(fd, "capture0"), 0,
	      "BIOCSETIF by the device's own name succeeds in any network namespace");
	ok(!strcmp(attached_to(other), "capture0"),
	   "BIOCGETIF in another network namespace gives the device's own name");
	if (setns(home, CLONE_NEWNET))
		bail("setns");
	ok(!strcmp(attached_to(other), "eth0"),
	   "BIOCGETIF back in the interface's namespace gives its name");
	close(home);
	close(other);
	close(fd);
}

int main(void)
{
	test_unattached();
	test_names();
	test_link_type();
	test_cut_name();
	test_rename();
	test_other_address();
	test_namespace();
	return done_testing();
}
