"""Sessions: made of arrays and spikes, filtered, selected, written and read."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import numpy as np
import pytest

import neuroglot
from neuroglot import Session
from neuroglot.errors import ExistsError, NotFoundError, SessionError, SettingError


def random_counts(trials: int = 12, bins: int = 5, units: int = 4) -> np.ndarray:
    return np.random.default_rng(1).poisson(1.0, (trials, bins, units))


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int64, np.float32, np.float64])
def test_counts_come_back_as_they_were_given(dtype: type) -> None:
    counts = random_counts()
    session = Session.from_numpy(counts.astype(dtype), bin_seconds=0.05, regions=["CA1", "CA1", "PO", None], eid="a")
    assert session.shape == counts.shape == session.counts.shape
    np.testing.assert_array_equal(session.counts, counts)
    assert session.bin_seconds == 0.05
    assert list(session.units["region"][:3]) == ["CA1", "CA1", "PO"]
    assert list(session.units["uuid"]) == ["a-0", "a-1", "a-2", "a-3"]


def test_strided_counts_are_read_in_their_order() -> None:
    counts = random_counts(units=8)[::2, ::-1, ::3]
    np.testing.assert_array_equal(Session.from_numpy(counts).counts, counts)


@pytest.mark.parametrize(("value", "shown"), [(0.5, "0.5"), (-1, "-1"), (np.nan, "nan"), (2.0**32, "4294967296")])
def test_counts_that_are_no_counts_are_refused(value: float, shown: str) -> None:
    counts = random_counts().astype(np.float64)
    counts[3, 2, 1] = value
    with pytest.raises(SettingError, match=f"trial 3 holds {shown}"):
        Session.from_numpy(counts)


def test_parts_that_do_not_fit_are_named() -> None:
    counts = random_counts()
    with pytest.raises(SettingError, match=r"regions: 2 are given for 4 units"):
        Session.from_numpy(counts, regions=["CA1", "PO"])
    with pytest.raises(SettingError, match=r"trials: choice has 3 values for 12 trials"):
        Session.from_numpy(counts, trials={"choice": [1.0, 2.0, 3.0]})
    with pytest.raises(SettingError, match=r"traces: wheel has 5 values"):
        Session.from_numpy(counts, traces={"wheel": np.zeros((1, 5))})
    with pytest.raises(SettingError, match=r"\[trial, bin, unit\]"):
        Session.from_numpy(counts[0])
    with pytest.raises(SettingError, match="splitt"):
        Session.from_numpy(counts, splitt=(70, 10, 20))
    with pytest.raises(SessionError, match="no spike"):
        Session.from_numpy(np.zeros((4, 3, 2)))


def test_behaviours_of_trials_and_bins() -> None:
    counts = random_counts()
    choice = np.where(np.arange(12) % 2, 1.0, -1.0)
    kind = ["go", "stop", None] * 4
    wheel = np.arange(60.0).reshape(12, 5)
    starts = 10.0 * np.arange(12)
    session = Session.from_numpy(
        counts, trials={"choice": choice, "kind": kind}, traces={"wheel": wheel}, starts=starts, bin_seconds=0.1
    )
    trials = session.trials
    np.testing.assert_array_equal(trials["choice"], choice)
    np.testing.assert_array_equal(trials["start"], starts)
    np.testing.assert_array_equal(session.traces["wheel"], wheel)
    np.testing.assert_allclose(session.time, [0.05, 0.15, 0.25, 0.35, 0.45])
    assert list(trials["kind"]) == ["go", "stop", ""] * 4
    splits = list(trials["split"])
    assert {split: splits.count(split) for split in set(splits)} == {"train": 8, "validation": 2, "test": 2}


def test_spikes_are_counted_around_events() -> None:
    # Unit "b" fires at 1.01 s and 1.03 s, unit "a" at 2.05 s; a spike at an edge is of the bin that it begins.
    times, units = [1.01, 1.03, 2.05, 1.02], ["b", "b", "a", "b"]
    session = Session.from_spikes(
        times,
        units,
        align=[1.0, 2.0, np.nan, 3.0],
        window=(0.0, 0.1),
        bin=0.02,
        regions={"a": "CA1", "b": "PO"},
        trials={"side": [0.0, 1.0, 2.0, 3.0]},
    )
    assert session.shape == (3, 5, 2)
    assert list(session.units["region"]) == ["CA1", "PO"]
    expected = np.zeros((3, 5, 2))
    expected[0, 0, 1], expected[0, 1, 1], expected[1, 2, 0] = 1, 2, 1
    np.testing.assert_array_equal(session.counts, expected)
    np.testing.assert_array_equal(session.trials["side"], [0.0, 1.0, 3.0])
    per_unit = Session.from_spikes(
        [[2.05], [1.01, 1.02, 1.03]], align=[1.0, 2.0, 3.0], window=(0.0, 0.1), bin=0.02
    )
    np.testing.assert_array_equal(per_unit.counts, expected)


def test_filters_say_what_they_left_out(session: Session) -> None:
    kept = session.filter(regions=["CA1", "PO"], min_rate=0.1)
    assert kept.regions == ["CA1", "PO"]
    assert any("regions drops" in note for note in kept.notes)
    # Indices are those before filters.
    of_all = list(session.units["uuid"])
    assert [of_all[unit] for unit in kept.units["unit"]] == list(kept.units["uuid"])
    with pytest.raises(SessionError, match="set regions to some of"):
        session.filter(regions=["XYZ"])


def test_selections_of_trials_and_units(session: Session) -> None:
    counts = session.counts
    np.testing.assert_array_equal(session[5:9].counts, counts[5:9])
    np.testing.assert_array_equal(session[[3, -1]].counts, counts[[3, -1]])
    odd = np.arange(len(session)) % 2 == 1
    np.testing.assert_array_equal(session[odd].counts, counts[odd])
    np.testing.assert_array_equal(session.select_units([2, 0]).counts, counts[:, :, [2, 0]])
    assert list(session[[3, 5]].trials["trial"]) == [3, 5]
    with pytest.raises(SettingError, match="counted from 0"):
        session[[60]]
    with pytest.raises(SettingError, match="3 truth values for 16"):
        session.select_units([True, False, True])


def test_written_sessions_are_read_as_they_were(session: Session, tmp_path: Path) -> None:
    folder = tmp_path / "session_aligned"
    session.write(folder)
    again = Session.read(folder)
    # Training, validation and test trials follow each other in files.
    splits = np.asarray(session.trials["split"])
    order = np.concatenate([np.flatnonzero(splits == split) for split in ("train", "validation", "test")])
    np.testing.assert_array_equal(again.counts, session.counts[order])
    np.testing.assert_array_equal(again.true_rates, session.true_rates[order])
    np.testing.assert_array_equal(again.trials["choice"], session[order].trials["choice"])
    assert list(again.units["uuid"]) == list(session.units["uuid"])
    with pytest.raises(ExistsError, match="exists already"):
        session.write(folder)
    session.write(folder, overwrite=True)
    with pytest.raises(NotFoundError, match="no session in"):
        Session.read(tmp_path)
    with pytest.raises(FileNotFoundError):
        Session.read(tmp_path / "nowhere")


def test_simulations_are_those_of_the_command() -> None:
    sessions = neuroglot.simulate(sessions=2, units=8, trials=10, bins=10, seed=3)
    assert [session.eid for session in sessions] == ["simulated-3-00", "simulated-3-01"]
    first = Session.simulate(units=8, trials=10, bins=10, seed=3)
    np.testing.assert_array_equal(first.counts, sessions[0].counts)


def test_true_rates_are_per_second(session: Session) -> None:
    rates = session.true_rates
    assert rates is not None and rates.shape == session.shape
    np.testing.assert_allclose(rates.mean() * session.bin_seconds, session.counts.mean(), rtol=0.05)


def test_sessions_show_themselves(session: Session) -> None:
    assert repr(session) == "<Session simulated-5-00: 60 trials of 20 bins of 20 ms, 16 units in CA1, LP, PO, VISa>"
    html = session._repr_html_()
    assert "data:image/png;base64," in html and "VISa" in html and len(html) < 20_000


def test_pictures_are_images_of_what_they_show() -> None:
    image = pytest.importorskip("PIL.Image")
    from neuroglot._pictures import heat_map

    values = np.array([[0.0, 1.0, 2.0], [4.0, 0.0, 0.0]], dtype=np.float32)
    content = base64.b64decode(heat_map(values, 30, 20).split("base64,")[1].split('"')[0])
    pixels = np.asarray(image.open(io.BytesIO(content)))
    assert pixels.shape == (2, 3, 3)
    assert pixels[0, 0].tolist() == [255, 255, 255] and pixels[1, 0].tolist() == [8, 48, 107]
    assert pixels[0, 1, 0] > pixels[0, 2, 0] > pixels[1, 0, 0]


def test_texts_are_kept_with_their_words(tmp_path: Path) -> None:
    turns = ["late", "early", None] * 4
    session = Session.from_numpy(random_counts(), trials={"turn": turns, "block": [0.2] * 12, "probe": ["left"] * 12})
    words = ["late", "early", ""] * 4
    assert list(session.trials["turn"]) == words
    # What is the same in all trials says nothing of them.
    assert "probe" not in session.trials
    assert "probe is no behaviour: the same text wherever there is one, left" in session.notes
    assert "categories early, late" in session.summary()
    # Selections, filters and files keep the words, whatever trials are left.
    assert list(session[[1, 4, 0]].trials["turn"]) == ["early", "early", "late"]
    assert list(session.select_units([2]).trials["turn"]) == words
    assert list(session.filter(min_rate=0.1).trials["turn"]) == words
    session.write(tmp_path / "session")
    again = Session.read(tmp_path / "session")
    by_id = dict(zip(again.trials["trial_id"], again.trials["turn"], strict=True))
    assert [by_id[name] for name in session.trials["trial_id"]] == words


def test_choices_that_are_texts_are_all_choices() -> None:
    choices = ["left", "none", "right"] * 4
    session = Session.from_numpy(random_counts(), trials={"choice": choices})
    assert list(session.trials["choice"]) == choices
    assert "categories left, none, right" in session.summary()
    with pytest.raises(SettingError, match="are the texts left, none, right"):
        session.filter(drop_no_go=True)
