"""Checks that the paths which the documents quote exist. Exit status 1 names every one that does not.

A quoted path is `in backquotes` and begins with a folder of this checkout, or is the target of a [link](path) inside it.
A * stands for any name; what has a <placeholder> in it is left alone, and so is what lies in an ignored folder. Blocks of code
quote nothing.

    python3 tools/check_paths.py [ROOT]           ROOT: the checkout, default the one that holds tools/
"""

import re
import sys
from pathlib import Path

QUOTED = re.compile(r"`([^`\s]+)`")
CODE = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\(([^)\s#]+)[^)]*\)")
FOLDERS = ("native", "src", "tests", "tools", "docs", "configs", "benchmarks", "third_party", ".ci")
MADE = ("docs/build", "build", ".venv", "data")


def documents(root: Path) -> list[Path]:
    return sorted([*root.glob("*.md"), *root.glob("docs/**/*.md"), *root.glob("benchmarks/**/*.md")])


def exists(base: Path, path: str) -> bool:
    path = path.rstrip("/").split(":")[0]
    return any(base.glob(path)) if "*" in path else (base / path).exists()


def faults_of(root: Path, document: Path) -> list[str]:
    """Quoted paths of one document that lead nowhere."""
    faults = []
    text = CODE.sub(lambda block: "\n" * block[0].count("\n"), document.read_text("utf-8"))
    for number, line in enumerate(text.splitlines(), 1):
        quoted = [path for path in QUOTED.findall(line) if path.split("/")[0] in FOLDERS and "/" in path]
        missing = [path for path in quoted if "<" not in path and not path.startswith(MADE) and not exists(root, path)]
        links = [path for path in LINK.findall(line) if "://" not in path and not path.startswith("mailto:")]
        missing += [path for path in links if not exists(document.parent, path)]
        faults += [f"{document.relative_to(root)}:{number}: {path} does not exist" for path in missing]
    return faults


def check(root: Path) -> list[str]:
    return [fault for document in documents(root) for fault in faults_of(root, document)]


if __name__ == "__main__":
    top = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parent.parent
    found = check(top)
    print("\n".join(found) or f"paths quoted in {len(documents(top))} documents exist")
    sys.exit(1 if found else 0)
