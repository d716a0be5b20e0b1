// SPDX-License-Identifier: GPL-2.0-or-later
/* The use of limited resources by descriptors. */
#include "tap.h"
#include "usage.h"

#define MOST	0xffffffffffffffffULL

static void test_limits(void)
{
	static const struct {
		const char *name;
		struct vcap_usage used, more, limit;
		bool fits;
	} cases[] = {
		{ "the first descriptor", { 0, 0 }, { 1, 0 }, { 1, 0 }, true },
		{ "a descriptor too many", { 1, 0 }, { 1, 0 }, { 1, 9 }, false },
		{ "all of the memory", { 1, 4 }, { 0, 6 }, { 1, 10 }, true },
		{ "a byte of memory too much", { 1, 4 }, { 0, 7 }, { 1, 10 }, false },
		{ "memory with too many descriptors", { 9, 4 }, { 0, 6 },
		  { 1, 10 }, true },
		{ "a descriptor with too much memory", { 1, 20 }, { 1, 0 },
		  { 2, 10 }, true },
		{ "a descriptor with a byte too much", { 0, 0 }, { 1, 11 }, { 1, 10 },
		  false },
		{ "memory above a lowered limit", { 0, 20 }, { 0, 1 }, { 1, 10 },
		  false },
		{ "memory whose sum would wrap around", { 0, MOST - 1 }, { 0, 3 },
		  { 1, MOST }, false },
		{ "the most memory there can be", { 0, MOST - 1 }, { 0, 1 }, { 1, MOST }, true },
	};
	struct vcap_usage usage;
	unsigned int i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		usage = cases[i].used;
		equal(vcap_usage_add(&usage, &cases[i].more, &cases[i].limit),
		      cases[i].fits, "%s: %s", cases[i].name,
		      cases[i].fits ? "fits" : "does not fit");
		if (cases[i].fits)
			vcap_usage_sub(&usage, &cases[i].more);
		equal(usage.descriptors, cases[i].used.descriptors,
		      "%s: descriptors as before", cases[i].name);
		equal(usage.memory, cases[i].used.memory,
		      "%s: memory as before", cases[i].name);
	}
}

static void test_counts(void)
{
	static const struct vcap_usage more = { 1, 100 }, limit = { 3, 250 };
	struct vcap_usage usage = { 0, 0 };

	ok(vcap_usage_add(&usage, &more, &limit) &&
	   vcap_usage_add(&usage, &more, &limit),
	   "one descriptor of 100 bytes fits twice");
	equal(usage.descriptors, 2, "two descriptors are counted");
	equal(usage.memory, 200, "their memory is counted");
	ok(!vcap_usage_add(&usage, &more, &limit),
	   "a third descriptor does not fit");
	equal(usage.descriptors, 2,
	      "a descriptor that does not fit is not counted");
	vcap_usage_sub(&usage, &more);
	equal(usage.descriptors, 1, "a descriptor given back is not counted");
	equal(usage.memory, 100,
	      "the memory of a descriptor given back is not counted");
}

int main(void)
{
	test_limits();
	test_counts();
	return done_testing();
}
