// SPDX-License-Identifier: GPL-2.0-or-later
/* Executes two million instructions between the markers. */
#include "bench.h"

int main(void)
{
	long n = 1000000;

	MARK(MARK_START);
	asm volatile("1: dec %0; jnz 1b" : "+r"(n));
	MARK(MARK_END);
	return 0;
}
