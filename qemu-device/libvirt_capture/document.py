# SPDX-License-Identifier: GPL-2.0-or-later
"""XML edited as text, so that everything that is not changed keeps its form."""
import re
from xml.parsers import expat
from xml.sax.saxutils import escape

from . import Failure


def attribute(name, value):
    """An attribute with a leading space, quoted in libvirt's style."""
    return f" {name}='{escape(value, {chr(39): '&apos;'})}'"


def indent(text):
    """The text with each line indented by two columns."""
    return "\n".join(f"  {line}" for line in text.split("\n"))


class Element:
    """An element, and its position in the bytes of the document."""

    def __init__(self, tag, attributes, parent, start, opened):
        self.tag = tag              # "URI name" if it has a namespace
        self.attributes = attributes
        self.parent = parent
        self.children = []
        self.start = start          # start of <tag>
        self.opened = opened        # end of <tag>
        self.end = opened           # end of </tag>

    def find(self, tag):
        """The first child with that tag, or None."""
        return next((c for c in self.children if c.tag == tag), None)

    def value(self, tag, name):
        """An attribute of a child, or None."""
        child = self.find(tag)
        return child.attributes.get(name) if child else None

    def walk(self):
        """All descendants."""
        waiting = self.children[:]
        while waiting:
            element = waiting.pop()
            yield element
            waiting += element.children


class Document:
    """A UTF-8 document. Edits do not change its elements; text() applies them."""

    TAG = re.compile(rb"""<[^\s/>]+(\s+[^\s=]+\s*=\s*("[^"]*"|'[^']*'))*"""
                     rb"""\s*/?>""")
    ATTRIBUTE = re.compile(rb"""\s+([^\s=]+)\s*=\s*("[^"]*"|'[^']*')""")

    def __init__(self, data):
        self.data = data
        self.root = None
        self.prefixes = {}          # namespace URI of the root: prefix
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
            raise Failure(f"this is not XML in UTF-8: {error}") from None
        except expat.ExpatError as error:
            raise Failure(f"this is not XML in UTF-8: {error}") from None

    @staticmethod
    def _doctype(*_):
        raise Failure("the XML has a document type declaration, but a domain "
                      "has none")

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
        """Whether the element is written as <tag/>."""
        return self.data[element.opened - 2:element.opened] == b"/>"

    def prefix(self, element):
        """The namespace prefix of an element's tag."""
        return re.match(rb"<([^\s/>:]+)", self.data[element.start:])[1].decode()

    def _edit(self, start, end, text):
        self._edits.append((start, len(self._edits), end, text.encode()))

    def text(self):
        """The document with all edits; edits at the same position are applied
        in the order in which they were made."""
        data = self.data
        for start, _, end, new in sorted(self._edits, reverse=True):
            data = data[:start] + new + data[end:]
        return data

    def _indentation(self, element):
        """The white space before an element, unless other text precedes it on
        its line."""
        line = self.data[:element.start].rpartition(b"\n")[2]
        return "" if line.strip() else line.decode()

    def add_child(self, parent, text):
        """Appends one or several children, each on a line of its own."""
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
        """Sets an attribute; the value None removes it."""
        tag = self.data[element.start:element.opened]
        start = end = len(tag.rstrip(b"/>").rstrip())
        for match in self.ATTRIBUTE.finditer(tag):
            if match[1] == name.encode():
                start, end = match.span()
        self._edit(element.start + start, element.start + end,
                   "" if value is None else attribute(name, value))
