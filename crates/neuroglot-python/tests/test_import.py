"""Importing the package costs next to nothing."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest


def python(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def test_importing_starts_no_thread_and_imports_nothing_else() -> None:
    found = python(
        "import neuroglot, sys, os;"
        "print(len(os.listdir('/proc/self/task')) if os.path.isdir('/proc/self/task') else 1);"
        "print([name for name in ('numpy', 'pandas', 'xarray', 'sklearn', 'torch', 'pynapple') if name in sys.modules])"
    )
    assert found.splitlines() == ["1", "[]"]


def test_importing_takes_less_than_three_tenths_of_a_second() -> None:
    seconds = []
    for _ in range(5):
        started = time.monotonic()
        python("pass")
        bare = time.monotonic() - started
        started = time.monotonic()
        python("import neuroglot")
        seconds.append(time.monotonic() - started - bare)
    print(f"import neuroglot: {min(seconds):.3f} s")
    assert min(seconds) < 0.3, seconds


@pytest.mark.parametrize("arguments", [["-m", "neuroglot", "--version"], ["-m", "neuroglot._command", "--version"]])
def test_the_command_comes_with_the_package(arguments: list[str]) -> None:
    import neuroglot

    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, f"neuroglot {neuroglot.__version__}"), done.stderr


def test_wrong_usage_of_the_command_exits_with_2() -> None:
    done = subprocess.run([sys.executable, "-m", "neuroglot", "trian"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "train" in done.stderr
