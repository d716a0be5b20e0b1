# SPDX-License-Identifier: GPL-2.0-or-later
"""XML that is edited as text: what is not changed stays as it was written."""
import re
from xml.parsers import expat
from xml.sax.saxutils import escape

from . import Failure


def attribute(name, value):
    """An attribute with the space before it, quoted as libvirt does it."""
    return f" {name}='{escape(value, {chr(39): '&apos;'})}'"


def indent(text):
    """The lines of a text, two columns to the right."""
    return "\n".join(f"  {line}" for line in text.split("\n"))


class Element:
    """An element, and where it stands in the document's bytes."""

    def __init__(self, tag, attributes, parent, start, opened):
        self.tag = tag              # with its namespace, if any: "URI name"
        self.attributes = attributes
        self.parent = parent
        self.children = []
        self.start = start          # of <tag>
        self.opened = opened        # the end of <tag>
        self.end = opened           # of </tag>

    def find(self, tag):
        """The first child of that name, or None."""
        return next((c for c in self.children if c.tag == tag), None)

    def value(self, tag, name):
        """An attribute of a child, or None."""
        child = self.find(tag)
        return child.attributes.get(name) if child else None

    def walk(self):
        """All elements below."""
        waiting = self.children[:]
        while waiting:
            element = waiting.pop()
            yield element
            waiting += element.children


class Document:
    """A document of UTF-8. Edits do not change its elements; text() has them."""

    TAG = re.compile(rb"""<[^\s/>]+(\s+[^\s=]+\s*=\s*("[^"]*"|'[^']*'))*"""
                     rb"""\s*/?>""")
    ATTRIBUTE = re.compile(rb"""\s+([^\s=]+)\s*=\s*("[^"]*"|'[^']*')""")

    def __init__(self, data):
        self.data = data
        self.root = None
        self.prefixes = {}          # of the root's namespaces, by their URI
        self._edits = []
        self._open = []
        parser = expat.ParserCreate("utf-8", " ")
        parser.StartElementHandler = lambda *args: self._start(
            parser.CurrentByteIndex, *args)
        parser.EndElementHandler = lambda _: self._end(parser.CurrentByteIndex)
        parser.StartNamespaceDeclHandler = self._namespace
        parser.StartDoctypeDeclHandler = self._doctype
        try:
            data.decode("utf-8")
            parser.Parse(data, True)
        except UnicodeDecodeError as error:
            raise Failure(f"this is no XML in UTF-8: {error}") from None
        except expat.ExpatError as error:
            raise Failure(f"this is no XML in UTF-8: {error}") from None

    @staticmethod
    def _doctype(*_):
        raise Failure("the XML has a document type, which no domain has")

    def _namespace(self, prefix, uri):
        if not self.root:
            self.prefixes[uri] = prefix

    def _start(self, position, tag, attributes):
        parent = self._open[-1] if self._open else None
        element = Element(tag, attributes, parent, position,
                          self.TAG.match(self.data, position).end())
        if parent:
            parent.children.append(element)
        else:
            self.root = element
        self._open.append(element)

    def _end(self, position):
        element = self._open.pop()
        if not self._is_empty(element):
            element.end = self.data.index(b">", position) + 1

    def _is_empty(self, element):
        """Whether it is written as <tag/>."""
        return self.data[element.opened - 2:element.opened] == b"/>"

    def prefix(self, element):
        """That of an element's namespace."""
        return re.match(rb"<([^\s/>:]+)", self.data[element.start:])[1].decode()

    def _edit(self, start, end, text):
        self._edits.append((start, len(self._edits), end, text.encode()))

    def text(self):
        """The document with all edits; of several at one place, the first
        comes first."""
        data = self.data
        for start, _, end, new in sorted(self._edits, reverse=True):
            data = data[:start] + new + data[end:]
        return data

    def _indentation(self, element):
        """The white space before it, if only that is before it on its line."""
        line = self.data[:element.start].rpartition(b"\n")[2]
        return "" if line.strip() else line.decode()

    def add_child(self, parent, text):
        """Adds one or several elements as the last, on lines of their own."""
        around = self._indentation(parent)
        if parent.children:
            indentation = self._indentation(parent.children[0])
            place = parent.children[-1].end
        else:
            indentation, place = around + "  ", parent.opened
        text = "".join(f"\n{indentation}{line}" for line in text.split("\n"))
        if self._is_empty(parent):
            name = re.match(rb"<([^\s/>]+)", self.data[parent.start:])[1]
            self._edit(place - 2, place,
                       f">{text}\n{around}</{name.decode()}>")
        else:
            self._edit(place, place, text)

    def remove(self, element):
        """Removes an element and the white space before it."""
        self._edit(len(self.data[:element.start].rstrip()), element.end, "")

    def set_attribute(self, element, name, value):
        """Sets an attribute, or removes it: None."""
        tag = self.data[element.start:element.opened]
        start = end = len(tag.rstrip(b"/>").rstrip())
        for match in self.ATTRIBUTE.finditer(tag):
            if match[1] == name.encode():
                start, end = match.span()
        self._edit(element.start + start, element.start + end,
                   "" if value is None else attribute(name, value))
