"""Ctrl-C stops work, and other threads go on meanwhile."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from conftest import SMALL

import neuroglot

TRAINING = """
import neuroglot, signal, sys
# Where the tests run in the background of a shell, Ctrl-C is ignored from the start.
signal.signal(signal.SIGINT, signal.default_int_handler)
session = neuroglot.Session.simulate(units=16, trials=60, bins=20)
settings = {"train.epochs": 1000000, "train.checkpoint_seconds": 0, "model.hidden": 16, "model.layers": 1, "model.heads": 2}
print("begins", flush=True)
try:
    neuroglot.MtM(out=sys.argv[1], progress="none", **settings).fit(session)
except KeyboardInterrupt:
    print("stopped", flush=True)
# Nothing holds the folder any more.
neuroglot.MtM(out=sys.argv[1], progress=lambda text, share: 1 / 0, **settings).fit(session, resume=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends Ctrl-C to whole groups of processes")
def test_ctrl_c_stops_training_and_leaves_a_run_that_goes_on(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", TRAINING, tmp_path / "run"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        assert process.stdout.readline() == "begins\n"
        metrics = tmp_path / "run" / "metrics.jsonl"
        while not metrics.exists():
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.05)
        asked = time.monotonic()
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == "stopped\n"
        assert time.monotonic() - asked < 10
        _, errors = process.communicate(timeout=60)
    assert "ZeroDivisionError" in errors, errors


def test_other_threads_go_on_during_training(session: neuroglot.Session) -> None:
    ticks: list[float] = []
    done = threading.Event()

    def tick() -> None:
        while not done.is_set():
            ticks.append(time.monotonic())
            time.sleep(0.01)

    thread = threading.Thread(target=tick)
    thread.start()
    started = time.monotonic()
    neuroglot.MtM(progress="none", **{**SMALL, "train__epochs": 200}).fit(session)
    seconds = time.monotonic() - started
    done.set()
    thread.join()
    # With Python's lock held there would be none at all.
    assert len(ticks) > 10 * min(seconds, 1.0), (len(ticks), seconds)


def test_progress_is_told_to_functions(session: neuroglot.Session) -> None:
    told: list[tuple[str, float]] = []
    model = neuroglot.MtM(progress=lambda text, share: told.append((text, share)), **SMALL).fit(session)
    assert told and told[0][0].startswith("epoch 1/2  loss ") and all(0 <= share <= 1 for _, share in told)
    told.clear()
    model.evaluate(session, ["forward"])
    assert told[0][0] == f"{session.eid}  forward"
