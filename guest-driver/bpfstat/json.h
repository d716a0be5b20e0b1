/* SPDX-License-Identifier: GPL-2.0 */
/* The subset of JSON (RFC 8259) that bpfstat writes. */
#ifndef BPFSTAT_JSON_H
#define BPFSTAT_JSON_H

/** json_number() - write a number that consists of decimal digits */
void json_number(const char *digits);

/**
 * json_string() - write a string, quoted and escaped
 * @text: the string; bytes that are not UTF-8 are written as U+FFFD. NULL: null
 */
void json_string(const char *text);

#endif /* BPFSTAT_JSON_H */
