// SPDX-License-Identifier: GPL-2.0-or-later
/* The specification's worked example, parsed by the driver's own code. */
#include <stdlib.h>

#include "record.h"
#include "tap.h"
#include "virtio_capture.h"

#define SPEC	"spec/capture-device.md"

/* Parse the n-th hexadecimal dump of the text; return its length. */
static u32 read_dump(int n, u8 *out, u32 size)
{
	FILE *file = fopen(SPEC, "r");
	unsigned int byte;
	char line[512];
	u32 len = 0;
	int skip, seen = 0;

	if (!file)
		return 0;
	while (fgets(line, sizeof(line), file)) {
		char *at = line + 4;

		if (strspn(line, "0123456789abcdef") != 4 || *at != ' ')
			continue;
		seen += !strncmp(line, "0000", 4);
		while (seen == n && len < size &&
		       sscanf(at, " %2x%n", &byte, &skip) == 1) {
			out[len++] = (u8)byte;
			at += skip;
		}
	}
	fclose(file);
	return len;
}

int main(void)
{
	static u8 buf[1024] __attribute__((aligned(8)));
	struct virtio_capture_listen listen;
	struct virtio_capture_ctrl ctrl;
	struct vcap_record rec;
	u32 len, off = 0;

	len = read_dump(1, buf, sizeof(buf));
	equal(len, sizeof(ctrl) + sizeof(listen),
	      "example of LISTEN: its length");
	memcpy(&ctrl, buf, sizeof(ctrl));
	memcpy(&listen, buf + sizeof(ctrl), sizeof(listen));
	equal(le32_to_cpu(ctrl.command), VIRTIO_CAPTURE_C_LISTEN,
	      "example of LISTEN: the command");
	equal(le32_to_cpu(listen.snaplen), 64,
	      "example of LISTEN: the snapshot length");
	equal(le32_to_cpu(listen.flags),
	      VIRTIO_CAPTURE_L_RECEIVED | VIRTIO_CAPTURE_L_SENT,
	      "example of LISTEN: the flags");

	len = read_dump(2, buf, sizeof(buf));
	equal(len, 176, "example of a buffer: its length");
	equal(vcap_record_next(buf, len, &off, &rec), 1,
	      "example of a buffer: there is a first record");
	ok(rec.sec == 1700000000 && rec.nsec == 123456000,
	   "first record of the example: its time");
	ok(rec.caplen == 42 && rec.datalen == 42,
	   "first record of the example: its lengths");
	ok(rec.flags == VIRTIO_CAPTURE_R_SENT && rec.dropped == 3,
	   "first record of the example: sent, three dropped before");
	ok(rec.data == buf + 0x20 && rec.data[12] == 8 && rec.data[13] == 6,
	   "first record of the example: the frame is ARP");
	equal(off, 0x50,
	      "first record of the example: where the second begins");
	equal(vcap_record_next(buf, len, &off, &rec), 1,
	      "example of a buffer: there is a second record");
	ok(rec.sec == 1700000000 && rec.nsec == 123789000,
	   "second record of the example: its time");
	ok(rec.caplen == 64 && rec.datalen == 98,
	   "second record of the example: it is cut");
	ok(rec.flags == 0 && rec.dropped == 3,
	   "second record of the example: received, three dropped before");
	ok(rec.data == buf + 0x70 && rec.data[12] == 8 && rec.data[13] == 0,
	   "second record of the example: the frame is IPv4");
	equal(vcap_record_next(buf, len, &off, &rec), 0,
	      "example of a buffer: there is no third record");
	return done_testing();
}
