"""Published recordings, read in Python as the command prepares them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from neuroglot import Session
from neuroglot.errors import NotFoundError, SettingError

FIXTURES = Path(__file__).parents[2] / "neuroglot-prepare" / "tests" / "fixtures"
ALF = FIXTURES / "alf" / "lab" / "Subjects" / "NG_001" / "2024-03-01" / "001"


def prepared(source: Path, out: Path, *options: str) -> Session:
    words = [sys.executable, "-m", "neuroglot", "prepare", source, "--out", out, *options]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (folder,) = out.glob("*_aligned")
    return Session.read(folder)


def same(made: Session, other: Session, place: Path) -> None:
    """Sessions are the same once both were written, which puts trials in the order of their splits."""
    made.write(place)
    one = Session.read(place)
    np.testing.assert_array_equal(one.counts, other.counts)
    for first, second in ((one.units, other.units), (one.trials, other.trials)):
        assert list(first) == list(second)
        for name in first:
            np.testing.assert_array_equal(np.asarray(first[name]), np.asarray(second[name]), err_msg=name)
    assert one._native.fingerprint() == other._native.fingerprint()


def test_ibl_folders(tmp_path: Path) -> None:
    same(Session.from_alf(ALF), prepared(ALF, tmp_path / "all"), tmp_path / "own")
    one_probe = Session.from_alf(ALF, reading={"probes": ["probe00"]}, bin_seconds=0.05, window=(-0.5, 1.0))
    options = ("--probes", "probe00", "--bin", "0.05", "--window", "-0.5,1.0")
    same(one_probe, prepared(ALF, tmp_path / "one", *options), tmp_path / "own-probe")
    assert one_probe.bin_seconds == 0.05 and one_probe.shape[1] == 30


def test_nwb_files(tmp_path: Path) -> None:
    file = FIXTURES / "plain.nwb"
    of_command = prepared(file, tmp_path / "command", "--align", "start_time")
    same(Session.from_nwb(file, align="start_time"), of_command, tmp_path / "own")


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"nowhere\.nwb: there is no such file"):
        Session.from_nwb(tmp_path / "nowhere.nwb")
    with pytest.raises(SettingError, match="unknown field `windows`"):
        Session.from_nwb(FIXTURES / "plain.nwb", windows=(0, 1))
