# SPDX-License-Identifier: GPL-3.0-or-later
"""Headers as pages: the comments as text, the code between them as it is, every name in the index.

A header of this project is written to be read from top to bottom, so its page keeps its order. Paragraphs
flow; what is laid out by hand (indented lines, columns) stays as it is. Names are found by ctags.
"""
import pathlib
import re
import subprocess
import sys

SECTION = re.compile(r"/\* -+ (.*?) -+ \*/\n")
# Guards, includes and the frame for C++ say nothing to readers.
FRAME = re.compile(r"^(#ifdef __cplusplus\n(.*\n)*?#endif\n|#ifndef \w+_H\n#define \w+_H\n|#endif\s*\Z"
                   r"|#include .*\n|/\* SPDX.*\n)", re.M)


def names_of(headers):
    """{header: {name: line}} of all that the headers declare but members and guards, at its first place."""
    found = {h: {} for h in headers}
    listed = subprocess.run(
        ["ctags", "-x", "--language-force=C", "--kinds-C=degpstuvx", "--_xformat=%N %n %F", *headers],
        check=True, capture_output=True, text=True).stdout
    for name, line, header in map(str.split, listed.splitlines()):
        if not re.search(r"^__anon|_H$", name):
            found[header][name] = min(int(line), found[header].get(name, int(line)))
    return found


def summary(header):
    """The first sentence of a header's first comment, without "name.h - "."""
    first = re.search(r"^/\*(?!.*SPDX)(.*?)\*/", pathlib.Path(header).read_text(), re.S | re.M)
    if not first:
        sys.exit(f"{header}: expected a comment that says what it is")
    paragraph = re.split(r"\n \*\n", first[1].strip(" *\n"))[0]
    text = " ".join(paragraph.replace("\n *", " ").split())
    return re.split(r"\.(?: |$)", text.removeprefix(f"{pathlib.Path(header).name} - "))[0]


def escaped(text):
    """Prose as Markdown: of all marks only `code` and *emphasis* are meant."""
    marked = re.split(r"(`[^`\n]+`|(?<![\w*])\*[A-Za-z][A-Za-z -]*\*(?![\w*]))", text)
    marked[::2] = [re.sub(r"([\\*_`|<>\[\]{}#$~^])", r"\\\1", part) for part in marked[::2]]
    return "".join(marked)


def boxed(text, language):
    return f"```{language}\n{text}\n```\n\n"


def prose(comment):
    """A comment's text, /* and all, as Markdown."""
    lines = [re.sub(r"^/\*+ ?| ?\*+/$|^ \* ?", "", line.rstrip()) for line in comment.splitlines()]
    page = ""
    for paragraph in re.split(r"\n\s*\n", "\n".join(lines).strip("\n")):
        by_hand = re.search(r"^  |[^ .:;]   +[^ ]", paragraph, re.M)
        page += boxed(paragraph, "text") if by_hand else escaped(paragraph) + "\n\n"
    return page


def code(text, names, header):
    """Code, and before it a place to jump to for each name that it declares."""
    page = ""
    if names:
        entries = ", ".join(f"{name} ({pathlib.Path(header).name})" for name in names)
        page = "<div>" + "".join(f'<span id="c.{name}"></span>' for name in names) + "</div>\n\n"
        page += f"```{{index}} {entries}\n```\n\n"
    return page + boxed(text.strip("\n"), "c")


def header_page(header, names):
    text = pathlib.Path(header).read_text()
    text = FRAME.sub(lambda m: "\n" * m[0].count("\n"), text)  # lines keep their numbers
    page, line = f"# {header}\n\n", 1
    for part in re.split(r"(^/\*.*?\*/\n)", text, flags=re.S | re.M):
        end = line + part.count("\n")
        if title := SECTION.fullmatch(part):
            page += f"## {escaped(title[1][0].upper() + title[1][1:])}\n\n"
        elif part.startswith("/*"):
            page += prose(part.rstrip("\n"))
        elif part.strip():
            page += code(part, [n for n, at in names.items() if line <= at < end], header)
        line = end
    return page
