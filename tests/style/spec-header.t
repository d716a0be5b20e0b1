#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The wire format's header compiles alone, has no padding, and agrees with the
specification's text."""
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import headers  # noqa: E402
import spectext  # noqa: E402
import tree  # noqa: E402


def claim(condition):
    """A declaration that compiles only if the condition holds."""
    return f"extern char claim[({condition}) ? 1 : -1];"


def layout():
    """The statements of the text's tables: (place, C condition)."""
    for name, (line, size, fields) in spectext.structures().items():
        struct = f"struct {name}"
        yield f"{spectext.NAME}:{line}", f"sizeof({struct}) == {size}"
        for offset, length, field in fields:
            yield (f"{spectext.NAME}:{line}",
                   f"__builtin_offsetof({struct}, {field}) == {offset}"
                   f" && sizeof((({struct} *)0)->{field}) == {length}")
    for name, (line, value) in spectext.constants().items():
        yield f"{spectext.NAME}:{line}", f"{name} == {value}"


def check(tap):
    """Compiles the header alone in each language, then checks each statement."""
    include = spectext.HEADER.split("/")[-1]
    flags = ("-I", "spec", "-Wpadded")
    jobs = [(f"{spectext.HEADER}:1: compiles alone, without padding", language,
             headers.including([include]), *flags)
            for language in headers.LANGUAGES]
    jobs += [(f"{place}: {condition}", "GNU C11",
              headers.including([include], claim(condition)), *flags)
             for place, condition in layout()]
    headers.compile_all(tap, jobs)

    for name, (line, size, fields) in spectext.structures().items():
        total = sum(length for _, length, _ in fields)
        tap.equal(total, size, f"{spectext.NAME}:{line}: {name}: the fields' sizes add up")
    defined(tap)


def defined(tap):
    """The text's tables have all structures and constants of the header."""
    source = tree.text(spectext.HEADER)
    tap.equal(sorted(spectext.structures()),
              sorted(re.findall(r"^struct (\w+) \{", source, re.M)),
              f"{spectext.HEADER}:1: each structure has a table")
    macros = re.findall(r"^#define (VIRTIO_\w+)[ \t]+\S", source, re.M)
    missing = [name for name in macros
               if f"`{name}`" not in tree.text(spectext.NAME)]
    tap.equal(missing, [], f"{spectext.HEADER}:1: the text has each constant")


tree.main(check)
