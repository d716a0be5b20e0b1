/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Included first by dhcpcd's src/bpf.c: includes dhcpcd's headers as on Linux,
 * so that structures agree with those in its other files, and then selects the
 * code for BSD.
 */
#include "config.h"
#include "arp.h"
#include "bpf.h"
#include "dhcp.h"
#include "if.h"

#undef __linux__
