// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Compiles tcpdump's expressions, one a line, into programs for the fuzzers:
 *
 *   compile EXPRESSIONS PROGRAMS
 */
#include <pcap/pcap.h>
#include <stdio.h>
#include <string.h>

/* Each of them optimized and not, for Ethernet. */
static int compile(FILE *out, const char *expression)
{
	pcap_t *pcap = pcap_open_dead(DLT_EN10MB, 65535);
	struct bpf_program program;
	int optimize;

	for (optimize = 0; optimize < 2; optimize++) {
		if (pcap_compile(pcap, &program, expression, optimize,
				 0xffffff00)) {
			fprintf(stderr, "compile: \"%s\": %s\n", expression,
				pcap_geterr(pcap));
			return 1;
		}
		fwrite(&program.bf_len, sizeof(program.bf_len), 1, out);
		fwrite(program.bf_insns, sizeof(program.bf_insns[0]),
		       program.bf_len, out);
		pcap_freecode(&program);
	}
	pcap_close(pcap);
	return 0;
}

int main(int argc, char **argv)
{
	FILE *in = argc == 3 ? fopen(argv[1], "r") : NULL;
	FILE *out = in ? fopen(argv[2], "wb") : NULL;
	char line[1024];
	int failed = 0;

	if (!out) {
		fprintf(stderr, "usage: compile EXPRESSIONS PROGRAMS\n");
		return 2;
	}
	while (fgets(line, sizeof(line), in)) {
		line[strcspn(line, "\n")] = '\0';
		if (line[0] && strncmp(line, "# ", 2))
			failed |= compile(out, line);
	}
	return failed || fclose(out);
}
