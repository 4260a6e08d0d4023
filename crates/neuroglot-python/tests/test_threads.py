"""`threads` bounds all that computes, and changes no result."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import neuroglot
from neuroglot import MtM, Session

#: Prints the time on cores (ns) of the threads that were there before the work, and of all.
WORK = """
import os
from pathlib import Path
import neuroglot

def times():
    return {task.name: int((task / "schedstat").read_text().split()[0]) for task in Path("/proc/self/task").iterdir()}

# Starts the threads that work takes which is given none: three, as the environment says.
session = neuroglot.Session.simulate(units=30, trials=60, bins=30)
before = times()
assert len(before) >= 4, before
settings = {"train.epochs": 2, "model.hidden": 16, "model.layers": 1, "model.heads": 2}
model = neuroglot.MtM(threads=1, progress="none", **settings).fit(session)
model.evaluate(session, ["co-smoothing", "forward"])
model.decode(session, ["choice", "wheel-speed"])
model.predict(session, hide_units=[3])
neuroglot.baselines.evaluate("poisson-glm", session, ["forward"], threads=1, progress="none")
after = times()
others = [name for name in before if name in after and name != str(os.getpid())]
print(sum(after[name] - before[name] for name in others), 1e9 * sum(os.times()[:2]))
"""


@pytest.mark.skipif(not Path("/proc/self/schedstat").exists(), reason="the system does not tell the time of threads")
def test_no_other_threads_compute() -> None:
    environment = {"RAYON_NUM_THREADS": "3", "PYTHONPATH": ":".join(sys.path)}
    done = subprocess.run([sys.executable, "-c", WORK], capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    others, all_threads = map(float, done.stdout.split())
    print(f"other threads computed for {others / 1e6:.0f} of {all_threads / 1e6:.0f} ms")
    assert others < 0.02 * all_threads


def test_results_do_not_depend_on_threads(tmp_path: Path) -> None:
    session = Session.simulate(units=24, trials=60, bins=30)
    settings = {"train__epochs": 2, "model__hidden": 16, "model__layers": 1, "model__heads": 2}
    found = []
    for threads in (1, 2):
        run = tmp_path / f"of {threads}"
        model = MtM(out=run, threads=threads, progress="none", **settings).fit(session)
        model.evaluate().write(run / "evaluation")
        baseline = neuroglot.baselines.evaluate("ridge", session, threads=threads, progress="none")
        # All of the run but what is said of the machine.
        files = {path.relative_to(run): path.read_bytes() for path in run.rglob("*.*") if path.name != "run.json"}
        decoded = {name: list(values) for name, values in model.decode(session).predictions.items()}
        found.append((files, baseline.to_json(), json.dumps(decoded, default=str), model.predict(session).values.tobytes()))
    (files, *rest), (other_files, *other_rest) = found
    assert any("coupling" in str(path) for path in files), "a run with couplings"
    assert sorted(files) == sorted(other_files)
    differing = [str(path) for path in files if files[path] != other_files[path]]
    assert differing == [] and rest == other_rest
