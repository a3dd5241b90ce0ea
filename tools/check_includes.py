"""Checks who includes whom in native/: the layers of ARCHITECTURE.md, as a table. Exit status 1 names every include that breaks them.

python3 tools/check_includes.py [FOLDER]      FOLDER: the root of the native sources, default native/ beside tools/
"""

import re
import sys
from pathlib import Path

# (files, what they may include), by the path below native/; the first row that fits a file decides.
# {game} is the file's own game folder. Includes in <> are checked for nanobind and CPython alone.
LAYERS = [
    (r"core/[^/]+\.h", r"core/.*"),
    (r"search/[^/]+\.h", r"(core|search)/.*"),
    (r"engine/[^/]+\.(h|cpp)", r"(core|search|engine)/.*|games_list\.inc"),
    (r"inference/[^/]+\.(h|cpp)", r"(core|inference)/.*"),
    (r"games/[^/]+/[^/]+\.h", r"core/.*|games/{game}/.*|search/search_traits\.h"),
    (r"games/[^/]+/[^/]+\.cpp", r"engine/engine_for\.h|games/{game}/.*"),
    (r"verify/[^/]+\.(h|cpp)", r"verify/.*"),
    (r"python/cpu\.cpp", r"(?!)"),
    (r"python/inference\.cpp", r"python/.*|engine/\w+(?<!_for)\.h|inference/tower\.h"),
    (r"python/[^/]+\.(h|cpp)", r"python/.*|engine/\w+(?<!_for)\.h"),
    (r"tests/[^/]+\.(h|cpp)", r".*"),
]
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.MULTILINE)
PYTHON_HEADERS = re.compile(r"nanobind/|Python\.h")


def faults_of(path: str, text: str) -> list[str]:
    """What is wrong with the includes of one file; `path` is relative to native/."""
    allowed = next((includes for files, includes in LAYERS if re.fullmatch(files, path)), None)
    if allowed is None:
        return [f"{path}: belongs to no layer; allowed places are the rows of tools/check_includes.py"]
    if path.startswith("games/"):
        allowed = allowed.replace("{game}", re.escape(path.split("/")[1]))
    faults = []
    for bracket, name in INCLUDE.findall(text):
        if bracket == "<" and PYTHON_HEADERS.match(name) and not path.startswith("python/"):
            faults.append(f"{path}: includes <{name}>; only python/ knows Python")
        if bracket == '"' and not re.fullmatch(allowed, name):
            faults.append(f'{path}: may not include "{name}"; allowed is {allowed}')
    return faults


def cycles(includes: dict[str, list[str]]) -> list[str]:
    """Files that reach themselves again through includes."""
    faults = []
    for start in includes:
        seen: set[str] = set()
        todo = list(includes[start])
        while todo:
            name = todo.pop()
            if name not in seen:
                seen.add(name)
                todo += includes.get(name, [])
        if start in seen:
            faults.append(f"{start}: includes itself again through others")
    return faults


def check(root: Path) -> list[str]:
    sources = {
        path.relative_to(root).as_posix(): path.read_text("utf-8")
        for path in sorted(root.rglob("*"))
        if path.suffix in {".h", ".cpp"}
    }
    if not sources:
        return [f"{root}: no native sources there"]
    faults = [fault for path, text in sources.items() for fault in faults_of(path, text)]
    return faults + cycles({path: [name for _, name in INCLUDE.findall(text)] for path, text in sources.items()})


if __name__ == "__main__":
    found = check(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent.parent / "native")
    print("\n".join(found) or "includes keep to the layers")
    sys.exit(1 if found else 0)
