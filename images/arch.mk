# SPDX-License-Identifier: GPL-2.0-or-later
# For Makefiles that have set TOP: the guest's processor, GUEST_ARCH (x86_64
# unless another one is named), and what to build for it with.
#
# GUEST_OUT     where all that depends on the guest goes: build/, for another
#               processor than x86_64 build/ARCH/; KERNEL and MODULES, too, are
#               relative to the top
# PROGRAMS_OUT  where that of it goes which does not depend on the kernel
# GUEST_CC, GUEST_CC_32
#               the compilers of the guest's programs, and of its 32-bit ones
#
# IS_FOREIGN    not empty for another processor than x86_64
# KERNEL_ARCH   what a kernel's makefiles call the processor
# CROSS         what to put before gcc, strip and so on for another processor;
#               the compiler is fetched when it is asked for
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
# once NAME,VALUE: expands the value when it is first asked for, and keeps it.
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
