/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Included before all else by dhcpcd's src/bpf.c: the program's own structures
 * as its other files have them, which is as on Linux, and then the code for BSD.
 */
#include "config.h"
#include "arp.h"
#include "bpf.h"
#include "dhcp.h"
#include "if.h"

#undef __linux__
