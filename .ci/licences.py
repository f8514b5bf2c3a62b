#!/usr/bin/env python3
"""Checks that all dependencies, those of tests and of the race too, have a licence from a list.

Whoever uses the crate passes on what it is built from: so only licences that ask for no more than that their text
goes along.
"""

import json
import re
import subprocess
import sys

ACCEPTED = {
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "MIT",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
}


def is_accepted(expression):
    """Whether an SPDX expression leaves the choice of accepted licences only."""
    # Before there were expressions, a slash stood between the licences of which one may choose.
    tokens = re.findall(r"[()]|[^\s()]+", expression.replace("/", " OR "))

    def alternatives():
        accepted = together()
        while tokens and tokens[0] == "OR":
            tokens.pop(0)
            accepted = together() or accepted
        return accepted

    def together():
        accepted = single()
        while tokens and tokens[0] == "AND":
            tokens.pop(0)
            accepted = single() and accepted
        return accepted

    def single():
        name = tokens.pop(0)
        if name == "(":
            accepted = alternatives()
            tokens.pop(0)
            return accepted
        if tokens and tokens[0] == "WITH":
            name = f"{name} {tokens.pop(0)} {tokens.pop(0)}"
        return name in ACCEPTED

    return alternatives()


def check_the_check():
    good = ["MIT", "MIT/Apache-2.0", "GPL-3.0 OR MIT", "(MIT OR GPL-3.0) AND Unicode-3.0"]
    bad = ["GPL-3.0", "MIT AND GPL-3.0", "MIT AND (GPL-3.0 OR MPL-2.0)", "Apache-2.0 WITH other"]
    assert all(is_accepted(it) for it in good)
    assert not any(is_accepted(it) for it in bad)


def main():
    check_the_check()
    command = ["cargo", "metadata", "--locked", "--all-features", "--format-version", "1"]
    metadata = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    members = set(metadata["workspace_members"])
    others = [package for package in metadata["packages"] if package["id"] not in members]
    refused = [it for it in others if not is_accepted(it["license"] or "none")]
    for package in refused:
        print(f"{package['name']} {package['version']}: {package['license'] or 'says no licence'}")
    if refused:
        sys.exit("These licences are not in the list of .ci/licences.py.")
    print(f"All {len(others)} dependencies have an accepted licence.")


if __name__ == "__main__":
    main()
