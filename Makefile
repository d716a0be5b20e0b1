# SPDX-License-Identifier: GPL-2.0-or-later
# "make run" shows a live capture, "make check" runs every test; see "make help".

.DEFAULT_GOAL := help
.PHONY: help setup device driver libpcap deb image programs run check check-archs \
	check-in-tree check-kernels debug-check fuzz soak bench spec clean

# Tests for "make check" to run, and how many at a time: many boot a guest, and
# many wait more than they work.
# The unit tests are programs, built before they are looked for. Those of kernels
# are for check-kernels.
TESTS = $(sort $(filter-out tests/kernels/%,$(shell ls tests/*/*.t \
	build/tests/unit/*.t)))
TEST_JOBS := 3

# ALLOW_SKIP=1: results that this machine cannot give, without root or without
# /dev/net/tun, say, are skipped. Else they are failures.
export ALLOW_SKIP

# A guest with another kernel than Debian's newest whose headers are installed:
#
#   KVER=NAME                 another one of Debian's, which is fetched if its
#                             headers are not installed, see images/fetch/kernel:
#                             a kernel's release, or its packages' version, or
#                             a release of Debian's for its newest one (bookworm,
#                             trixie, trixie-backports)
#   KERNEL=FILE MODULES=DIR   any: a bzImage or vmlinux, and its modules as they
#                             are in /lib/modules/RELEASE; KDIR, the tree that
#                             the driver is built against, is DIR/build
#   KERNEL=TREE               any: the build tree that it has been built in
#
# What depends on the kernel, the driver and the image, goes to GUEST_OUT, and
# images/vm and the tests take it from there. These are all relative to here.
#
# GUEST_ARCH=ARCH is a guest of another processor, see images/arch.mk; what
# depends on that goes to build/ARCH.
export GUEST_OUT GUEST_ARCH
ifdef KVER
export KVER
endif
ifneq ($(KERNEL)$(MODULES),)
export KERNEL MODULES
export KDIR := $(abspath $(if $(MODULES),$(MODULES)/build,$(KERNEL)))
endif

# QEMU_RELEASE=RELEASE: with the QEMU of another release of Debian (trixie). It is
# fetched below build/downloads, and what depends on it goes to build/RELEASE;
# images/vm and the tests take it from there.
export QEMU_RELEASE

help:
	@echo 'make setup    install the Debian packages that the rest needs (root or sudo)'
	@echo 'make device   build the capture device into build/qemu-device/'
	@echo 'make driver   build the guest driver into build/guest-driver/'
	@echo 'make libpcap  build a shared libpcap for /dev/bpf into build/libpcap/'
	@echo 'make deb      make Debian packages of all parts, into build/deb/'
	@echo '              QEMU_RELEASE=trixie: of the plug-in for the QEMU of that'
	@echo '              release, into build/trixie/deb/'
	@echo 'make image    build the guest image into build/images/; GUEST_ARCH=aarch64 or'
	@echo '              s390x: of a guest with that processor, into build/ARCH/images/'
	@echo '              KERNEL=FILE MODULES=/lib/modules/RELEASE, or KERNEL=TREE: of a'
	@echo '              kernel of your own; images/vm --kernel needs no image of it'
	@echo 'make run      all of it, then a guest whose traffic tcpdump captures'
	@echo 'make check    all of it, then every test; TESTS="FILE..." selects'
	@echo '              ALLOW_SKIP=1: also where this machine cannot run all of them'
	@echo '              KVER=trixie-backports: with that kernel of Debian'"'"'s, which'
	@echo '              make image takes, too'
	@echo '              QEMU_RELEASE=trixie: with the QEMU of that release of Debian'
	@echo 'make check-archs  the guests'"'"' tests on guests of other processors, aarch64'
	@echo '              and s390x; make check-arch-s390x: of that one'
	@echo 'make check-short  the tests of the device and of the driver alone'
	@echo 'make check-kernels  build the driver for Linux 6.1, 6.12 and the newest of'
	@echo '              Debian'"'"'s, and run guests'"'"' tests on each; KERNELS="KVER..."'
	@echo '              make check-build-tree: the part of it that builds a small kernel'
	@echo '              and boots it from its build tree'
	@echo 'make debug-check  build a kernel with KASAN, lockdep and more, and run the'
	@echo '              guests'"'"' tests on it (80 minutes); FUZZ_TIME: seconds of its fuzzer'
	@echo 'make check-packages  install the packages in a system of Debian 12, use and'
	@echo '              remove them, lintian, build them twice (root)'
	@echo 'make check-images  disk images of Debian 12 and 13, by images/build and by the'
	@echo '              ways of images/other-images.md: made, booted, used (root)'
	@echo 'make check-in-tree  build a QEMU with the device in its own tree, and run the'
	@echo '              device'"'"'s tests on that (a quarter of an hour)'
	@echo 'make check-trixie  make run and make check of a clean clone on Debian 13, in a'
	@echo '              root folder of its own (root); ARGS="check TESTS=FILE" instead'
	@echo '              make check-release RELEASE=NAME: on another release of Debian'
	@echo 'make fuzz     all of it, then the fuzzers for FUZZ_TIME seconds (3600)'
	@echo 'make soak     the hot-plug tests, 1000 times over; more programs and clients'
	@echo 'make bench    measure beside the peers, into build/bench/; ARGS=--help'
	@echo 'make spec     the specification as HTML and PDF, and tables of what the tests'
	@echo '              show of it, into build/spec/'
	@echo 'make clean    remove what was built, but not the downloads'

setup:
	images/fetch/setup

# Each of these installs what it needs itself, and no more.
device:
	images/fetch/setup --for device
	$(MAKE) -C qemu-device

driver:
	images/fetch/setup --for driver
	$(MAKE) -C guest-driver

libpcap:
	images/fetch/setup --for libpcap
	$(MAKE) -C guest-driver/libpcap package

deb: setup device libpcap
	$(MAKE) -C images/deb

# The image takes the driver in when it has been built.
image: driver
	images/fetch/setup --for image
	$(MAKE) -C images

# The image has the libpcap that some of them are built with.
programs: setup image
	$(MAKE) -C tests

run: device image
	images/demo/run

check: setup device libpcap deb image programs
	prove --exec '' --timer -j$(TEST_JOBS) $(TESTS)

# The guests' tests that depend most on the kernel, on several of Debian's. It
# says which kernel each result is of, and TESTS="FILE..." selects here, too.
KERNELS := bookworm trixie trixie-backports
check-kernels: device image programs \
		$(if $(filter file,$(origin TESTS)),check-build-tree)
	$(if $(filter file,$(origin TESTS)),,TESTS='$(TESTS)') \
		TEST_JOBS=$(TEST_JOBS) tests/kernels/run $(KERNELS)

# A kernel in its build tree: one that is built like a user's own, from Debian's
# sources. What only this needs is not in images/fetch/packages.
.PHONY: check-build-tree
check-build-tree: setup device image
	images/fetch/setup libelf-dev
	$(MAKE) -C images/guest/debug-kernel NAME=small-kernel \
		CONFIG=$(CURDIR)/tests/kernels/small.config
	prove --exec '' --timer tests/kernels/build-tree.t

# The tests whose guests exercise the driver, on other processors, as far as they
# do not need x86-64.
ARCHS := aarch64 s390x
ARCH_TESTS = tests/e2e/processor.t $(sort $(wildcard tests/guest/*.t)) \
	tests/e2e/expressions.t tests/e2e/frames.t tests/e2e/tcpdump.t
check-archs: $(ARCHS:%=check-arch-%)
.PHONY: $(ARCHS:%=check-arch-%)
$(ARCHS:%=check-arch-%): check-arch-%: device
	$(MAKE) GUEST_ARCH=$* image programs
	GUEST_ARCH=$* TIME_SCALE=3 prove --exec '' --timer -j$(TEST_JOBS) \
		$(ARCH_TESTS)

# The tests of the device, and those of the driver with all that a program can ask
# of it: what another release of Debian may break first, in a few minutes.
SHORT_TESTS = $(sort $(wildcard tests/device/*.t tests/guest/*.t)) \
	tests/e2e/tcpdump.t
.PHONY: check-short
check-short: setup device image
	$(MAKE) -C tests guest
	prove --exec '' --timer -j$(TEST_JOBS) $(SHORT_TESTS)

# The tests whose guests exercise the driver, on a kernel that checks itself. It
# is many times slower than the usual one: a boot takes 15 to 40 seconds of a
# processor's time, with kmemleak a minute. That is on where a test asks for it
# (leaks=True): behaviour.t, module.t, ioctl.t, faults.t once. Loops that look for
# what grows with them are shorter. Without KVM all of it takes some 80 minutes of
# processor time, a quarter of that in the fuzzer (FUZZ_TIME), and a quarter of an
# hour more for the kernel, once. prove tells of each file when it has ended.
# What only this needs is not in images/fetch/packages.
DEBUG_KERNEL := build/downloads/debug-kernel
DEBUG_TESTS = $(sort $(wildcard tests/guest/*.t tests/faulty/*.t \
	tests/lifecycle/*.t)) tests/launcher/faults.t tests/fuzz/ioctl.t
debug-check: device driver image programs
	images/fetch/setup libelf-dev
	$(MAKE) -C images/guest/debug-kernel
	$(MAKE) image GUEST_OUT=build/debug KERNEL=$(DEBUG_KERNEL)/kernel \
		MODULES=$(DEBUG_KERNEL)/modules
	GUEST_OUT=build/debug TIME_SCALE=10 FUZZ_TIME=$(or $(FUZZ_TIME),600) \
		HOTPLUG_LOOPS=20 MODULE_LOOPS=20 \
		prove --exec '' --timer -j$(TEST_JOBS) $(DEBUG_TESTS)

# A QEMU without what it can do without, which takes two processors some ten
# minutes to build. Left out are the tests that build plug-ins of their own, and
# refuse.t, which wants the netdevs that this QEMU lacks.
QEMU_IN_TREE = $(QEMU_RELEASE:%=%/)qemu-device/in-tree/build/qemu-system-x86_64
check-in-tree: setup device
	$(MAKE) -C qemu-device in-tree TARGETS=qemu-system-x86_64
	QEMU_IN_TREE=$(abspath build/$(QEMU_IN_TREE)) prove --exec '' --timer \
		-j$(TEST_JOBS) $(filter-out $(addprefix tests/device/,load.t \
		reentrancy.t refuse.t stream.t in-tree.t),$(wildcard tests/device/*.t))

# The packages in systems of Debian's releases: installed, used, removed, and
# looked at by lintian; and built once more elsewhere. For another release than
# this machine's it is the plug-in that is built for its QEMU. A quarter
# of an hour of processor time for each; more the first time, when the systems are
# made. Also, each part of the tree is built in a system that has nothing else.
PACKAGE_RELEASES := bookworm
THIS_RELEASE = $(shell . /etc/os-release && echo $$VERSION_CODENAME)
.PHONY: check-packages check-packages-bookworm check-packages-trixie
check-packages: $(PACKAGE_RELEASES:%=check-packages-%)
	prove --exec '' --timer tests/packages/rebuild/*.t
check-packages-bookworm check-packages-trixie: check-packages-%: deb
	$(if $(filter-out $(THIS_RELEASE),$*),$(MAKE) deb QEMU_RELEASE=$*)
	images/fetch/package-root $*
	PACKAGES_FOR=$* prove --exec '' --timer tests/packages/systems/*.t

# Disk images: of each release, without root where that works, booted by BIOS and
# by UEFI; and those of images/other-images.md. What only this needs is not in
# images/fetch/packages.
IMAGE_RELEASES := bookworm trixie
.PHONY: check-images
check-images: setup device deb image
	images/fetch/setup ovmf qemu-utils uidmap openssh-client
	IMAGE_RELEASES='$(IMAGE_RELEASES)' prove --exec '' --timer \
		tests/images/options.t tests/images/disks/*.t

# On another release of Debian than this machine's, with ARGS for make there.
.PHONY: check-release check-trixie
check-release: setup
	images/fetch/check-release '$(RELEASE)' $(ARGS)

check-trixie:
	$(MAKE) check-release RELEASE=trixie

fuzz: device image programs
	tests/fuzz/run $(or $(FUZZ_TIME),3600)

soak: device libpcap image programs
	$(MAKE) -C tests/clients dhclient
	SOAK=1 prove --exec '' --timer tests/lifecycle/hotplug.t \
		tests/clients/dhcp.t tests/programs/soak/*.t

# What only this needs is not in images/fetch/packages.
bench: setup device image
	images/fetch/setup valgrind
	$(MAKE) -C tests/bench ARGS='$(ARGS)'

spec: setup
	$(MAKE) -C spec

clean:
	find build -mindepth 1 -maxdepth 1 ! -name downloads -exec rm -rf {} +
