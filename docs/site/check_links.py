#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Follows all links of a site without leaving it: check_links.py SITE. Exits with 1 if one is broken.

A link must lead to a file of the site and, behind a #, to an element of that page; every page must be
reached from index.html. Links into the world are not tried. (LinkChecker with its AnchorCheck finds the
same in minutes, since it loads a page anew for each of its anchors.)
"""
import html.parser
import os
import pathlib
import sys
import urllib.parse


class Page(html.parser.HTMLParser):
    """The links of a page and the places in it that links may lead to."""

    def __init__(self, path):
        super().__init__()
        self.links, self.places = [], {"", "top"}
        self.feed(path.read_text())

    def handle_starttag(self, tag, attributes):
        a = dict(attributes)
        self.places.update(a[key] for key in ("id", "name") if a.get(key))
        self.links += [(self.getpos()[0], a[key]) for key in ("href", "src") if a.get(key)]


def main(site):
    pages = {path: Page(path) for path in sorted(site.rglob("*.html"))}
    broken, links, linked = [], 0, {site / "index.html", site / "search.html", site / "genindex.html"}
    for path, page in pages.items():
        for line, link in page.links:
            url = urllib.parse.urlsplit(link)
            if url.scheme:
                continue
            links += 1
            to = path
            if url.path:
                to = pathlib.Path(os.path.normpath(path.parent / urllib.parse.unquote(url.path)))
            linked |= {to} - {path}
            if not to.is_file() or not to.is_relative_to(site):
                broken.append(f"{path}:{line}: {link} is not there")
            elif to in pages and urllib.parse.unquote(url.fragment) not in pages[to].places:
                broken.append(f"{path}:{line}: {link}: the page has no such place")
    broken += [f"{path}: no page leads there" for path in pages if path not in linked]
    print("\n".join(broken + [f"{site}: {len(pages)} pages, {links} links, {len(broken)} broken"]))
    return bool(broken) or not links


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1])))
