"""The way of ten lines, with NumPy alone, and the same numbers from the command, byte for byte.

Run by itself, in an environment that holds nothing but the package and NumPy.
"""

import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

import numpy as np

import neuroglot

SMALL = {"seed": 3, "train.epochs": 3, "model.hidden": 16, "model.layers": 2, "model.heads": 2}
SMALL |= {"model.ndt1-stitch.channels": 8, "data.min_rate": 0.5}


def ten_lines(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    neuroglot.Session.simulate(units=12, trials=60, bins=20, seed=7).write(folder / "session")
    session = neuroglot.Session.read(folder / "session")
    model = neuroglot.MtM(out=folder / "python", threads=1, progress="none", **SMALL).fit(session)
    evaluation = model.evaluate()
    rates = model.predict(session, hide_regions=["CA1"])
    latents = model.transform(session)
    model.save(folder / "saved")
    again = neuroglot.MtM.load(folder / "saved", threads=1)
    assert np.array_equal(rates, again.predict(session, hide_regions=["CA1"]))
    evaluation.write(folder / "python" / "evaluation")
    return np.asarray(rates), np.asarray(latents)


def command(*arguments: object) -> None:
    script = Path(sysconfig.get_path("scripts")) / ("neuroglot.exe" if sys.platform == "win32" else "neuroglot")
    subprocess.run([script, "--threads", "1", "--quiet", *map(str, arguments)], check=True, stdout=subprocess.PIPE)


def same_from_the_command(folder: Path, rates: np.ndarray) -> None:
    settings = [word for key, value in SMALL.items() for word in ("--set", f"{key}={value}")]
    run = folder / "command"
    command("train", folder / "session", "--out", run, "--recipe", "neuroglot", *settings)
    command("evaluate", run)
    python = folder / "python"
    names = ["config.toml", "metrics.jsonl", "best/config.json", "best/model.safetensors"]
    names += ["last/model.safetensors", "evaluation/evaluation.json", "evaluation/summary.json"]
    names += ["evaluation/units.parquet"]
    # Whatever else a checkpoint holds: couplings, networks.
    names += sorted(str(path.relative_to(run)) for path in (run / "best").rglob("*") if path.is_file())
    for name in names:
        assert (run / name).read_bytes() == (python / name).read_bytes(), f"{name} differs"
    table = folder / "rates.npz"
    command("predict", run, folder / "session", "--hide", "regions", "CA1", "--out", table)
    with np.load(table) as found:
        trials, bins, units = rates.shape
        of_command = found["rates"].reshape(trials, units, bins).transpose(0, 2, 1)
    # The table has spikes/bin.
    np.testing.assert_array_equal(of_command / np.float32(0.02), rates)
    # Each opens the run of the other.
    command("evaluate", python, folder / "session", "--tasks", "forward", "--out", folder / "scores")
    of_run = neuroglot.MtM.load(run, threads=1).predict(neuroglot.Session.read(folder / "session"), hide_regions=["CA1"])
    np.testing.assert_array_equal(of_run, rates)


def main() -> None:
    for name in ("pandas", "xarray", "pynapple", "sklearn", "torch", "IPython"):
        assert name not in sys.modules, f"{name} was imported"
    with tempfile.TemporaryDirectory() as name:
        rates, latents = ten_lines(Path(name))
        assert rates.shape == (60, 20, 12) and latents.shape == (60, 20, 16), (rates.shape, latents.shape)
        same_from_the_command(Path(name), rates)
    print("ten lines: the same numbers from Python and from the command")


if __name__ == "__main__":
    main()
