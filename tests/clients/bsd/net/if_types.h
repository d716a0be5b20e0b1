/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * BSD's names for link-level addresses of getifaddrs(), which <net/if_dl.h> and
 * this header declare there. On Linux they are a struct sockaddr_ll.
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

/*
 * Values of sdl_type, which is ARPHRD_* on Linux. BSD has different values for
 * token ring and token bus, so these map to different values, too.
 */
#define IFT_ETHER	ARPHRD_ETHER
#define IFT_ISO88023	ARPHRD_IEEE802
#define IFT_ISO88024	ARPHRD_IEEE802_TR
#define IFT_ISO88025	ARPHRD_PRONET
#define IFT_ISO88026	ARPHRD_CHAOS

#endif
