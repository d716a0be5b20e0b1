/* SPDX-License-Identifier: GPL-2.0 */
/* The few pieces of JSON (RFC 8259) that bpfstat writes. */
#ifndef BPFSTAT_JSON_H
#define BPFSTAT_JSON_H

/** json_number() - write a number that is known to be decimal digits */
void json_number(const char *digits);

/**
 * json_string() - write a string, in quotes and with what needs it escaped
 * @text: bytes; one that is not UTF-8 is written as U+FFFD. NULL: null
 */
void json_string(const char *text);

#endif /* BPFSTAT_JSON_H */
