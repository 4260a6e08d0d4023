"""What users rely on most: ten lines, and the same numbers as the command."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def test_ten_lines_give_the_same_bytes_as_the_command() -> None:
    script = Path(__file__).with_name("ten_lines.py")
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "the same numbers" in done.stdout
