# SPDX-License-Identifier: GPL-2.0-or-later
# Included by Makefiles that have set TOP. Sets variables for the guest's processor,
# GUEST_ARCH (default x86_64):
#
# GUEST_OUT     the folder for files that depend on the guest: build/, or build/ARCH/
#               for processors other than x86_64. A relative path, like KERNEL and
#               MODULES, is relative to the top folder
# PROGRAMS_OUT  the folder for those files that do not depend on the kernel
# GUEST_CC, GUEST_CC_32
#               the compilers of the guest's programs and 32-bit programs
#
# IS_FOREIGN    not empty for processors other than x86_64
# KERNEL_ARCH   the kernel's name of the architecture
# CROSS         the prefix of the cross toolchain, which is fetched when this is
#               first expanded; empty for x86_64
override GUEST_ARCH := $(or $(GUEST_ARCH),x86_64)
export GUEST_ARCH

IS_FOREIGN := $(filter-out x86_64,$(GUEST_ARCH))
KERNEL_ARCH := $(patsubst s390x,s390,$(patsubst aarch64,arm64,$(GUEST_ARCH)))
ifeq ($(IS_FOREIGN),)
PROGRAMS_OUT := $(TOP)/build
CROSS :=
GUEST_CC = $(CC)
GUEST_CC_32 = $(CC) -m32
else
PROGRAMS_OUT := $(TOP)/build/$(GUEST_ARCH)
# once NAME,VALUE: expands the value at its first use, and keeps the result.
once = $(eval $(1) := $(2))$($(1))
compiler = $(or $(shell $(TOP)/images/fetch/compiler $(1)),\
	$(error no compiler for $(1)))
CROSS = $(call once,CROSS,$(call compiler,$(GUEST_ARCH)-linux-gnu))
GUEST_CC = $(CROSS)gcc
ifeq ($(GUEST_ARCH),aarch64)
CROSS_32 = $(call once,CROSS_32,$(call compiler,arm-linux-gnueabihf))
GUEST_CC_32 = $(CROSS_32)gcc
else ifeq ($(GUEST_ARCH),s390x)
GUEST_CC_32 = $(CROSS)gcc -m31
else
$(error GUEST_ARCH=$(GUEST_ARCH): there are no guests of that processor, only \
of x86_64, aarch64 and s390x)
endif
endif

from_top = $(if $(filter /%,$(1)),$(1),$(TOP)/$(1))
override GUEST_OUT := $(call from_top,$(or $(GUEST_OUT),$(PROGRAMS_OUT)))
