// SPDX-License-Identifier: GPL-2.0
/* The subset of JSON (RFC 8259) that bpfstat writes. */
#include <stdio.h>
#include <string.h>

#include "json.h"

void json_number(const char *digits)
{
	/* JSON does not allow leading zeros. */
	while (digits[0] == '0' && digits[1])
		digits++;
	fputs(digits, stdout);
}

/*
 * Return the length of the UTF-8 character at @s, or 0 if it is not valid.
 * Surrogates, numbers above U+10FFFF and overlong encodings are not valid:
 * JSON parsers reject them.
 */
static int utf8_len(const unsigned char *s)
{
	unsigned int value;
	int len, i;

	if (s[0] >= 0xc2 && s[0] <= 0xdf)
		len = 2;
	else if (s[0] >= 0xe0 && s[0] <= 0xef)
		len = 3;
	else if (s[0] >= 0xf0 && s[0] <= 0xf4)
		len = 4;
	else
		return 0;
	value = s[0] & (0x7f >> len);
	for (i = 1; i < len; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		value = value << 6 | (s[i] & 0x3f);
	}
	if ((len == 3 && (value < 0x800 || (value & 0xf800) == 0xd800)) ||
	    (len == 4 && (value < 0x10000 || value > 0x10ffff)))
		return 0;
	return len;
}

void json_string(const char *text)
{
	const unsigned char *s = (const unsigned char *)text;
	int len;

	if (!text) {
		fputs("null", stdout);
		return;
	}
	putchar('"');
	while (*s) {
		len = *s < 0x80 ? 1 : utf8_len(s);
		if (len == 0) {
			fputs("\\ufffd", stdout);
			s++;
			continue;
		}
		if (*s == '"' || *s == '\\')
			printf("\\%c", *s);
		else if (*s < 0x20 || *s == 0x7f)
			printf("\\u%04x", *s);
		else
			fwrite(s, 1, len, stdout);
		s += len;
	}
	putchar('"');
}
