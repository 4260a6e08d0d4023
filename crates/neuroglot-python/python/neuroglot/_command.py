"""The command ``neuroglot``, which comes with the package."""

from __future__ import annotations

import sys


def main() -> int:
    """Run the command with the arguments of this process.

    Returns
    -------
    int
        The exit code.
    """
    from neuroglot import _neuroglot

    return _neuroglot.command(["neuroglot", *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(main())
