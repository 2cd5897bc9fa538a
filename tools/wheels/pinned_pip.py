"""pip for the target that reads files of the pinned releases only: `pinned_pip ARCHITECTURE PINS download …`.

PINS is a list of `name==version`, separated by commas; it is empty to read all files.
"""

import sys

from pip._internal.cli.main import main

from tools.wheels.pip_for_target import pip_for_target

if __name__ == "__main__":
    pins = [pin.split("==") for pin in sys.argv[2].split(",") if pin]
    with pip_for_target(sys.argv[1], pinned={name: frozenset({version}) for name, version in pins}):
        sys.exit(main(sys.argv[3:]))
