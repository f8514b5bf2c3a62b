#!/usr/bin/env python3
"""Checks that what the crate's users can name is what docs/api.txt says; `--write` writes that file.

A change of it is none by accident: it stands in the diff, and in the changelog. What is compared is what rustdoc
shows of each public item, without its documentation: declaration, methods, implemented traits, and whether it is
`Send`, `Sync`, and so on. So it needs no other compiler than the rest. Another version of the compiler may show
something in another way; then the file is written anew, and its diff says that nothing else has changed.
"""

import difflib
import html.parser
import pathlib
import subprocess
import sys

LISTING = pathlib.Path("docs/api.txt")
DOCUMENTATION = pathlib.Path("target/doc/concurrent_futures")
# Traits that cannot be named in stable Rust.
UNSTABLE = ("Freeze", "StructuralPartialEq", "UnsafeUnpin")
# What others implement for all types, and what is reached by way of another type.
ELSEWHERE = ("blanket-implementations", "deref-methods", "implementors",
             "synthetic-implementors", "foreign-impls")


class Page(html.parser.HTMLParser):
    """Collects the declaration of an item, and the headers of what is implemented for it."""

    def __init__(self):
        super().__init__()
        self.declaration = ""
        self.implementations = {}
        self.implementation = None
        self.part = ""
        self.member = ""
        self.within = []
        self.text = None

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        names = (attributes.get("class") or "").split()
        if tag == "h2":
            self.part = attributes.get("id") or ""
        elif tag == "section":
            self.member = " ".join(names)
        is_header = "code-header" in names or (tag == "pre" and "item-decl" in names)
        if self.text is not None and tag in ("div", "br"):
            self.text += "\n"
        if self.text is None and is_header:
            self.text, self.within = "", [tag]
        elif self.text is not None and tag not in ("br", "wbr", "img"):
            self.within.append(tag)

    def handle_data(self, data):
        # "Show 3 methods" is no part of a declaration.
        if self.text is not None and "summary" not in self.within:
            self.text += data

    def handle_endtag(self, tag):
        if self.text is None or tag not in self.within:
            return
        while self.within.pop() != tag:
            pass
        if tag == "div":
            self.text += "\n"
        if not self.within:
            # The mark stands for a note about what implements `Iterator` or `Future`.
            text = self.text.replace("\N{NO-BREAK SPACE}", " ").replace(" ⓘ", "")
            self.take(tag, text)
            self.text = None

    def take(self, tag, text):
        if tag == "pre":
            self.declaration += "\n".join(line.rstrip() for line in text.splitlines() if line.strip())
        elif not self.part.startswith(ELSEWHERE):
            text = " ".join(text.split()).rstrip(",")
            text = text.replace("( ", "(").replace(", )", ")")
            if tag == "h3" and "impl" in self.member.split():
                self.implementation = text
                if not any(f"{name} for" in text for name in UNSTABLE):
                    self.implementations.setdefault(text, set())
            elif tag == "h4" and self.implementation and ("trait-impl" not in self.member or text.startswith("type")):
                self.implementations[self.implementation].add(text)

    def lines(self):
        yield self.declaration
        for implementation, members in sorted(self.implementations.items()):
            yield f"  {implementation}"
            yield from (f"    {member}" for member in sorted(members))


class Links(html.parser.HTMLParser):
    """Collects the pages of all public items."""

    def __init__(self):
        super().__init__()
        self.paths = []

    def handle_starttag(self, tag, attributes):
        path = dict(attributes).get("href") or ""
        kind = path.rsplit("/", 1)[-1].split(".")[0]
        if tag == "a" and path.endswith(".html") and not path.startswith(".."):
            if kind not in ("index", "all", "help", "settings"):
                self.paths.append(path)


def listing():
    links = Links()
    links.feed((DOCUMENTATION / "all.html").read_text())
    parts = []
    for path in sorted(set(links.paths)):
        page = Page()
        page.feed((DOCUMENTATION / path).read_text())
        if not page.declaration:
            sys.exit(f"{path} has no declaration; rustdoc writes something else than it did")
        parts.append("\n".join(page.lines()) + "\n")
    if len(parts) < 50:
        sys.exit(f"only {len(parts)} items found; rustdoc writes something else than it did")
    return "\n".join(parts)


def main():
    command = ["cargo", "doc", "--locked", "--package", "concurrent-futures", "--lib"]
    subprocess.run(command + ["--no-deps", "--all-features", "--quiet"], check=True)
    found = listing()
    if sys.argv[1:] == ["--write"]:
        LISTING.write_text(found)
        return
    expected = LISTING.read_text()
    if found != expected:
        lines = expected.splitlines(), found.splitlines()
        print("\n".join(difflib.unified_diff(*lines, "docs/api.txt", "found", n=1, lineterm="")))
        sys.exit("The public API has changed. If it should, run `python3 .ci/public_api.py --write`.")
    print(f"The public API is that of docs/api.txt, of {len(found.splitlines())} lines.")


if __name__ == "__main__":
    main()
