/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A TAP producer for test programs in C, for prove(1). */
#ifndef TAP_H
#define TAP_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

static int tap_count, tap_failed;

/* Print a result; return the condition. */
static inline bool __attribute__((format(printf, 2, 3)))
ok(bool condition, const char *name, ...)
{
	va_list args;

	tap_count++;
	tap_failed += !condition;
	printf("%sok %d - ", condition ? "" : "not ", tap_count);
	va_start(args, name);
	vprintf(name, args);
	va_end(args);
	putchar('\n');
	fflush(stdout);
	return condition;
}

/* Pass if two numbers are equal; otherwise print both. */
#define equal(got, expected, ...) \
	equal_(__LINE__, (long long)(got), (long long)(expected), __VA_ARGS__)

#define equal_(line, got, expected, ...)				\
	do {								\
		long long g_ = (got), e_ = (expected);			\
		if (!ok(g_ == e_, __VA_ARGS__))				\
			printf("# line %d: got %lld, expected %lld\n",	\
			       line, g_, e_);				\
	} while (0)

/* Print the plan; return the exit status of the program. */
static inline int done_testing(void)
{
	printf("1..%d\n", tap_count);
	return tap_failed || !tap_count;
}

#endif /* TAP_H */
