// SPDX-License-Identifier: GPL-2.0
/* bpfstat(8): show the open descriptors of /dev/bpf, as netstat -B on BSD. */
#include <ctype.h>
#include <err.h>
#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "json.h"

#define DESCRIPTORS	"/proc/net/bpf"
#define SYSCTL		"/proc/sys/net/bpf"
#define TOTALS		SYSCTL "/stats"
#define MODULE		"virtio_capture"

/* More words than any line of DESCRIPTORS has. */
#define MAX_WORDS	64

/* Longer than any name in /proc/PID/comm. */
#define COMMAND_SIZE	64

/* The columns of DESCRIPTORS. */
enum {
	PID, INTERFACE, BUFSIZE, RECEIVED, DROPPED, CAPTURED, PROMISC,
	IMMEDIATE, HDRCMPLT, SEESENT, DIRECTION, BUFFERS, FILTER, STATE, COLUMNS
};

enum type { NUMBER, FLAG, WORD };

static const struct column {
	const char *name;
	enum type type;
} columns[COLUMNS] = {
	[PID] = { "pid", NUMBER },
	[INTERFACE] = { "interface", WORD },
	[BUFSIZE] = { "bufsize", NUMBER },
	[RECEIVED] = { "received", NUMBER },
	[DROPPED] = { "dropped", NUMBER },
	[CAPTURED] = { "captured", NUMBER },
	[PROMISC] = { "promisc", FLAG },
	[IMMEDIATE] = { "immediate", FLAG },
	[HDRCMPLT] = { "hdrcmplt", FLAG },
	[SEESENT] = { "seesent", FLAG },
	[DIRECTION] = { "direction", WORD },
	[BUFFERS] = { "buffers", WORD },
	[FILTER] = { "filter", WORD },
	[STATE] = { "state", WORD },
};

/*
 * The order of the columns in DESCRIPTORS, whose first line has their names.
 * Columns in another order and unknown columns are accepted.
 */
struct layout {
	int words;
	int column[MAX_WORDS];		/* -1: unknown */
};

struct options {
	bool json;
	bool totals;
	const char *interface;
};

static const char usage[] =
	"usage: bpfstat [-j] [-i INTERFACE]\n"
	"       bpfstat -s [-j]\n"
	"Show the open descriptors of /dev/bpf.\n"
	"  -i, --interface=NAME  show only descriptors attached to NAME\n"
	"  -j, --json            print JSON\n"
	"  -s, --totals          show the sums of the counts of all descriptors\n"
	"  -h, --help            show this help\n"
	"  -V, --version         show the version\n";

/* Open a file of the driver, or exit with a message. */
static FILE *open_file(const char *path)
{
	FILE *file = fopen(path, "r");

	if (file)
		return file;
	if (errno == EACCES || errno == EPERM)
		errx(1, "%s: only root may see the descriptors", path);
	if (errno != ENOENT)
		err(1, "%s", path);
	if (access(SYSCTL, F_OK) == 0)
		errx(1, "%s: exists in the initial network namespace only",
		     path);
	errx(1, "%s: no such file; the module " MODULE " is not loaded", path);
}

/* Split a line in place. Returns the number of words. */
static int split(char *line, char *words[MAX_WORDS])
{
	char *word, *rest = line;
	int count = 0;

	while ((word = strtok_r(rest, " \t\n", &rest))) {
		if (count == MAX_WORDS)
			errx(1, DESCRIPTORS ": more than %d words in a line",
			     MAX_WORDS);
		words[count++] = word;
	}
	return count;
}

static void parse_names(struct layout *layout, char *line)
{
	char *words[MAX_WORDS];
	bool seen[COLUMNS] = { false };
	int i, c;

	layout->words = split(line, words);
	for (i = 0; i < layout->words; i++) {
		layout->column[i] = -1;
		for (c = 0; c < COLUMNS; c++) {
			if (strcmp(words[i], columns[c].name))
				continue;
			if (seen[c])
				errx(1, DESCRIPTORS ": duplicate column \"%s\"",
				     words[i]);
			seen[c] = true;
			layout->column[i] = c;
		}
	}
	for (c = 0; c < COLUMNS; c++)
		if (!seen[c])
			errx(1, DESCRIPTORS ": missing column \"%s\"",
			     columns[c].name);
}

static bool valid_value(const char *value, enum type type)
{
	switch (type) {
	case NUMBER:
		return value[strspn(value, "0123456789")] == '\0';
	case FLAG:
		return !strcmp(value, "0") || !strcmp(value, "1");
	default:
		return true;
	}
}

static void parse_values(const struct layout *layout, char *line, int number,
			 const char *values[COLUMNS])
{
	char *words[MAX_WORDS];
	int count = split(line, words), i, c;

	if (count != layout->words)
		errx(1, DESCRIPTORS ": line %d has %d words instead of %d",
		     number, count, layout->words);
	for (i = 0; i < count; i++) {
		c = layout->column[i];
		if (c < 0)
			continue;
		if (!valid_value(words[i], columns[c].type))
			errx(1, DESCRIPTORS ": line %d: invalid value \"%s\" of column \"%s\"",
			     number, words[i], columns[c].name);
		values[c] = words[i];
	}
}

/* Read the name of a process; "" if it has exited. */
static void read_command(const char *pid, char command[COMMAND_SIZE])
{
	char path[64];
	FILE *file;
	size_t len;

	snprintf(path, sizeof(path), "/proc/%s/comm", pid);
	file = fopen(path, "r");
	len = file ? fread(command, 1, COMMAND_SIZE - 1, file) : 0;
	if (file)
		fclose(file);
	if (len > 0 && command[len - 1] == '\n')
		len--;
	command[len] = '\0';
}

