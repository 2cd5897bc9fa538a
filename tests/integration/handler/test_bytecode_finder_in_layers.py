"""In the built layers the finder finds what Python's own finder finds."""

import json
import subprocess

SPECS = """
import json, os, pathlib, sys
from importlib.machinery import PathFinder

from traced_agent.cold_start.bytecode_finder import BytecodeFinder

root = pathlib.Path(sys.argv[2])
finder = BytecodeFinder(str(root), [str(root.parent), sys.argv[1]])
parts = ("name", "origin", "cached", "has_location", "parent", "submodule_search_locations")
found, left, different = 0, [], []
for folder, folders, files in os.walk(root):
    folders[:] = [name for name in folders if name.isidentifier() and name != "__pycache__"]
    package = ".".join(pathlib.Path(folder).relative_to(root).parts)
    for module in {name.partition(".")[0] for name in [*folders, *files]} - {"__init__", "__pycache__"}:
        name = f"{package}.{module}" if package else module
        ours = finder.find_spec(name, [folder] if package else None)
        if ours is None:
            left.append(name)
            continue
        found += 1
        theirs = PathFinder.find_spec(name, [folder] if package else None)
        if [getattr(ours, part) for part in parts] != [getattr(theirs, part, None) for part in parts]:
            different.append(name)
missed = []
for name in left:
    path = root.joinpath(*name.split("."))
    beside = {entry.suffix for entry in path.parent.glob(f"{path.name}.*")}
    if (path / "__init__.py").exists() or (".py" in beside and ".so" not in beside and not path.is_dir()):
        missed.append(name)
print(json.dumps({"found": found, "different": different, "missed": missed}))
"""


def test_every_source_module_is_found_as_python_finds_it(opt, source, target_python):
    paths = "import sys; sys.path[:0] = sys.argv[1:3]\n"
    argv = [target_python, "-IB", "-c", paths + SPECS, source, opt / "python"]
    ran = subprocess.run(argv, capture_output=True, encoding="utf-8", check=False)
    assert ran.returncode == 0, ran.stderr

    compared = json.loads(ran.stdout)
    assert compared["found"] > 2000
    assert compared["different"] == []
    assert compared["missed"] == []
