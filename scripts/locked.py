"""The versions of uv.lock as pip constraints, one a line, for a machine that has pip and no uv."""

import sys
import tomllib
from pathlib import Path


def constraints(lock: str) -> list[str]:
    """`name==version`, with the marker where the lock keeps one version per kind of machine."""
    lines = []
    for package in tomllib.loads(lock)["package"]:
        if "registry" not in package["source"]:
            continue
        markers = " or ".join(f"({marker})" for marker in package.get("resolution-markers", []))
        lines.append(f"{package['name']}=={package['version']}" + (f" ; {markers}" if markers else ""))
    return lines


if __name__ == "__main__":
    print("\n".join(constraints(Path(sys.argv[1]).read_text(encoding="utf-8"))))
