# SPDX-License-Identifier: GPL-3.0-or-later
"""Sphinx's settings for `make docs`; pages.py lays out what it reads."""
import json
import os
import pathlib
import posixpath
import re

project = "CASTLE attention"
author = "the CASTLE suite"
version = release = os.environ["CASTLE_VERSION"]
extensions = ["myst_parser"]
root_doc = "index"
exclude_patterns = ["docs/site", "README.md"]
source_suffix = {".md": "markdown"}
myst_heading_anchors = 4
highlight_language = "text"
smartquotes = False

html_theme = "sphinx_rtd_theme"
html_title = "CASTLE attention"
html_static_path = ["style.css"]
html_css_files = ["style.css"]
html_copy_source = False
html_show_search_summary = False  # it asks for pages anew, which browsers refuse from a disk
html_show_sphinx = False
html_show_copyright = False
html_theme_options = {"prev_next_buttons_location": None}

NAMES = {}  # what headers declare: where on the site

# The README is the landing page; what it does not have is the way to all others.
NAVIGATION = {
    "Learn": ["docs/tutorial", "docs/notation", "docs/faq"],
    "Guides": ["docs/validate-a-kernel", "docs/read-a-report", "docs/using-the-vectors", "docs/adding",
               "docs/add-a-mechanism", "vectors/examples/README", "vectors/examples/*/README"],
    "Proofs": ["proofs/README", "proofs/SOUNDNESS", "proofs/rounding", "proofs/complexity", "proofs/stability",
               "proofs/figures", "proofs/coq/README", "docs/kill-matrix"],
    "Reference": ["man/castle.1", "man/castle-*", "docs/check-json", "vectors/dumps/README", "api/index"],
}


def navigation():
    text = ""
    for caption, pages in NAVIGATION.items():
        text += f"\n```{{toctree}}\n:hidden:\n:glob:\n:caption: {caption}\n" + "\n".join(pages) + "\n```\n"
    return text


def on_the_site(docname):
    """Rewrites a link to a file of the sources that is another page here."""
    here = posixpath.dirname(docname)

    def moved(match):
        target = posixpath.normpath(posixpath.join(here, match[1]))
        if target == "README.md":
            target = "index.md"
        elif re.fullmatch(r"docs/[a-z-]+\.[1-9]", target):
            target = f"man/{posixpath.basename(target)}.md"
        elif target.endswith(".h"):
            target = f"api/{target}.md"
        else:
            return match[0]
        return f"]({posixpath.relpath(target, here or '.')}"

    return moved


def read(app, docname, source):
    if not docname.startswith("man/"):
        source[0] = re.sub(r"\]\(([^)#: ]+)(?=[)#])", on_the_site(docname), source[0])
    if docname == root_doc:
        source[0] += navigation()


def link_names(app, pagename, templatename, context, doctree):
    """In code, what a header declares leads there: types, constants, and functions where they are called."""
    here = posixpath.dirname(pagename) or "."

    def linked(match):
        before, name, behind = match.groups()
        place = NAMES.get(name)
        if not place or len(name) == 1 or (name.islower() and "(" not in behind):
            return match[0]
        return f'{before}<a class="declared" href="{posixpath.relpath(place, here)}">{name}</a>{behind}'

    if "body" in context:
        body = re.sub(r'(<span class="n[a-z]?">)(\w+)(</span>(?:<span class="p">\()?)', linked, context["body"])
        context["body"] = re.sub(r'(<span class="pre">)(\w+)((?:\(\))?</span>)', linked, body)


def setup(app):
    NAMES.update(json.loads((pathlib.Path(app.srcdir) / "names.json").read_text()))
    app.connect("source-read", read)
    app.connect("html-page-context", link_names)
