"""Networks as PyTorch modules: a way to take a trained model elsewhere.

Needs PyTorch: ``pip install neuroglot[torch]``.
"""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from neuroglot.errors import NotFoundError, SettingError

if TYPE_CHECKING:
    PathLike = str | os.PathLike[str]

__all__ = ["NDT1", "load"]


class NDT1(nn.Module):
    """The network NDT1-stitch, in pure PyTorch, with the parameter names of published checkpoints.

    Attributes
    ----------
    config : dict
        Sizes and options, as ``config.json`` has them under ``model``.
    sessions : list of str
        The eids of the sessions that the network has stitchers for, in the order of their tokens.
    """

    config: dict[str, Any]
    sessions: list[str]

    def __init__(self, config: dict[str, Any], sessions: list[str], tensors: dict[str, Tensor]) -> None:
        super().__init__()
        self.config = config
        self.sessions = sessions
        for name, tensor in tensors.items():
            # A dot in a name leads into a module, also in an eid: the names of `state_dict` are those of the file.
            *path, last = name.split(".")
            place: nn.Module = self
            for part in path:
                if part not in place._modules:
                    place.add_module(part, nn.Module())
                place = place.get_submodule(part)
            if name.startswith("count_statistics."):
                place.register_buffer(last, tensor)
            else:
                place.register_parameter(last, nn.Parameter(tensor))

    def forward(
        self, counts: Tensor, session: int | str = 0, prompt: str = "neuron", hidden: Tensor | None = None
    ) -> Tensor:
        """Log-rates of trials.

        Parameters
        ----------
        counts : tensor ``[trial, bin, unit]``
            Spikes/bin.
        session : int or str
            The session, by its place or eid.
        prompt : str
            The scheme that the network is told.
        hidden : tensor of bool, optional
            Entries that the network does not see: of a shape that is broadcast to that of the counts.

        Returns
        -------
        tensor ``[trial, bin, unit]``
            ln(spikes/bin), of the network alone.
        """
        eid = self._eid(session)
        latents = self.latents(counts, session, prompt, hidden)
        return self._linear(f"stitch_decoder.stitch_decoder_dict.{eid}", latents)

    def latents(
        self, counts: Tensor, session: int | str = 0, prompt: str = "neuron", hidden: Tensor | None = None
    ) -> Tensor:
        """Activations behind the last normalisation, which log-rates are a linear map of.

        Parameters
        ----------
        counts, session, prompt, hidden
            As in :meth:`forward`.

        Returns
        -------
        tensor ``[trial, bin, hidden]``
        """
        eid = self._eid(session)
        embedder = "encoder.embedder"
        x = self._linear(f"encoder.stitcher.stitcher_dict.{eid}", self._inputs(counts, eid, hidden))
        x = functional.softsign(self._linear(f"{embedder}.embed_spikes", x))
        x = self._linear(f"{embedder}.projection", x) + self.get_parameter(f"{embedder}.embed_pos.weight")
        row = self.get_parameter(f"{embedder}.embed_prompt.weight")[self._prompt(prompt)]
        token = self.get_parameter(f"{embedder}.embed_session.weight")[self.sessions.index(eid)]
        x = torch.cat([torch.stack([token, row]).expand(len(x), 2, -1), x], dim=1)
        x = functional.dropout(x, self.config["embed_dropout"], self.training)
        allowed = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool, device=x.device)
        if prompt == "causal":
            # The tokens of session and prompt see all and are seen by all; a bin sees no later one.
            allowed[2:, 2:] = allowed[2:, 2:].tril()
        for layer in range(self.config["layers"]):
            block = f"encoder.layers.{layer}"
            x = x + self._attention(f"{block}.attn", self._norm(f"{block}.ln1", x), allowed)
            up = functional.gelu(self._linear(f"{block}.mlp.up_proj", self._norm(f"{block}.ln2", x)))
            down = self._linear(f"{block}.mlp.down_proj", up)
            x = x + functional.dropout(down, self.config["dropout"], self.training)
        return self._norm("encoder.out_norm", x[:, 2:])

    def _inputs(self, counts: Tensor, eid: str, hidden: Tensor | None) -> Tensor:
        if self.config["input"] == "standardised":
            statistics = f"count_statistics.{eid}"
            counts = (counts - self.get_buffer(f"{statistics}.mean")) / self.get_buffer(f"{statistics}.deviation")
        return counts if hidden is None else counts.masked_fill(hidden, 0.0)

    def _attention(self, name: str, x: Tensor, allowed: Tensor) -> Tensor:
        heads = self.config["heads"]

        def part(which: str) -> Tensor:
            return self._linear(f"{name}.{which}", x).unflatten(-1, (heads, -1)).transpose(1, 2)

        query, key, value = part("query"), part("key"), part("value")
        if self.config["rope"]:
            query, key = _rotate(query), _rotate(key)
        scores = query @ key.transpose(-1, -2) / math.sqrt(query.shape[-1])
        weights = scores.masked_fill(~allowed, -math.inf).softmax(-1)
        weights = functional.dropout(weights, self.config["dropout"], self.training)
        attended = (weights @ value).transpose(1, 2).flatten(2)
        return self._linear(f"{name}.out_proj", functional.dropout(attended, self.config["dropout"], self.training))

    def _linear(self, name: str, x: Tensor) -> Tensor:
        return functional.linear(x, self.get_parameter(f"{name}.weight"), self.get_parameter(f"{name}.bias"))

    def _norm(self, name: str, x: Tensor) -> Tensor:
        if self.config["norm"] == "scale":
            length = x.norm(dim=-1, keepdim=True).clamp(min=1e-5)
            return self.get_parameter(f"{name}.scale") * x / length
        weight, bias = self.get_parameter(f"{name}.weight"), self.get_parameter(f"{name}.bias")
        return functional.layer_norm(x, weight.shape, weight, bias)

    def _eid(self, session: int | str) -> str:
        if isinstance(session, int):
            return self.sessions[session]
        if session not in self.sessions:
            raise SettingError(f"session {session} is not one that the model knows, which are {', '.join(self.sessions)}")
        return session

    def _prompt(self, prompt: str) -> int:
        prompts: list[str] = self.config["prompts"]
        if prompt not in prompts:
            raise SettingError(f"prompt {prompt}: the model knows {', '.join(prompts)}")
        return prompts.index(prompt)


