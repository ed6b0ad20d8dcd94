"""Start: `python3 -I -S -B containers/runner/lockstep_runner [--backend NAME|FILE.py]`.

Kept in the words of old Pythons, so that one that is too old says so instead of showing a syntax error.
"""

import os
import sys


def main():
    if sys.version_info < (3, 9):
        sys.stderr.write("this runner needs Python 3.9 or later, this is %s\n" % sys.version.split()[0])
        return 2
    # Python puts this folder on the path; the package is found from the one above it.
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [os.path.dirname(here)] + [entry for entry in sys.path if os.path.abspath(entry) != here]
    from lockstep_runner import VERSION, backends, loop

    backend = "reference"
    arguments = sys.argv[1:]
    if arguments == ["--version"]:
        sys.stderr.write("lockstep_runner %s\n" % VERSION)
        return 0
    if len(arguments) == 2 and arguments[0] == "--backend" and backends.is_known(arguments[1]):
        backend = arguments[1]
    elif arguments:
        known = ", ".join(backends.NAMES)
        sys.stderr.write("usage: lockstep_runner [--backend NAME|FILE.py] | --version; backends: %s\n" % known)
        return 2
    return loop.run(backend)


if __name__ == "__main__":
    status = main()
    sys.stderr.flush()
    # At once: the threads that read and beat must not outlive the answer, and freeing a model takes time.
    os._exit(status)
