"""Models: training, and all that is asked of them."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import warnings
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from neuroglot import _neuroglot
from neuroglot._frames import frame
from neuroglot._progress import Progress, Shown, checked
from neuroglot.arrays import SessionArray
from neuroglot.errors import ExistsError, NeuroglotError, NeuroglotWarning, SettingError
from neuroglot.evaluation import Decoding, Evaluation
from neuroglot.session import Session

if TYPE_CHECKING:
    import pandas as pd
    from typing_extensions import Self

    PathLike = str | os.PathLike[str]
    Sessions = Session | Iterable[Session]

__all__ = ["MtM"]

_OWN = ("recipe", "config", "device", "threads", "out", "progress")
_KEYS = {key.replace(".", "__").replace("-", "_"): key for key in _neuroglot.setting_keys()}


class MtM:
    """A multi-task-masking model of sessions, with scikit-learn's habits.

    Settings are those of the command and of ``config.toml``: ``train.epochs`` is ``train__epochs`` here, ``model.hidden`` is
    ``model__hidden``, ``seed`` is ``seed``. Keys with dots are taken too: ``MtM(**{"train.epochs": 50})``.

    Parameters
    ----------
    recipe : {"neuroglot", "paper"}
        Settings to start from: this project's, or the published ones.
    config : path, optional
        A settings file in TOML, such as the ``config.toml`` of a run, which comes after the recipe.
    device : str
        Where to compute: ``"auto"`` (the first NVIDIA GPU that can be used, else the CPU), ``"cpu"``, ``"cuda"`` or ``"cuda:N"``.
    threads : int
        Threads of the CPU that networks, couplings and decoders compute on; 0 takes one per core. Results do not depend on it.
    out : path, optional
        The run folder that :meth:`fit` makes; a temporary one, which goes with the model, where none is given.
    progress : {"auto", "none"} or function
        How progress is shown: in a terminal or a notebook, not at all, or by a function of a text and a share from 0 to 1.
    **settings
        Any settings, which come last.

    Raises
    ------
    SettingError
        A setting that there is not, with the nearest one, or a value that cannot be.

    Examples
    --------
    >>> import neuroglot
    >>> session = neuroglot.Session.simulate(units=12, trials=40, bins=20)
    >>> model = neuroglot.MtM(train__epochs=2, model__hidden=16, model__layers=1, model__heads=2)
    >>> model.fit(session).transform(session).shape
    (40, 20, 16)
    """

    def __init__(
        self,
        recipe: str = "neuroglot",
        *,
        config: PathLike | None = None,
        device: str = "auto",
        threads: int = 0,
        out: PathLike | None = None,
        progress: Progress = "auto",
        **settings: Any,
    ) -> None:
        self.recipe = recipe
        self.config = config
        self.device = device
        self.threads = threads
        self.out = out
        self.progress = progress
        self._settings = settings
        self._run: _neuroglot.Run | None = None
        self._checkpoint = "best"
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._fitted: list[Session] = []
        # The model that this one was fine-tuned from, whose folder must stay as long as training may go on.
        self._base: MtM | None = None
        self.notes_: list[str] = []
        self.settings_toml()

    # Settings.

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """What the model was made with, as scikit-learn asks for it.

        Parameters
        ----------
        deep : bool
            Nothing: a model has no models inside.

        Returns
        -------
        dict
        """
        return {**{name: getattr(self, name) for name in _OWN}, **self._settings}

    def set_params(self, **parameters: Any) -> Self:
        """Change settings; a model that is fitted stays as it is until it is fitted again.

        Parameters
        ----------
        **parameters
            As in the constructor.

        Returns
        -------
        MtM
            Itself.
        """
        before = self.get_params()
        self._put(parameters)
        try:
            self.settings_toml()
        except NeuroglotError:
            self._settings = {}
            self._put(before)
            raise
        return self

    def _put(self, parameters: dict[str, Any]) -> None:
        for name, value in parameters.items():
            if name in _OWN:
                setattr(self, name, value)
            else:
                self._settings[name] = value

    def settings_toml(self) -> str:
        """All settings as ``config.toml`` will hold them.

        Returns
        -------
        str
        """
        checked(self.progress)
        config = None if self.config is None else os.fspath(self.config)
        return _neuroglot.recipe_settings(self.recipe, config, _assignments(self._settings))

    def __sklearn_tags__(self) -> Any:
        from sklearn.utils import InputTags, Tags, TargetTags, TransformerTags

        return Tags(
            estimator_type=None,
            target_tags=TargetTags(required=False),
            transformer_tags=TransformerTags(),
            input_tags=InputTags(two_d_array=False, three_d_array=True),
        )

    def __sklearn_is_fitted__(self) -> bool:
        return self._run is not None

    # Training.

    def fit(self, sessions: Sessions, y: object = None, *, resume: bool = False) -> Self:
        """Train on the training trials of sessions; validation trials choose the best checkpoint.

        Sessions are filtered as ``data.min_rate`` and the other settings of ``data`` say. Equal settings, sessions and device give
        equal weights to the bit, here and from the command.

        Parameters
        ----------
        sessions : Session or iterable of Session
            Sessions of trials of one shape, each with an eid of its own.
        y : None
            Not looked at.
        resume : bool
            Go on with the run in `out` where it was stopped.

        Returns
        -------
        MtM
            Itself.

        Raises
        ------
        KeyboardInterrupt
            By Ctrl-C. With `out` given, ``fit(…, resume=True)`` goes on from the last checkpoint.
        """
        return self._train(self.settings_toml(), sessions, self.out, resume)

    def _train(self, settings: str, sessions: Sessions, out: PathLike | None, resume: bool) -> Self:
        chosen = _listed(sessions)
        folder = None
        if out is None:
            if resume:
                raise SettingError("resume: give the run folder to go on with as `out`")
            folder = tempfile.TemporaryDirectory(prefix="neuroglot-")
            out = Path(folder.name) / "run"
        with Shown(self.progress) as callback:
            notes = _neuroglot.train(
                settings,
                [session._native for session in chosen],
                os.fspath(out),
                resume,
                self.device,
                self.threads,
                callback,
            )
        self._open(os.fspath(out), "best")
        self._folder = folder
        self._fitted = chosen
        self.notes_ = [line for note in notes for line in note.splitlines()]
        return self

    def fit_transform(self, sessions: Sessions, y: object = None) -> SessionArray | list[SessionArray]:
        """:meth:`fit`, then :meth:`transform` of the same sessions.

        Parameters
        ----------
        sessions : Session or iterable of Session
            Sessions of trials of one shape, each with an eid of its own.
        y : None
            Not looked at.

        Returns
        -------
        SessionArray, or a list of them where a list of sessions is given
            Latents, ``[trial, bin, hidden]``.
        """
        chosen = _listed(sessions)
        self.fit(chosen)
        latents = [self.transform(session) for session in chosen]
        return latents[0] if isinstance(sessions, Session) else latents

    def finetune(
        self,
        sessions: Sessions,
        *,
        freeze: Literal["nothing", "trunk"] = "nothing",
        stitcher: Literal["random", "regions", "regression"] = "random",
        recipe: str | None = None,
        out: PathLike | None = None,
        **settings: Any,
    ) -> MtM:
        """Go on training on other sessions, as ``neuroglot finetune`` does.

        Parameters
        ----------
        sessions : Session or iterable of Session
            Sessions that the model knows keep their stitchers, others get new ones.
        freeze : {"nothing", "trunk"}
            What stays as it is: nothing, or all that sessions share.
        stitcher : {"random", "regions", "regression"}
            How the stitchers of new sessions start.
        recipe : str, optional
            Put a recipe's settings of training before those of this run.
        out : path, optional
            The run folder to make; a temporary one where none is given.
        **settings
            Settings of the new run, such as ``train__epochs=50`` or ``data__trials=32`` (calibration trials).

        Returns
        -------
        MtM
            Another model; this one stays as it is.
        """
        run = self._trained()
        asked = {"train__freeze": freeze, "init__stitcher": stitcher, **settings}
        toml = _neuroglot.fine_tuning_settings(run.home, recipe, _assignments(asked))
        tuned = MtM(device=self.device, threads=self.threads, out=out, progress=self.progress)
        tuned._base = self
        return tuned._train(toml, sessions, out, False)

    # Keeping models.

    @classmethod
    def load(
        cls,
        run: PathLike,
        *,
        checkpoint: str = "best",
        device: str = "auto",
        threads: int = 0,
        progress: Progress = "auto",
    ) -> Self:
        """Load a run folder, of the command or of :meth:`save`, or the folder of a checkpoint.

        Parameters
        ----------
        run : path
            The folder.
        checkpoint : {"best", "last"}
            Which checkpoint of a run.
        device, threads, progress
            As in the constructor.

        Returns
        -------
        MtM
            Its parameters are those of the constructor; :attr:`run_settings` are those that it was trained with.
        """
        model = cls(device=device, threads=threads, progress=progress)
        model._open(os.fspath(run), checkpoint)
        return model

    @classmethod
    def from_pretrained(
        cls,
        name: PathLike,
        *,
        revision: str | None = None,
        device: str = "auto",
        threads: int = 0,
        progress: Progress = "auto",
    ) -> Self:
        """Load a model of the Hugging Face hub, as :meth:`push_to_hub` and ``neuroglot share`` put it there.

        It is kept in the cache that ``huggingface_hub`` shares, and not downloaded again.

        Parameters
        ----------
        name : str or path
            ``owner/name`` on the hub, or a folder as :meth:`load` takes it.
        revision : str, optional
            A branch, a tag or a commit [default: ``main``].
        device, threads, progress
            As in the constructor.

        Returns
        -------
        MtM

        Raises
        ------
        NotFoundError
            No such repository, or one that holds no model.

        Examples
        --------
        >>> model = neuroglot.MtM.from_pretrained("our-lab/striatum")  # doctest: +SKIP
        """
        if Path(name).is_dir():
            return cls.load(name, device=device, threads=threads, progress=progress)
        repository = os.fspath(name).removeprefix("hub:")
        with Shown(progress) as callback:
            folder = _neuroglot.model_of_hub(repository if revision is None else f"{repository}@{revision}", callback)
        return cls.load(folder, device=device, threads=threads, progress=progress)

    def push_to_hub(self, repo_id: str, *, private: bool = False, commit_message: str | None = None) -> str:
        """Put the model onto the Hugging Face hub, as ``neuroglot share`` does: weights, ``config.json`` and a card.

        The card says what is known of the model: sessions, settings, and its scores where :meth:`evaluate` has written them to
        the folder ``evaluation`` of the run. A card that is there already stays. The token is that of ``HF_TOKEN``, or of
        ``hf auth login``.

        Parameters
        ----------
        repo_id : str
            ``owner/name``, or ``owner/name@branch``; made where there is none.
        private : bool
            Make it a private one.
        commit_message : str, optional
            What the commit is called.

        Returns
        -------
        str
            ``hub:owner/name@commit``.
        """
        run = self._trained()
        known = len(json.loads(run.description)["sessions"])
        message = commit_message or f"Add a model of {known} session{'s' if known > 1 else ''}"
        with Shown(self.progress) as callback:
            commit, unscored = run.share(repo_id, private, message, callback)
        if unscored is not None:
            warnings.warn(unscored, NeuroglotWarning, stacklevel=2)
        return f"hub:{repo_id.split('@')[0]}@{commit}"

    def save(self, run: PathLike) -> None:
        """Keep the run folder, for :meth:`load` and the command.

        Parameters
        ----------
        run : path
            The folder to make.

        Raises
        ------
        ExistsError
            There is something already.
        """
        to = Path(run)
        if to.exists():
            raise ExistsError(f"{to}: there is something here already; choose another folder")
        shutil.copytree(self._trained().home, to)

    def _open(self, run: str, checkpoint: str) -> None:
        self._checkpoint = checkpoint
        self._run = _neuroglot.Run.open(run, checkpoint, self.device, self.threads)

    def _trained(self) -> _neuroglot.Run:
        if self._run is None:
            raise NeuroglotError("this model is not trained: call `fit`, or load a run with `MtM.load`")
        return self._run

    @property
    def run_folder(self) -> Path:
        """The folder of the run."""
        return Path(self._trained().home)

    @property
    def run_settings(self) -> str:
        """All settings that the model was trained with, as TOML."""
        return self._trained().settings

    @property
    def sessions(self) -> pd.DataFrame:
        """A row per session that the model knows: ``eid``, ``subject``, ``lab``, ``units``. A dictionary of arrays where pandas is
        not installed."""
        known = json.loads(self._trained().description)["sessions"]
        columns = {name: [session[name] for session in known] for name in ("eid", "subject", "lab")}
        return frame({**columns, "units": [len(session["units"]) for session in known]})

    def view(self, session: Session) -> Session:
        """A session as the model sees it: with the units that it knows, and the trials that its settings keep.

        Parameters
        ----------
        session : Session
            A session that the model knows.

        Returns
        -------
        Session
        """
        return Session(self._trained().view(session._native))

    def __getstate__(self) -> dict[str, Any]:
        """Pickle a trained model with the files of its run."""
        state = {**self.__dict__, "_run": None, "_folder": None, "_fitted": [], "_base": None, "_files": {}}
        if self._run is not None:
            home = Path(self._run.home)
            files = (path for path in home.rglob("*") if path.is_file())
            state["_files"] = {str(path.relative_to(home)): path.read_bytes() for path in files}
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        files: dict[str, bytes] = state.pop("_files")
        self.__dict__.update(state)
        if files:
            self._folder = tempfile.TemporaryDirectory(prefix="neuroglot-")
            home = Path(self._folder.name) / "run"
            for name, content in files.items():
                (home / name).parent.mkdir(parents=True, exist_ok=True)
                (home / name).write_bytes(content)
            self._open(os.fspath(home), self._checkpoint)

    # Asking models.

    def predict(
        self,
        session: Session,
        *,
        hide_units: Iterable[str | int] = (),
        hide_regions: Iterable[str] = (),
        hide_bins: Iterable[str | int] = (),
        prompt: str | None = None,
        log: bool = False,
    ) -> SessionArray:
        """Predict rates of all trials, with chosen entries hidden.

        Parameters
        ----------
        session : Session
            A session that the model knows.
        hide_units : iterable of str or int
            Units by uuid, or by their index in the session before filters (``unit`` of :attr:`Session.units`).
        hide_regions : iterable of str
            Regions by acronym.
        hide_bins : iterable of int or str
            Bins by number, or ranges such as ``"40-49"``, which hold both ends.
        prompt : str, optional
            The scheme that the model is told [default: ``neuron`` where units are hidden or nothing is, ``inter-region`` where
            regions are, ``causal`` where bins are].
        log : bool
            Natural logarithms of spikes/bin instead of rates in spikes/s.

        Returns
        -------
        SessionArray
            ``[trial, bin, unit]``: rates, spikes/s, or log-rates, ln(spikes/bin). Entries that were shown are predicted too;
            ``hidden`` tells them apart.

        Raises
        ------
        SettingError
            Something to hide that is not there, or a prompt that the model has not learned.
        SessionError
            A session that the model does not know.
        """
        import numpy as np

        units, regions, bins = (
            [str(name) for name in _several(names)] for names in (hide_units, hide_regions, hide_bins)
        )
        native, found, hidden = self._trained().predict(session._native, units, regions, bins, prompt, log)
        values = np.asarray(found)
        mask = np.frombuffer(hidden, dtype=bool).reshape(values.shape[1:])
        quantity = "log-rate (ln spikes/bin)" if log else "rate (spikes/s)"
        return SessionArray(values, Session(native), "unit", quantity, mask)

    def transform(self, session: Session, *, prompt: str | None = None) -> SessionArray:
        """What the network makes of each bin with nothing hidden: its activations behind the last normalisation, of which its
        log-rates are a linear map. Of NDT2, whose bins are several patches of units, it is the mean over the patches. Of several
        networks it is the first; a coupling has none.

        Parameters
        ----------
        session : Session
            A session that the model knows.
        prompt : str, optional
            The scheme that the model is told [default: ``neuron``].

        Returns
        -------
        SessionArray
            Latents, ``[trial, bin, hidden]``.
        """
        import numpy as np

        native, latents = self._trained().latents(session._native, prompt)
        return SessionArray(np.asarray(latents), Session(native), "hidden", "latent")

    def evaluate(self, sessions: Sessions | None = None, tasks: Sequence[str] | None = None) -> Evaluation:
        """Score the model on test trials, as ``neuroglot evaluate`` does.

        Parameters
        ----------
        sessions : Session or iterable of Session, optional
            Sessions that the model knows [default: those that it was trained on].
        tasks : sequence of str, optional
            Tasks and behaviours: ``co-smoothing``, ``forward``, ``intra-region``, ``inter-region``, names of behaviours, or
            ``behaviours`` for all [default: all].

        Returns
        -------
        Evaluation
            ``scores``, ``units`` and ``decoding`` are frames; ``write`` keeps them as the command does.
        """
        chosen = self._known(sessions)
        with Shown(self.progress) as callback:
            native = self._trained().evaluate(
                [session._native for session in chosen], None if tasks is None else list(_several(tasks)), callback
            )
        return Evaluation(native)

    def score(self, sessions: Sessions, y: object = None, *, task: str = "co-smoothing") -> float:
        """One score, as scikit-learn asks for it: higher is better.

        Parameters
        ----------
        sessions : Session or iterable of Session
            Sessions that the model knows, with test trials.
        y : None
            Not looked at.
        task : str
            A task (bits/spike, mean over units) or a behaviour (accuracy or R²).

        Returns
        -------
        float
            The mean over sessions.
        """
        return self.evaluate(sessions, [task]).score(task.split(":")[0])

    def decode(
        self, sessions: Sessions | None = None, target: str | Sequence[str] = (), *, end_to_end: bool = False
    ) -> Decoding:
        """Decode behaviour of test trials from log-rates with nothing hidden and from counts, as ``neuroglot decode`` does.

        Parameters
        ----------
        sessions : Session or iterable of Session, optional
            Sessions that the model knows [default: those that it was trained on].
        target : str or sequence of str
            Behaviours, by name; ``block:categories`` or ``reward:continuous`` says which they are [default: all that vary].
        end_to_end : bool
            Whether a copy of the network is trained for each behaviour, too, which takes up to some minutes; the model itself stays
            as it is.

        Returns
        -------
        Decoding

        Raises
        ------
        SessionError
            A behaviour cannot be decoded end to end, for want of validation trials.
        """
        chosen = self._known(sessions)
        with Shown(self.progress) as callback:
            scores, table = self._trained().decode(
                [session._native for session in chosen], list(_several(target)), end_to_end, callback
            )
        return Decoding(scores, table)

    def translate(self, session: Session) -> pd.DataFrame:
        """Predict each region from each other one, from all others and from itself, as ``neuroglot translate`` does.

        Parameters
        ----------
        session : Session
            A session that the model knows, of two regions or more.

        Returns
        -------
        pandas.DataFrame
            A row per target and source: ``eid``, ``target``, ``units``, ``from`` (``region``, ``others`` or ``itself``), ``source``,
            ``bps`` (bits/spike, mean over the target's units) with its 95 % interval ``low`` and ``high``. A dictionary of arrays
            where pandas is not installed.
        """
        with Shown(self.progress) as callback:
            return frame(self._trained().translate(session._native, callback))

    def unit_embeddings(self) -> pd.DataFrame:
        """Where units lie among the latents: the weights by which the network reads each unit's log-rate from them.

        Returns
        -------
        pandas.DataFrame
            A row per unit that the model knows: ``eid``, ``uuid``, ``region``, ``0``, ``1``, …, one column per latent. A dictionary
            of arrays where pandas is not installed.

        Raises
        ------
        SettingError
            The model is NDT2, where units that stand at the same place of a patch share their weights.
        """
        run = self._trained()
        known = json.loads(run.description)["sessions"]
        tables = [run.unit_embeddings(place) for place in range(len(known))]
        labels: dict[str, list[Any]] = {
            "eid": [session["eid"] for session in known for _ in session["units"]],
            "uuid": [unit["uuid"] for session in known for unit in session["units"]],
            "region": [unit["region"] for session in known for unit in session["units"]],
        }
        return _embeddings(labels, tables)

    def session_embeddings(self) -> pd.DataFrame:
        """What the network has learned of each session as a whole: its session tokens.

        Returns
        -------
        pandas.DataFrame
            A row per session: ``eid``, ``subject``, ``lab``, ``0``, ``1``, …, one column per latent. A dictionary of arrays where
            pandas is not installed.
        """
        run = self._trained()
        known = json.loads(run.description)["sessions"]
        labels = {name: [session[name] for session in known] for name in ("eid", "subject", "lab")}
        return _embeddings(labels, [run.session_embeddings()])

    def _known(self, sessions: Sessions | None) -> list[Session]:
        if sessions is not None:
            return _listed(sessions)
        return self._fitted or [Session.read(folder) for folder in self._trained().session_folders()]

    # What it looks like.

    def __repr__(self) -> str:
        shown = {name: value for name, value in self.get_params().items() if value != _DEFAULTS.get(name, ...)}
        return f"MtM({', '.join(f'{name}={value!r}' for name, value in shown.items())})"

    def _repr_html_(self) -> str:
        if self._run is None:
            return f"<code>{escape(repr(self))}</code>, not trained"
        known = json.loads(self._run.description)["sessions"]
        rows = "".join(
            f"<tr><td>{escape(session['eid'])}</td><td>{escape(session['subject'])}</td><td>{len(session['units'])}</td></tr>"
            for session in known
        )
        from neuroglot._pictures import course

        try:
            picture = course((self.run_folder / "metrics.jsonl").read_text(encoding="utf-8"))
        except (OSError, ValueError, KeyError):
            # A checkpoint alone has no course, and one that cannot be read is no reason not to show the rest.
            picture = ""
        return (
            f"<code>{escape(repr(self))}</code>, trained in <code>{escape(str(self._run.home))}</code>{picture}"
            f"<table><thead><tr><th>session</th><th>animal</th><th>units</th></tr></thead><tbody>{rows}</tbody></table>"
        )


_DEFAULTS = {"recipe": "neuroglot", "config": None, "device": "auto", "threads": 0, "out": None, "progress": "auto"}


def _listed(sessions: Sessions) -> list[Session]:
    chosen = [sessions] if isinstance(sessions, Session) else list(sessions)
    for session in chosen:
        if not isinstance(session, Session):
            raise SettingError(
                f"sessions: {type(session).__name__} is no Session: make one with `Session.from_numpy` or `Session.read`"
            )
    return chosen


def _several(names: Any) -> Any:
    return [names] if isinstance(names, (str, int)) else names


def _assignments(settings: dict[str, Any]) -> list[str]:
    """``KEY=VALUE`` of each setting, as the command takes them."""
    return [f"{_KEYS.get(name, name.replace('__', '.'))}={_toml(value)}" for name, value in settings.items()]


def _toml(value: Any) -> str:
    if isinstance(value, str):
        return value
    if hasattr(value, "item") and not isinstance(value, (list, tuple)):
        value = value.item()
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{name} = {_quoted(of)}" for name, of in value.items()) + " }"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_quoted(of) for of in value) + "]"
    if isinstance(value, os.PathLike):
        return str(os.fspath(value))
    return json.dumps(value)


def _quoted(value: Any) -> str:
    return json.dumps(value) if isinstance(value, str) else _toml(value)


def _embeddings(labels: dict[str, list[Any]], tables: Sequence[Any]) -> Any:
    import numpy as np

    values = np.concatenate([np.asarray(table) for table in tables])
    columns = {str(latent): values[:, latent].astype(float).tolist() for latent in range(values.shape[1])}
    return frame({**labels, **columns})
