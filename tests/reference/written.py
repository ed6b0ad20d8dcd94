"""How the reference files are written: versions on top, one case a line, doubles that read back the same.

With --check nothing is written: the script ends with an error unless the file beside it holds the same numbers.
"""

import json
import pathlib
import platform
import sys
from importlib.metadata import version


def write(script, about, packages, groups):
    """Writes the JSON beside `script`: `groups` maps a name to its list of cases."""
    made_with = {"python": platform.python_version()} | {name: version(name) for name in packages}
    lines = [f'  "about": {json.dumps(about)}', f'  "made_with": {json.dumps(made_with)}']
    for name, cases in groups.items():
        rows = ",\n".join("    " + json.dumps(case, allow_nan=False) for case in cases)
        lines.append(f'  "{name}": [\n{rows}\n  ]')
    path = pathlib.Path(script).with_suffix(".json")
    text = "{\n" + ",\n".join(lines) + "\n}\n"
    if sys.argv[1:] == ["--check"]:
        check(path, json.loads(text))
    else:
        path.write_text(text)
    print(f"{path.name}: {sum(map(len, groups.values()))} cases", file=sys.stderr)


def agree(found, library, relative=1e-9, scale=0.0):
    """Asserts that a high-precision result and a library's are the same number."""
    found, library = float(found), float(library)
    assert abs(found - library) <= relative * max(abs(library), scale), (found, library)


def check(path, made):
    """Stops unless the file holds what was made, whatever versions it was made with."""
    kept = json.loads(path.read_text())
    for name in sorted((made.keys() | kept.keys()) - {"made_with"}):
        if made.get(name) == kept.get(name):
            continue
        pairs = zip(made.get(name, []), kept.get(name, []))
        first = next(((ours, theirs) for ours, theirs in pairs if ours != theirs), None)
        what = f"{first[1]} there, {first[0]} made" if first else "not as many cases, or none"
        hint = "run the script without --check and read the diff"
        sys.exit(f"{path.name}: {name} is not what the script makes: {what}; {hint}")
