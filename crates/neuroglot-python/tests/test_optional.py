"""Objects of packages that are used where they are installed: real ones, not imitations."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import SMALL

import neuroglot
from neuroglot import MtM, Session
from neuroglot.errors import SessionError, SettingError


def test_tables_are_pandas_frames(session: Session, model: MtM) -> None:
    pd = pytest.importorskip("pandas")
    for table in (session.units, session.trials, model.evaluate(session, ["forward"]).scores, model.sessions):
        assert isinstance(table, pd.DataFrame)
    assert session.units.groupby("region").size().sum() == session.shape[2]
    trials = pd.DataFrame({"choice": [1.0, -1.0] * 6, "kind": ["go", "stop"] * 6})
    counts = np.random.default_rng(1).poisson(1.0, (12, 5, 3))
    assert Session.from_numpy(counts, trials=trials).trials["choice"].tolist() == trials["choice"].tolist()
    # Columns of any type of texts, with whatever pandas has for what is missing.
    words = ["go", "stop", "go", None] * 3
    for dtype in ("object", "string", "category"):
        trials = pd.DataFrame({"kind": pd.Series(words, dtype=dtype)})
        assert Session.from_numpy(counts, trials=trials).trials["kind"].tolist() == ["go", "stop", "go", ""] * 3


def test_xarray_has_names_for_axes(session: Session, model: MtM) -> None:
    pytest.importorskip("xarray")
    rates = model.predict(session, hide_regions=["CA1"])
    labelled = rates.as_xarray()
    assert labelled.dims == ("trial", "time", "unit")
    assert np.shares_memory(labelled.values, rates.values)
    of_region = labelled.sel(unit=labelled.region == "CA1")
    assert of_region.sizes["unit"] == (np.asarray(session.units["region"]) == "CA1").sum()
    np.testing.assert_allclose(labelled.time, session.time)
    assert model.transform(session).as_xarray().dims == ("trial", "time", "hidden")
    assert int(session.as_xarray().sum()) == int(session.counts.sum())


def test_xarray_opens_what_the_command_predicts(session: Session, model: MtM, tmp_path: Path) -> None:
    xr = pytest.importorskip("xarray")
    pytest.importorskip("zarr")
    session.write(tmp_path / f"{session.eid}_aligned")
    # Files order trials by their split.
    session = Session.read(tmp_path / f"{session.eid}_aligned")
    model.save(tmp_path / "run")
    command = [sys.executable, "-m", "neuroglot", "predict", "run", f"{session.eid}_aligned", "--hide", "regions", "CA1"]
    subprocess.run([*command, "--out", "rates.zarr"], cwd=tmp_path, check=True, capture_output=True)
    data = xr.open_zarr(tmp_path / "rates.zarr")
    rates = model.predict(session, hide_regions=["CA1"], log=True).as_xarray()
    assert data["rates"].dims == rates.dims and data.attrs["eid"] == session.eid
    np.testing.assert_allclose(np.log(data["rates"].values), rates.values, rtol=1e-5)
    np.testing.assert_allclose(data["time"], rates.time, rtol=1e-6)
    assert list(data["region"].values) == list(session.units["region"])
    assert np.array_equal(data["counts"].values, session.counts)
    assert data["hidden"].isel(time=0).values.tolist() == [region == "CA1" for region in session.units["region"]]


def test_pynapple_goes_in_and_out() -> None:
    nap = pytest.importorskip("pynapple")
    random = np.random.default_rng(2)
    spikes = {unit: nap.Ts(np.sort(random.uniform(0, 60, 300))) for unit in (4, 7, 9)}
    group = nap.TsGroup(spikes, metadata={"region": ["CA1", "CA1", "PO"]})
    events = nap.Ts(np.arange(1.0, 59.0, 2.0))
    session = Session.from_pynapple(group, events, window=(-0.2, 0.8), bin=0.05, eid="a")
    assert session.shape == (29, 20, 3)
    assert list(session.units["region"]) == ["CA1", "CA1", "PO"] and list(session.units["uuid"]) == ["a-4", "a-7", "a-9"]
    # pynapple's own counts of the same windows.
    windows = nap.IntervalSet(start=events.t - 0.2, end=events.t + 0.8)
    frame = session.as_pynapple()
    assert isinstance(frame, nap.TsdFrame) and frame.shape == (29 * 20, 3)
    for place, unit in enumerate((4, 7, 9)):
        expected = [len(spikes[unit].restrict(windows[trial])) for trial in range(29)]
        np.testing.assert_array_equal(session.counts[:, :, place].sum(axis=1), expected)
        np.testing.assert_array_equal(frame.values[:, place].reshape(29, 20).sum(axis=1), expected)
    np.testing.assert_allclose(frame.t[:2], [0.825, 0.875])

    intervals = Session.from_pynapple(group, nap.IntervalSet(start=[1.0, 3.0, 9.0], end=[2.0, 4.0, 10.0]), bin=0.1)
    assert intervals.shape == (3, 10, 3)
    with pytest.raises(SettingError, match="not of one length"):
        Session.from_pynapple(group, nap.IntervalSet(start=[1.0, 3.0], end=[2.0, 4.5]), bin=0.1)
    overlapping = Session.from_pynapple(group, nap.Ts(np.array([5.0, 5.5, 9.0])), window=(-0.5, 0.5), bin=0.1)
    with pytest.raises(SessionError, match="overlap"):
        overlapping.as_pynapple()
    with pytest.raises(SessionError, match="not known when"):
        Session.from_numpy(session.counts).as_pynapple()


def test_scikit_learn_clones_chains_and_searches(session: Session) -> None:
    pytest.importorskip("sklearn")
    from sklearn.base import clone
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV, KFold
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import FunctionTransformer

    model = MtM(progress="none", **SMALL)
    copy = clone(model)
    assert copy is not model and copy.get_params() == model.get_params()

    # Latents averaged over bins, then a decoder of choice on top.
    choice = np.asarray(session.trials["choice"]) > 0
    chain = Pipeline(
        [
            ("latents", MtM(progress="none", **SMALL)),
            ("mean", FunctionTransformer(lambda latents: np.asarray(latents).mean(axis=1))),
            ("decoder", LogisticRegression(max_iter=500)),
        ]
    )
    chain.set_params(latents__seed=3)
    assert chain.named_steps["latents"].get_params()["seed"] == 3
    chain.fit(session, choice)
    assert chain.predict(session).shape == (len(session),)

    # Folds are of trials; each model is trained on the training trials of a part and scored on the test trials of the rest.
    folds = KFold(2, shuffle=True, random_state=0)
    search = GridSearchCV(model, {"train__epochs": [0, 20], "train__learning_rate": [1e-3, 1e-2]}, cv=folds)
    search.fit(session)
    assert len(search.cv_results_["mean_test_score"]) == 4
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert search.best_params_["train__epochs"] == 20
    assert search.best_estimator_.predict(session).shape == session.shape


def test_searches_go_on_in_several_processes(session: Session, tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    from sklearn.model_selection import GridSearchCV, KFold

    session.write(tmp_path / "session")
    read = Session.read(tmp_path / "session")
    settings = {"train__learning_rate": [1e-3, 1e-2]}
    model = MtM(progress="none", threads=1, **SMALL)
    # In sessions that were read, test trials come last.
    folds = KFold(2, shuffle=True, random_state=0)
    searches = [GridSearchCV(model, settings, cv=folds, n_jobs=jobs, refit=False) for jobs in (1, 2)]
    found = [search.fit(read).cv_results_["mean_test_score"] for search in searches]
    assert np.isfinite(found).all()
    np.testing.assert_array_equal(*found)


def test_torch_takes_arrays_without_a_copy(session: Session, model: MtM) -> None:
    torch = pytest.importorskip("torch")
    for array in (model.predict(session), model.transform(session)):
        tensor = torch.from_dlpack(array)
        assert tensor.shape == array.shape and tensor.data_ptr() == array.values.ctypes.data
        # Both are the same numbers, also after one is written to.
        tensor[1, 2, 3] = 7.0
        assert array.values[1, 2, 3] == 7.0


def test_jax_takes_arrays_over_without_a_copy(session: Session, model: MtM) -> None:
    jnp = pytest.importorskip("jax.numpy")
    for array in (model.predict(session), model.transform(session)):
        taken = jnp.from_dlpack(array)
        assert taken.unsafe_buffer_pointer() == array.values.ctypes.data
        np.testing.assert_array_equal(taken, array.values)


def test_notebooks_show_progress(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("IPython")
    from IPython.core.interactiveshell import InteractiveShell
    from IPython.utils.capture import capture_output

    from neuroglot import _progress

    assert not _progress._in_notebook()
    monkeypatch.setattr(_progress, "_in_notebook", lambda: True)
    InteractiveShell.instance()
    try:
        with capture_output() as captured:
            neuroglot.MtM(**SMALL).fit(session)
    finally:
        InteractiveShell.clear_instance()
    shown = [output.data["text/html"] for output in captured.outputs if "text/html" in output.data]
    assert any("<progress" in html and "epoch 1/2" in html for html in shown)
    # The bar goes when the work is done.
    assert shown[-1] == ""
