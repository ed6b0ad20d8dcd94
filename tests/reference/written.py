"""How the reference files are written: versions on top, one case a line, doubles that read back the same."""

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
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n")
    print(f"{path.name}: {sum(map(len, groups.values()))} cases", file=sys.stderr)


def agree(found, library, relative=1e-9, scale=0.0):
    """Asserts that a high-precision result and a library's are the same number."""
    found, library = float(found), float(library)
    assert abs(found - library) <= relative * max(abs(library), scale), (found, library)
