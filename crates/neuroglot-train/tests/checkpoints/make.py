#!/usr/bin/env python3
"""Writes the checkpoints of this folder, as PyTorch users have them. Made with torch 2.15.

    python make.py

`expected.safetensors` holds the values of `mixed.pt` as torch converts them to float32; all others are of `plain.pt`.
"""

import collections
import pathlib

import torch
from safetensors.torch import save_file

HERE = pathlib.Path(__file__).parent
CHANNELS, HIDDEN, MLP, BINS, UNITS = 3, 4, 6, 7, (5, 4)


def shapes():
    embedder = "encoder.embedder"
    yield f"{embedder}.embed_spikes", (2 * CHANNELS, CHANNELS)
    yield f"{embedder}.projection", (HIDDEN, 2 * CHANNELS)
    for layer in range(2):
        name = f"encoder.layers.{layer}"
        yield f"{name}.ln1", (HIDDEN,)
        for part in ["query", "key", "value", "out_proj"]:
            yield f"{name}.attn.{part}", (HIDDEN, HIDDEN)
        yield f"{name}.ln2", (HIDDEN,)
        yield f"{name}.mlp.up_proj", (MLP, HIDDEN)
        yield f"{name}.mlp.down_proj", (HIDDEN, MLP)
    yield "encoder.out_norm", (HIDDEN,)
    for units in UNITS:
        yield f"encoder.stitcher.stitcher_dict.{units}", (CHANNELS, units)
        yield f"stitch_decoder.stitch_decoder_dict.{units}", (units, HIDDEN)


def state_dict():
    torch.manual_seed(3)
    state = collections.OrderedDict()
    for name, shape in shapes():
        state[f"{name}.weight"] = torch.randn(shape)
        state[f"{name}.bias"] = torch.randn(shape[0])
    for name, rows in [("pos", BINS), ("prompt", 4), ("session", 3)]:
        state[f"encoder.embedder.embed_{name}.weight"] = torch.randn(rows, HIDDEN)
    # A buffer that is no weight.
    state["encoder.embedder.position_ids"] = torch.arange(BINS)
    return state


def main():
    state = state_dict()
    torch.save(state, HERE / "plain.pt")
    save_file(state, HERE / "plain.safetensors")
    wrapped = {f"module.{name}": torch.nn.Parameter(value) for name, value in state.items() if value.is_floating_point()}
    optimiser = {"state": {0: {"step": 7, "exp_avg": torch.zeros(2)}}, "param_groups": [{"lr": 1e-4, "betas": (0.9, 0.999)}]}
    torch.save(
        {"epoch": 2**40, "best": -0.5, "note": None, "fast": True, "optimizer": optimiser, "state_dict": wrapped},
        HERE / "nested.pt",
        pickle_protocol=4,
    )

    # Every type, views of one storage, and columns before rows.
    types = [torch.float64, torch.float16, torch.bfloat16, torch.float32]
    mixed = collections.OrderedDict()
    pool = torch.randn(200)
    for index, (name, value) in enumerate(state.items()):
        if not value.is_floating_point():
            mixed[name] = value
        elif name.endswith("attn.query.weight"):
            mixed[name] = value.t().contiguous().t()
        elif name.endswith("out_norm.bias"):
            mixed[name] = pool[17 : 17 + 2 * HIDDEN : 2]
        else:
            mixed[name] = value.to(types[index % len(types)])
    torch.save({"model": mixed}, HERE / "mixed.pt")
    expected = {name: value.float().contiguous() for name, value in mixed.items()}
    save_file(expected, HERE / "expected.safetensors")

    torch.save(torch.nn.Sequential(torch.nn.Linear(2, 2)), HERE / "whole_model.pt")
    torch.save(state, HERE / "before_1_6.pt", _use_new_zipfile_serialization=False)


if __name__ == "__main__":
    main()