static void print_heading(void)
{
	printf("%7s %-15s %-5s %10s %10s %10s %8s %-8s %-10s %-11s %s\n",
	       "Pid", "Netif", "Flags", "Recv", "Drop", "Capt", "Bufsize",
	       "Buffers", "State", "Filter", "Command");
}

/* p: promiscuous, i: immediate, h: header complete, s: both directions, o: out */
static void print_flags(const char *const values[COLUMNS])
{
	char direction = '-';

	if (!strcmp(values[DIRECTION], "out"))
		direction = 'o';
	else if (values[SEESENT][0] == '1')
		direction = 's';
	printf("%c%c%c%c ", values[PROMISC][0] == '1' ? 'p' : '-',
	       values[IMMEDIATE][0] == '1' ? 'i' : '-',
	       values[HDRCMPLT][0] == '1' ? 'h' : '-', direction);
}

static void print_line(const char *const values[COLUMNS], char *command)
{
	char *c;

	printf("%7s %-15s ", values[PID], values[INTERFACE]);
	print_flags(values);
	printf(" %10s %10s %10s %8s %-8s %-10s %-11s ", values[RECEIVED],
	       values[DROPPED], values[CAPTURED], values[BUFSIZE],
	       values[BUFFERS], values[STATE], values[FILTER]);
	/* A process sets its own name: replace terminal control characters. */
	for (c = command; *c; c++)
		if ((unsigned char)*c >= 0x80 || !isprint((unsigned char)*c))
			*c = '?';
	puts(*command ? command : "-");
}

static void print_object(const char *const values[COLUMNS],
			 const char *command, bool first)
{
	int c;

	fputs(first ? "\n    {" : ",\n    {", stdout);
	for (c = 0; c < COLUMNS; c++) {
		printf("\"%s\": ", columns[c].name);
		if (columns[c].type == NUMBER)
			json_number(values[c]);
		else if (columns[c].type == FLAG)
			fputs(values[c][0] == '1' ? "true" : "false", stdout);
		else
			json_string(strcmp(values[c], "-") ? values[c] : NULL);
		fputs(", ", stdout);
	}
	fputs("\"command\": ", stdout);
	json_string(*command ? command : NULL);
	fputs("}", stdout);
}

static void show_descriptors(const struct options *options)
{
	char *line = NULL, command[COMMAND_SIZE];
	const char *values[COLUMNS];
	FILE *file = open_file(DESCRIPTORS);
	int number = 1, shown = 0;
	struct layout layout;
	size_t size = 0;

	if (getline(&line, &size, file) < 0)
		errx(1, DESCRIPTORS ": empty");
	parse_names(&layout, line);
	if (options->json)
		fputs("{\"descriptors\": [", stdout);
	else
		print_heading();
	while (getline(&line, &size, file) >= 0) {
		parse_values(&layout, line, ++number, values);
		if (options->interface &&
		    strcmp(values[INTERFACE], options->interface))
			continue;
		read_command(values[PID], command);
		if (options->json)
			print_object(values, command, shown == 0);
		else
			print_line(values, command);
		shown++;
	}
	if (ferror(file))
		err(1, DESCRIPTORS);
	if (options->json)
		puts(shown ? "\n]}" : "]}");
	free(line);
	fclose(file);
}

static void show_totals(const struct options *options)
{
	unsigned long long received, dropped, captured;
	FILE *file = open_file(TOTALS);

	if (fscanf(file, "%llu %llu %llu", &received, &dropped,
		   &captured) != 3)
		errx(1, TOTALS ": does not contain three numbers");
	fclose(file);
	if (options->json) {
		printf("{\"totals\": {\"received\": %llu, ", received);
		printf("\"dropped\": %llu, ", dropped);
		printf("\"captured\": %llu}}\n", captured);
		return;
	}
	printf("%llu packets received\n%llu packets dropped\n%llu packets captured\n",
	       received, dropped, captured);
}

static void bad_usage(const char *message)
{
	if (message)
		warnx("%s", message);
	fputs(usage, stderr);
	exit(2);
}

static void parse_options(int argc, char **argv, struct options *options)
{
	static const struct option names[] = {
		{ "help", no_argument, NULL, 'h' },
		{ "interface", required_argument, NULL, 'i' },
		{ "json", no_argument, NULL, 'j' },
		{ "totals", no_argument, NULL, 's' },
		{ "version", no_argument, NULL, 'V' },
		{ NULL, 0, NULL, 0 },
	};
	int option;

	while ((option = getopt_long(argc, argv, "hi:jsV", names, NULL)) >= 0) {
		switch (option) {
		case 'h':
			fputs(usage, stdout);
			exit(0);
		case 'i':
			options->interface = optarg;
			break;
		case 'j':
			options->json = true;
			break;
		case 's':
			options->totals = true;
			break;
		case 'V':
			puts("bpfstat " VERSION);
			exit(0);
		default:
			bad_usage(NULL);
		}
	}
	if (optind < argc)
		bad_usage("unexpected argument");
	if (options->totals && options->interface)
		bad_usage("-i and -s cannot be used together");
}

int main(int argc, char **argv)
{
	struct options options = { false };

	parse_options(argc, argv, &options);
	if (options.totals)
		show_totals(&options);
	else
		show_descriptors(&options);
	if (fflush(stdout) || ferror(stdout))
		err(1, "cannot write");
	return 0;
}
