#!/usr/bin/env python3
"""Checks that the Rust version promised in Cargo.toml is enough for all dependencies.

Development dependencies count as well, for `cargo test` needs them. What the crate itself uses of
the standard library is checked by clippy's `incompatible_msrv`.
"""

import json
import subprocess
import sys


def version(text):
    """`1.88` and `1.88.0` are the same."""
    parts = [int(part) for part in text.split(".")]
    return tuple(parts + [0] * (3 - len(parts)))


def main():
    command = ["cargo", "metadata", "--locked", "--format-version", "1"]
    metadata = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    members = set(metadata["workspace_members"])
    packages = metadata["packages"]
    promised = [p["rust_version"] for p in packages if p["id"] in members]
    if None in promised:
        sys.exit("a package of this project promises no rust-version")
    ours = min(promised, key=version)

    others = [p for p in packages if p["id"] not in members]
    known = [p for p in others if p["rust_version"]]
    too_new = [p for p in known if version(p["rust_version"]) > version(ours)]
    for package in too_new:
        needs = package["rust_version"]
        print(f"{package['name']} {package['version']} needs Rust {needs}, we promise {ours}")
    if too_new:
        sys.exit(1)
    newest = max((p["rust_version"] for p in known), key=version, default="none")
    unknown = len(others) - len(known)
    print(f"We promise Rust {ours}; of {len(others)} dependencies none needs more than {newest}")
    print(f"({unknown} of them do not say).")


if __name__ == "__main__":
    main()
