# SPDX-License-Identifier: GPL-2.0-or-later
# "make run" shows a live capture, "make check" runs the tests; see "make help".

.DEFAULT_GOAL := help
.PHONY: help setup device driver libpcap deb image programs run check check-archs \
	check-in-tree check-kernels debug-check fuzz soak bench spec clean

# The tests that "make check" runs, and how many at a time: more than processors, as
# many tests mostly wait. The unit tests are programs, so this is expanded after they
# are built. The tests in tests/kernels are for check-kernels.
TESTS = $(sort $(filter-out tests/kernels/%,$(shell ls tests/*/*.t \
	build/tests/unit/*.t)))
TEST_JOBS := 3

# ALLOW_SKIP=1: tests that cannot run on this machine, for instance without root or
# without /dev/net/tun, are skipped. Otherwise they fail.
export ALLOW_SKIP

# The guest's kernel is Debian's newest whose headers are installed, or:
#
#   KVER=NAME                 another kernel of Debian's, fetched if its headers
#                             are not installed, see images/fetch/kernel. NAME is
#                             a kernel release, its packages' version, or a release
#                             of Debian for its newest kernel (bookworm, trixie,
#                             trixie-backports)
#   KERNEL=FILE MODULES=DIR   any kernel: a bzImage or vmlinux, and its modules, a
#                             folder like /lib/modules/RELEASE; KDIR, the tree to
#                             build the driver against, is DIR/build
#   KERNEL=TREE               any kernel, in its build tree
#
# Files that depend on the kernel, the driver and the image, are built in GUEST_OUT,
# where images/vm and the tests find them. Relative paths are relative to this folder.
#
# GUEST_ARCH=ARCH is the guest's processor, see images/arch.mk; files that depend on
# it are in build/ARCH.
export GUEST_OUT GUEST_ARCH
ifdef KVER
export KVER
endif
ifneq ($(KERNEL)$(MODULES),)
export KERNEL MODULES
export KDIR := $(abspath $(if $(MODULES),$(MODULES)/build,$(KERNEL)))
endif

# QEMU_RELEASE=RELEASE: use the QEMU of another release of Debian (trixie). It is
# fetched below build/downloads, and files that depend on it are built in
# build/RELEASE, where images/vm and the tests find them.
export QEMU_RELEASE

help:
	@echo 'make setup    install the Debian packages that all targets need (root or sudo)'
	@echo 'make device   build the capture device into build/qemu-device/'
	@echo 'make driver   build the guest driver into build/guest-driver/'
	@echo 'make libpcap  build a shared libpcap for /dev/bpf into build/libpcap/'
	@echo 'make deb      build Debian packages of all parts into build/deb/'
	@echo '              QEMU_RELEASE=trixie: only the plug-in, for the QEMU of that'
	@echo '              release, into build/trixie/deb/'
	@echo 'make image    build the guest image into build/images/'
	@echo '              GUEST_ARCH=aarch64 or s390x: for that processor, into'
	@echo '              build/ARCH/images/'
	@echo '              KERNEL=FILE MODULES=/lib/modules/RELEASE, or KERNEL=TREE: with'
	@echo '              your own kernel; images/vm --kernel does not need this'
	@echo 'make run      build what it needs, then show a guest'"'"'s traffic with tcpdump'
	@echo 'make check    build everything, then run the tests; TESTS="FILE..." selects some'
	@echo '              ALLOW_SKIP=1: skip tests that cannot run on this machine'
	@echo '              KVER=trixie-backports: with that kernel of Debian'"'"'s; also for'
	@echo '              make image'
	@echo '              QEMU_RELEASE=trixie: with the QEMU of that release of Debian'
	@echo 'make check-archs  run guest tests on aarch64 and s390x'
	@echo '              make check-arch-s390x: on that processor only'
	@echo 'make check-short  run only the tests of the device and of the driver'
	@echo 'make check-kernels  build the driver for Linux 6.1, 6.12 and Debian'"'"'s newest,'
	@echo '              and run guest tests on each; KERNELS="KVER..." selects kernels'
	@echo '              make check-build-tree: only build a small kernel and boot it from'
	@echo '              its build tree'
	@echo 'make debug-check  build a kernel with KASAN, lockdep and more, and run the guest'
	@echo '              tests on it (80 minutes); FUZZ_TIME=SECONDS: time for its fuzzer'
	@echo 'make check-packages  install, use and remove the packages in a system of'
	@echo '              Debian 12, run lintian, and check that builds are reproducible'
	@echo '              (root)'
	@echo 'make check-images  make disk images of Debian 12 and 13 by images/build and as'
	@echo '              in images/other-images.md, boot and use them (root)'
	@echo 'make check-in-tree  build a QEMU with the device in its own tree, and run the'
	@echo '              device'"'"'s tests on it (15 minutes)'
	@echo 'make check-trixie  make run and make check in a clean clone on Debian 13, in a'
	@echo '              root folder (root); ARGS="check TESTS=FILE": make that instead'
	@echo '              make check-release RELEASE=NAME: on another release of Debian'
	@echo 'make fuzz     build what it needs, then run the fuzzers; FUZZ_TIME=SECONDS'
	@echo '              (default 3600)'
	@echo 'make soak     repeat the hot-plug tests 1000 times, test more programs'
	@echo 'make bench    compare the performance with AF_PACKET and filter-dump, into'
	@echo '              build/bench/; ARGS=--help'
	@echo 'make spec     build the specification as HTML and PDF, and tables of its'
	@echo '              requirements with their tests, into build/spec/'
	@echo 'make clean    remove everything in build/ except the downloads'

setup:
	images/fetch/setup

# Each of these targets installs only the packages that it needs.
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

# The image includes the driver, so that is built first.
image: driver
	images/fetch/setup --for image
	$(MAKE) -C images

# Some of the programs are built with the libpcap that is built for the image.
programs: setup image
	$(MAKE) -C tests

run: device image
	images/demo/run

check: setup device libpcap deb image programs
	prove --exec '' --timer -j$(TEST_JOBS) $(TESTS)

# Runs guest tests that depend most on the kernel, on several of Debian's kernels.
# Results name the kernel; TESTS="FILE..." selects tests.
KERNELS := bookworm trixie trixie-backports
check-kernels: device image programs \
		$(if $(filter file,$(origin TESTS)),check-build-tree)
	$(if $(filter file,$(origin TESTS)),,TESTS='$(TESTS)') \
		TEST_JOBS=$(TEST_JOBS) tests/kernels/run $(KERNELS)

# Tests a kernel in its build tree, built from Debian's sources as a user would.
# Packages that only this needs are not in images/fetch/packages.
.PHONY: check-build-tree
check-build-tree: setup device image
	images/fetch/setup libelf-dev
	$(MAKE) -C images/guest/debug-kernel NAME=small-kernel \
		CONFIG=$(CURDIR)/tests/kernels/small.config
	prove --exec '' --timer tests/kernels/build-tree.t

# Runs tests of the driver that do not need x86-64, on other processors.
ARCHS := aarch64 s390x
ARCH_TESTS = tests/e2e/processor.t $(sort $(wildcard tests/guest/*.t)) \
	tests/e2e/expressions.t tests/e2e/frames.t tests/e2e/tcpdump.t
check-archs: $(ARCHS:%=check-arch-%)
.PHONY: $(ARCHS:%=check-arch-%)
$(ARCHS:%=check-arch-%): check-arch-%: device
	$(MAKE) GUEST_ARCH=$* image programs
	GUEST_ARCH=$* TIME_SCALE=3 prove --exec '' --timer -j$(TEST_JOBS) \
		$(ARCH_TESTS)

# Runs the tests of the device and of the driver's interface for programs: a quick
# check, for example on another release of Debian.
SHORT_TESTS = $(sort $(wildcard tests/device/*.t tests/guest/*.t)) \
	tests/e2e/tcpdump.t
.PHONY: check-short
check-short: setup device image
	$(MAKE) -C tests guest
	prove --exec '' --timer -j$(TEST_JOBS) $(SHORT_TESTS)

# Runs tests of the driver on a kernel with many debug checks. It is many times slower
# than the usual one: a boot takes 15 to 40 seconds of processor time, with kmemleak a
# minute. kmemleak is on only in tests that request it (leaks=True): behaviour.t,
# module.t, ioctl.t, once in faults.t. Loops that look for leaks are shorter. Without
# KVM the tests take some 80 minutes of processor time, a quarter of that in the fuzzer
# (FUZZ_TIME), and building the kernel, which is done once, takes 15 minutes. prove
# prints a test file's result when it has ended. Packages that only this needs are not
# in images/fetch/packages.
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

# A QEMU with few features, which takes two processors some ten minutes to build.
# Excluded are the tests that build plug-ins, and refuse.t, which needs netdevs that
# this QEMU lacks.
QEMU_IN_TREE = $(QEMU_RELEASE:%=%/)qemu-device/in-tree/build/qemu-system-x86_64
check-in-tree: setup device
	$(MAKE) -C qemu-device in-tree TARGETS=qemu-system-x86_64
	QEMU_IN_TREE=$(abspath build/$(QEMU_IN_TREE)) prove --exec '' --timer \
		-j$(TEST_JOBS) $(filter-out $(addprefix tests/device/,load.t \
		reentrancy.t refuse.t stream.t in-tree.t),$(wildcard tests/device/*.t))

# Tests the packages in systems of Debian's releases: installs, uses and removes them,
# and runs lintian; builds them again in another folder; and builds each part of the
# tree in a new system. For a release other than this machine's, the plug-in is built
# for its QEMU. Takes 15 minutes of processor time for each release, more the first
# time, when the systems are made.
PACKAGE_RELEASES := bookworm
THIS_RELEASE = $(shell . /etc/os-release && echo $$VERSION_CODENAME)
.PHONY: check-packages check-packages-bookworm check-packages-trixie
check-packages: $(PACKAGE_RELEASES:%=check-packages-%)
	prove --exec '' --timer tests/packages/rebuild/*.t
check-packages-bookworm check-packages-trixie: check-packages-%: deb
	$(if $(filter-out $(THIS_RELEASE),$*),$(MAKE) deb QEMU_RELEASE=$*)
	images/fetch/package-root $*
	PACKAGES_FOR=$* prove --exec '' --timer tests/packages/systems/*.t

# Tests disk images: of each release, made by a user other than root, and booted by
# BIOS and UEFI; and those of images/other-images.md. Packages that only this needs are
# not in images/fetch/packages.
IMAGE_RELEASES := bookworm trixie
.PHONY: check-images
check-images: setup device deb image
	images/fetch/setup ovmf qemu-utils uidmap openssh-client
	IMAGE_RELEASES='$(IMAGE_RELEASES)' prove --exec '' --timer \
		tests/images/options.t tests/images/disks/*.t

# Runs make with ARGS on another release of Debian.
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

# Packages that only this needs are not in images/fetch/packages.
bench: setup device image
	images/fetch/setup valgrind
	$(MAKE) -C tests/bench ARGS='$(ARGS)'

spec: setup
	$(MAKE) -C spec

clean:
	find build -mindepth 1 -maxdepth 1 ! -name downloads -exec rm -rf {} +
