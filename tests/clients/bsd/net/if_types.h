/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The link-level addresses that getifaddrs() lists, by the names that programs
 * for BSD have for them: there <net/if_dl.h> and this header declare them. On
 * Linux they are a struct sockaddr_ll.
 */
#ifndef NET_IF_TYPES_H
#define NET_IF_TYPES_H

#include <linux/if_packet.h>
#include <net/if_arp.h>

#define AF_LINK		AF_PACKET
#define sockaddr_dl	sockaddr_ll
#define sdl_type	sll_hatype
#define sdl_alen	sll_halen
#define LLADDR(sdl)	((sdl)->sll_addr)

/* Types of sdl_type, which is one of ARPHRD_ here; BSD tells token ring and
 * token bus apart, for which Linux has several numbers, too. */
#define IFT_ETHER	ARPHRD_ETHER
#define IFT_ISO88023	ARPHRD_IEEE802
#define IFT_ISO88024	ARPHRD_IEEE802_TR
#define IFT_ISO88025	ARPHRD_PRONET
#define IFT_ISO88026	ARPHRD_CHAOS

#endif
