/* SPDX-License-Identifier: GPL-2.0-or-later */
/* /dev/engine-test: runs a program over frames with the driver's code. */
#ifndef ENGINE_TEST_H
#define ENGINE_TEST_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define ENGINE_TEST_MAX_FRAME	65536

/**
 * struct engine_test_frame - a frame, and the results of the engines
 * @data: address of its bytes
 * @wirelen: length on the wire
 * @buflen: bytes at @data
 * @native: result of the engine that the driver chose
 * @interpreted: result of the driver's interpreter
 */
struct engine_test_frame {
	__u64 data;
	__u32 wirelen;
	__u32 buflen;
	__u32 native;
	__u32 interpreted;
};

/**
 * struct engine_test - a program, and frames to run it over
 * @insns: address of its instructions
 * @frames: address of the frames
 * @len: number of instructions
 * @count: number of frames
 * @engine: the engine that the driver chose
 */
struct engine_test {
	__u64 insns;
	__u64 frames;
	__u32 len;
	__u32 count;
	char engine[16];
};

#define ENGINE_TEST_RUN	_IOWR('E', 1, struct engine_test)

#endif /* ENGINE_TEST_H */
