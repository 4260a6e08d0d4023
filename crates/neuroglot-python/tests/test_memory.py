"""Large arrays are made once, and handed over without a copy."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import neuroglot

PEAK = """
from pathlib import Path

import numpy as np
import neuroglot

def peak():
    # Of this process alone: what `resource` says begins with the peak of the process that started it.
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(next(line for line in lines if line.startswith("VmHWM:")).split()[1])

# Few spikes, so that the session itself is small beside its dense counts of 256 MB; but one in every bin, so that every page of
# these is written.
every_bin = np.arange(400 * 400) * 0.0025 + 0.00125
session = neuroglot.Session.from_spikes(
    [every_bin] + [every_bin[unit::400] for unit in range(1, 400)],
    align=np.arange(400.0), window=(0.0, 1.0), bin=0.0025, eid="large"
)
dense = 4 * np.prod(session.shape)
before = peak()
counts = session.counts
assert counts is session.counts and counts.shape == (400, 400, 400)
print((peak() - before) / dense)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux tells the peak of a process")
def test_counts_are_one_array() -> None:
    done = subprocess.run([sys.executable, "-c", PEAK], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    copies = float(done.stdout)
    print(f"counts of 256 MB take {copies:.2f} times their size")
    assert 0.9 < copies < 1.2


def test_counts_and_predictions_are_views_of_what_was_made(
    model: neuroglot.MtM, session: neuroglot.Session
) -> None:
    native = session._native.counts()
    first, second = np.asarray(native), np.asarray(native)
    assert first.ctypes.data == second.ctypes.data == native.__array_interface__["data"][0]
    del native, second
    np.testing.assert_array_equal(first, session.counts)
    for array in (model.predict(session), model.transform(session)):
        # The memory is that which the native module filled.
        assert array.values.base.__array_interface__["data"][0] == array.values.ctypes.data
    rates = model.predict(session)
    assert np.shares_memory(np.asarray(rates), rates.values)
    assert np.shares_memory(np.from_dlpack(rates), rates.values)
    rates.values[0, 0, 0] = 1.0


def test_counts_of_a_session_are_not_written_to(session: neuroglot.Session) -> None:
    assert not session.counts.flags.writeable
