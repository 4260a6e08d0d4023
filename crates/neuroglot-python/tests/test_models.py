"""Models: predictions, latents, scores, decoding, fine-tuning, keeping."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import SMALL

import neuroglot
from neuroglot import MtM, Session
from neuroglot.errors import NeuroglotError, NeuroglotWarning, NotFoundError, SessionError, SettingError


def test_predictions_are_rates_or_their_logarithms(model: MtM, session: Session) -> None:
    rates = model.predict(session, hide_units=[3, session.units["uuid"][5]])
    logs = model.predict(session, hide_units=[3, 5], log=True)
    assert rates.shape == session.shape and rates.dtype == np.float32
    np.testing.assert_allclose(rates.values, np.exp(logs.values) / session.bin_seconds, rtol=1e-5)
    assert rates.hidden is not None
    assert rates.hidden.shape == session.shape[1:] and np.flatnonzero(rates.hidden.all(axis=0)).tolist() == [3, 5]
    # Near the recorded rates, unit by unit: outputs start there.
    recorded = session.counts.mean(axis=(0, 1)) / session.bin_seconds
    assert np.corrcoef(rates.values.mean(axis=(0, 1)), recorded)[0, 1] > 0.8


@pytest.mark.filterwarnings("ignore:test trials were seen")
def test_what_is_hidden_is_not_seen(model: MtM, session: Session) -> None:
    """Predictions of a hidden unit do not depend on its counts."""
    counts = session.counts.copy()
    counts[:, :, 3] = counts[::-1, :, 3]
    changed = Session.from_numpy(
        counts, regions=list(session.units["region"]), uuids=list(session.units["uuid"]), eid=session.eid
    )
    before, after = (model.predict(one, hide_units=[3]).values for one in (session, changed))
    np.testing.assert_array_equal(before, after)
    shown_before, shown_after = (model.predict(one).values for one in (session, changed))
    assert not np.array_equal(shown_before, shown_after)


def test_bins_and_regions_are_hidden_by_name(model: MtM, session: Session) -> None:
    of_bins = model.predict(session, hide_bins=["15-19"])
    assert of_bins.hidden is not None and of_bins.hidden[15:].all() and not of_bins.hidden[:15].any()
    np.testing.assert_array_equal(of_bins.values, model.predict(session, hide_bins=range(15, 20)).values)
    of_region = model.predict(session, hide_regions="CA1")
    assert of_region.hidden is not None
    regions = np.asarray(session.units["region"])
    np.testing.assert_array_equal(of_region.hidden.all(axis=0), regions == "CA1")
    with pytest.raises(SettingError, match=r"^hide_regions: .* has no region `XYZ`, but CA1, LP, PO, VISa"):
        model.predict(session, hide_regions=["XYZ"])
    with pytest.raises(SettingError, match=r"^prompt is needed: things of several kinds"):
        model.predict(session, hide_regions=["CA1"], hide_bins=[3])
    both = model.predict(session, hide_regions=["CA1"], hide_bins=[3], prompt="causal")
    assert both.hidden is not None and both.hidden[3].all()


def test_latents_make_the_log_rates_of_the_network(session: Session) -> None:
    model = MtM(progress="none", coupling__weight=0, **SMALL).fit(session)
    latents = model.transform(session)
    assert latents.shape == (*session.shape[:2], 16) and latents.last == "hidden"
    units = model.unit_embeddings()
    weights = np.stack([units[str(latent)] for latent in range(16)], axis=1)
    assert list(units["uuid"]) == list(session.units["uuid"])
    logs = model.predict(session, log=True)
    # A linear map: what is left is each unit's bias.
    bias = logs.values - latents.values @ weights.T.astype(np.float32)
    np.testing.assert_allclose(bias, np.broadcast_to(bias.mean(axis=(0, 1)), bias.shape), atol=1e-4)
    assert len(model.session_embeddings()["eid"]) == 1


def test_evaluations_are_frames(model: MtM, session: Session) -> None:
    evaluation = model.evaluate(session, ["co-smoothing", "forward", "choice"])
    scores = evaluation.scores
    assert list(scores["task"]) == ["co-smoothing", "forward"]
    assert list(evaluation.decoding["behaviour"]) == ["choice"]
    assert model.score(session) == pytest.approx(float(scores["bps"][0]))
    units = evaluation.units
    of_task = np.asarray(units["task"]) == "co-smoothing"
    assert np.nanmean(np.asarray(units["bps"])[of_task]) == pytest.approx(float(scores["bps"][0]))
    assert "co-smoothing" in repr(evaluation) and "<svg" in evaluation._repr_html_()
    assert evaluation.score("choice") == evaluation.summary()[session.eid]["choice"]["accuracy"]
    with pytest.raises(SettingError, match="there is no task `cosmoothing`"):
        model.evaluate(session, ["cosmoothing"])


def test_evaluations_are_kept_beside_each_other(model: MtM, session: Session, tmp_path: Path) -> None:
    folder = tmp_path / "evaluation"
    model.evaluate(session, ["forward"]).write(folder)
    model.evaluate(session, ["co-smoothing"]).write(folder)
    kept = neuroglot.Evaluation.read(folder)
    assert sorted(kept.scores["task"]) == ["co-smoothing", "forward"]
    other = MtM(progress="none", seed=1, **SMALL).fit(session).evaluate(session, ["forward"])
    with pytest.raises(SettingError, match="scores there would be lost .*fresh=True replaces them"):
        other.write(folder)
    other.write(folder, fresh=True)
    assert list(neuroglot.Evaluation.read(folder).scores["task"]) == ["forward"]


def test_behaviour_is_decoded_trial_by_trial(model: MtM, session: Session) -> None:
    decoding = model.decode(session, ["choice", "wheel-speed"])
    test = int((np.asarray(session.trials["split"]) == "test").sum())
    table = decoding.predictions
    of_choice = np.asarray(table["behaviour"]) == "choice"
    assert of_choice.sum() == test and (~of_choice).sum() == test * session.shape[1]
    assert set(decoding.scores[session.eid]) == {"choice", "wheel-speed"}
    html = decoding._repr_html_()
    accuracy = decoding.scores[session.eid]["choice"]["accuracy"]
    assert session.eid in html and "wheel-speed" in html and f">{accuracy:.3f}<" in html


def test_a_network_trained_end_to_end_is_one_decoder_more(model: MtM, session: Session) -> None:
    before = model.predict(session).values.copy()
    without, trained = (model.decode(session, "choice", end_to_end=more).scores[session.eid]["choice"] for more in (False, True))
    names = [decoder["features"] for decoder in trained["decoders"]]
    assert names == [*(decoder["features"] for decoder in without["decoders"]), "end to end"]
    assert (model.predict(session).values == before).all()


def test_texts_are_decoded_as_words(session: Session) -> None:
    side = np.where(np.asarray(session.trials["choice"]) > 0, "right", "left")
    named = Session.from_numpy(session.counts, regions=list(session.units["region"]), trials={"side": side}, eid="named")
    model = MtM(progress="none", **SMALL).fit(named)
    table = model.decode(named, "side").predictions
    test = np.flatnonzero(np.asarray(named.trials["split"]) == "test")
    assert list(table["category"]) == list(side[test])
    assert set(table["decoded_category"]) <= {"left", "right"}
    (decoded,) = model.evaluate(named, ["side"]).everything["sessions"][0]["decoding"]
    assert [category["label"] for category in decoded["classes"]] == ["left", "right"]
    # Predictions and latents know the words of their trials too.
    for array in (model.predict(named), model.transform(named)):
        assert list(array.session.trials["side"]) == list(side)


def test_unknown_names_come_with_the_nearest(model: MtM, session: Session) -> None:
    with pytest.raises(SettingError, match="no session has a behaviour `chioce`: the nearest is choice; there are block, choice,"):
        model.decode(session, "chioce")
    # A task is no behaviour, nor is one that other sessions have.
    for name in ("forward", "paw-speed"):
        with pytest.raises(SettingError, match=f"no session has a behaviour `{name}`"):
            model.decode(session, name)
    nearest = "the nearest name is co-smoothing: choose some of co-smoothing, forward,"
    with pytest.raises(SettingError, match=f"there is no task `cosmoothing`, {nearest}"):
        model.evaluate(session, ["cosmoothing"])
    with pytest.raises(SettingError, match="there is no task `chioce`, the nearest name is choice"):
        model.score(session, task="chioce")
    with pytest.raises(SettingError, match="prompt: there is no masking scheme `neurons`: .*; the nearest is neuron$"):
        model.predict(session, prompt="neurons")
    with pytest.raises(SettingError, match="there is no baseline `pst`, the nearest is psth"):
        neuroglot.baselines.evaluate("pst", session)


def test_patches_have_latents_and_no_embeddings_of_units(session: Session) -> None:
    settings = {**SMALL, "model__architecture": "ndt2", "model__patch": 4}
    del settings["model__ndt1_stitch__channels"]
    model = MtM(progress="none", **settings).fit(session)
    latents = model.transform(session)
    assert latents.shape == (*session.shape[:2], 16) and np.isfinite(latents.values).all()
    assert len(model.session_embeddings()["eid"]) == 1
    with pytest.raises(SettingError, match="there are no embeddings of units"):
        model.unit_embeddings()


def test_regions_are_translated_into_each_other(model: MtM, session: Session) -> None:
    table = model.translate(session)
    assert sorted(set(table["target"])) == session.regions
    assert list(table["from"]).count("others") == 4 and list(table["from"]).count("region") == 12


def test_saved_models_open_again(model: MtM, session: Session, tmp_path: Path) -> None:
    model.save(tmp_path / "run")
    again = MtM.load(tmp_path / "run")
    np.testing.assert_array_equal(again.predict(session).values, model.predict(session).values)
    assert "epochs = 2" in again.run_settings
    assert list(again.sessions["eid"]) == [session.eid]
    with pytest.raises(FileExistsError):
        model.save(tmp_path / "run")
    with pytest.raises(NotFoundError, match="no run here"):
        MtM.load(tmp_path / "nowhere")
    # Of a session that was in no folder, the command asks for its name.
    done = subprocess.run(
        [sys.executable, "-m", "neuroglot", "evaluate", tmp_path / "run"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1 and "its sessions were in no folder" in done.stderr, done.stderr


def test_models_and_sessions_are_pickled(model: MtM, session: Session, tmp_path: Path) -> None:
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict(session).values, model.predict(session).values)
    assert again.get_params() == model.get_params() and again.run_folder != model.run_folder
    assert pickle.loads(pickle.dumps(MtM(seed=3))).get_params()["seed"] == 3
    with pytest.raises(SettingError, match="is in memory alone"):
        pickle.dumps(session)
    # Files hold trials in another order, which must not go unnoticed.
    session.write(tmp_path / "session")
    with pytest.raises(SettingError, match="is in memory alone"):
        pickle.dumps(session)
    read = Session.read(tmp_path / "session")
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(read)).counts, read.counts)
    for part in (read[:10], read.filter(regions=["CA1"])):
        with pytest.raises(SettingError, match="is in memory alone"):
            pickle.dumps(part)


def test_runs_go_on_where_they_were_stopped(session: Session, tmp_path: Path) -> None:
    settings = {**SMALL, "train__epochs": 40, "train__checkpoint_seconds": 0, "coupling__weight": 0}

    def stop(text: str, share: float) -> None:
        if share > 0.3:
            raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        MtM(out=tmp_path / "run", progress=stop, **settings).fit(session)
    cut = (tmp_path / "run" / "metrics.jsonl").read_text().count("\n")
    assert 0 < cut < 40
    gone_on = MtM(out=tmp_path / "run", progress="none", **settings).fit(session, resume=True)
    straight = MtM(progress="none", **settings).fit(session)
    np.testing.assert_array_equal(gone_on.predict(session).values, straight.predict(session).values)
    with pytest.raises(SettingError, match="resume: give the run folder"):
        MtM().fit(session, resume=True)


def test_runs_that_were_stopped_in_their_couplings_are_completed(tmp_path: Path) -> None:
    session = Session.simulate(units=40, trials=80, bins=30)

    def stop(text: str, share: float) -> None:
        if text.startswith("coupling of simulated-42-00"):
            raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        MtM(out=tmp_path / "run", progress=stop, **SMALL).fit(session)
    with pytest.warns(NeuroglotWarning, match="one network and no coupling, though the settings"):
        MtM.load(tmp_path / "run")
    completed = MtM(out=tmp_path / "run", progress="none", **SMALL).fit(session, resume=True)
    straight = MtM(progress="none", **SMALL).fit(session)
    np.testing.assert_array_equal(completed.predict(session).values, straight.predict(session).values)


def test_models_are_fine_tuned_on_other_sessions() -> None:
    first, second = neuroglot.simulate(sessions=2, units=12, trials=40, bins=20, seed=4)
    model = MtM(progress="none", **SMALL).fit(first)
    with pytest.raises(SessionError, match="is not one that the model knows"):
        model.predict(second)
    tuned = model.finetune(second, freeze="trunk", train__epochs=1)
    assert tuned.predict(second).shape == second.shape
    assert 'freeze = "trunk"' in tuned.run_settings and "hidden = 16" in tuned.run_settings
    assert np.isfinite(tuned.score(second))


def test_test_trials_that_were_trained_on_are_warned_of(session: Session) -> None:
    uuids, regions = list(session.units["uuid"]), list(session.units["region"])
    splits = [
        Session.from_numpy(session.counts, regions=regions, uuids=uuids, eid="a", seed=seed) for seed in (1, 2)
    ]
    model = MtM(progress="none", **SMALL).fit(splits[0])
    with pytest.warns(NeuroglotWarning, match="test trials were seen in training"):
        model.evaluate(splits[1], ["forward"])


def test_what_is_left_out_is_said() -> None:
    counts = np.random.default_rng(3).poisson(0.5, (30, 10, 6))
    session = Session.from_numpy(counts, regions=["CA1"] * 6)
    model = MtM(progress="none", **SMALL).fit(session)
    with pytest.warns(NeuroglotWarning, match="inter-region is left out: "):
        evaluation = model.evaluate(session, ["inter-region", "forward"])
    assert list(evaluation.scores["task"]) == ["forward"]


def test_several_sessions_are_one_model() -> None:
    sessions = neuroglot.simulate(sessions=2, units=10, trials=30, bins=20)
    model = MtM(progress="none", **SMALL).fit(sessions)
    assert len(model.evaluate(tasks=["forward"]).scores["eid"]) == 2
    assert isinstance(model.fit_transform(sessions), list)


def test_settings_are_those_of_the_command() -> None:
    model = MtM("paper", train__epochs=7, mask__pool=["neuron", "causal"], model__rope=True)
    text = model.settings_toml()
    assert "epochs = 7" in text and 'select = "r2"' in text and "rope = true" in text
    assert MtM(**{"train.epochs": 7}).settings_toml() == MtM(train__epochs=np.int64(7)).settings_toml()
    with pytest.raises(SettingError, match=r"train\.epochs"):
        MtM(train__epocs=3)
    with pytest.raises(ValueError, match=r"train\.epochs = .*|setting train\.epochs"):
        MtM(train__epochs="many")
    with pytest.raises(SettingError, match="there is no recipe `papr`"):
        MtM("papr")
    with pytest.raises(SettingError, match="device = gpu: choose auto"):
        MtM(device="gpu", **SMALL).fit(Session.simulate(units=4, trials=8, bins=5))
    model = MtM(seed=3)
    with pytest.raises(SettingError):
        model.set_params(train__epocs=3)
    assert model.get_params()["seed"] == 3 and "train__epocs" not in model.get_params()
    assert repr(model) == "MtM(seed=3)"


def test_a_model_must_be_trained_before_it_is_asked(session: Session) -> None:
    with pytest.raises(NeuroglotError, match="call `fit`"):
        MtM().predict(session)
    with pytest.raises(SettingError, match="ndarray is no Session"):
        MtM().fit(session.counts)  # type: ignore[arg-type]


def test_models_show_how_they_were_trained(model: MtM, session: Session, tmp_path: Path) -> None:
    html = MtM(progress="none", **{**SMALL, "train__epochs": 5, "train__validate_every": 1}).fit(session)._repr_html_()
    assert "<svg" in html and "epochs 1 to 5" in html and session.eid in html
    model.save(tmp_path / "run")
    # A course that is damaged leaves the rest.
    (tmp_path / "run" / "metrics.jsonl").write_text("nothing")
    damaged = MtM.load(tmp_path / "run")._repr_html_()
    assert "<svg" not in damaged and session.eid in damaged


def test_pictures_of_training_are_of_the_means_over_sessions_and_schemes() -> None:
    from neuroglot._pictures import course

    def line(epoch: int, *scores: float) -> str:
        of = [f'"{name}": {{"neuron": {{"bps": {score}}}}}' for name, score in zip("ab", scores)]
        return f'{{"epoch": {epoch}, "loss": 0.3, "validation": {{{", ".join(of)}}}}}'

    picture = course("\n".join([line(2, 0.0, 0.2), '{"epoch": 3, "loss": 0.2}', line(4, 0.4, 0.2), line(6, 0.1, 0.3)]))
    # Of 0.1, 0.3 and 0.2 at epochs 2, 4 and 6.
    assert 'points="5.0,80.0 115.0,10.0 225.0,45.0"' in picture and ">0.200<" in picture
    assert course('{"epoch": 1, "loss": 0.3}') == ""