def load(run: PathLike, *, checkpoint: str = "best") -> NDT1:
    """Load the network of a run as a PyTorch module.

    Parameters
    ----------
    run : path
        A run folder, or the folder of a checkpoint.
    checkpoint : {"best", "last"}
        Which checkpoint of a run.

    Returns
    -------
    NDT1
        In evaluation mode. Its log-rates are those of the network: of a run that averages networks with the coupling of its units
        (``coupling.weight`` above 0, ``train.members`` above 1), it is the first network alone, which `neuroglot evaluate` scores
        in the column ``networks`` beside the average.
    """
    folder = Path(run)
    if not (folder / "config.json").is_file():
        folder = folder / checkpoint
    if not (folder / "config.json").is_file():
        raise NotFoundError(f"{run}: no run here, and no checkpoint (which holds config.json)")
    description = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config = description["model"]
    if config["architecture"] != "ndt1-stitch":
        raise SettingError(f"{run}: this is a model of {config['architecture']}, and only ndt1-stitch is written in PyTorch")
    sessions = [session["eid"] for session in description["sessions"]]
    return NDT1(config, sessions, _tensors(folder / "model.safetensors")).eval()


def _tensors(file: Path) -> dict[str, Tensor]:
    """The tensors of a file of safetensors, all of which are f32."""
    content = file.read_bytes()
    begin = 8 + int.from_bytes(content[:8], "little")
    tensors = {}
    for name, described in json.loads(content[8:begin]).items():
        if name == "__metadata__":
            continue
        first, last = described["data_offsets"]
        values = np.frombuffer(content[begin + first : begin + last], dtype="<f4").astype(np.float32)
        tensors[name] = torch.from_numpy(values.reshape(described["shape"]))
    return tensors


def _rotate(x: Tensor) -> Tensor:
    """Rotary positions: elements i and i + d/2 of a head turn by position · 10000^(−2i/d)."""
    tokens, width = x.shape[-2:]
    steps = torch.arange(0, width, 2, dtype=torch.float64, device=x.device) / width
    positions = torch.arange(tokens, dtype=torch.float64, device=x.device)
    angles = torch.outer(positions, 10000.0**-steps)
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    first, second = x[..., : width // 2], x[..., width // 2 :]
    return torch.cat([first * cos - second * sin, second * cos + first * sin], dim=-1)
