"""Makes the golden files, with PyTorch and from the equations alone, and checks golden files that others made.

    python golden/make.py golden           writes ndt1, ndt1_rope, ndt2 (.safetensors, .json) and metrics.json
    python golden/make.py --check FOLDER   computes everything again from the weights, counts and masks in FOLDER, and says
                                           how far it is from what stands there

Needs torch, numpy and safetensors. It shares no code with the Rust crates: a model is a function of a dictionary of
parameters, which have the names of published checkpoints, and gradients are autograd's. README.md says what is in the files.
"""

import argparse
import json
import math
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch.nn.functional import gelu, layer_norm, linear, softsign

# The order of rows in the prompt embedding.
PROMPTS = ["neuron", "causal", "inter-region", "intra-region"]
REGIONS = ["CA1"] * 4 + ["DG"] * 3 + ["PO"] * 4
TRIALS, BINS, UNITS = 3, 10, len(REGIONS)
HIDDEN, LAYERS, HEADS, MLP = 16, 2, 4, 32
CHANNELS, OTHER_UNITS, PATCH = 12, 9, 4
# The batch is of the second of two sessions; the first has OTHER_UNITS units.
SESSIONS, SESSION = 2, 1
MODELS = ["ndt1", "ndt1_rope", "ndt2"]


# ------------------------------------------------------------------------------------------------ models


def shapes(model):
    """Shape of every parameter by name; linear layers are [outputs, inputs]."""

    def layer(name, outputs, inputs):
        return {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}

    def norm(name):
        return {f"{name}.weight": (HIDDEN,), f"{name}.bias": (HIDDEN,)}

    embedder = "encoder.embedder"
    found = {
        f"{embedder}.embed_prompt.weight": (len(PROMPTS), HIDDEN),
        f"{embedder}.embed_session.weight": (SESSIONS, HIDDEN),
    }
    for block in (f"encoder.layers.{index}" for index in range(LAYERS)):
        found |= norm(f"{block}.ln1") | norm(f"{block}.ln2")
        for part in ("query", "key", "value", "out_proj"):
            found |= layer(f"{block}.attn.{part}", HIDDEN, HIDDEN)
        found |= layer(f"{block}.mlp.up_proj", MLP, HIDDEN) | layer(f"{block}.mlp.down_proj", HIDDEN, MLP)
    found |= norm("encoder.out_norm")
    if model == "ndt2":
        patches = math.ceil(UNITS / PATCH)
        found |= layer(f"{embedder}.embed_spikes", 2 * PATCH, PATCH)
        found |= layer(f"{embedder}.projection", HIDDEN, 2 * PATCH)
        found |= {f"{embedder}.embed_space_pos.0.weight": (patches, HIDDEN)} | norm(f"{embedder}.embed_space_pos.1")
        found |= {f"{embedder}.embed_time_pos.0.weight": (BINS, HIDDEN)} | norm(f"{embedder}.embed_time_pos.1")
        found |= layer("decoder.0", PATCH, HIDDEN)
    else:
        for units in (OTHER_UNITS, UNITS):
            found |= layer(f"encoder.stitcher.stitcher_dict.{units}", CHANNELS, units)
            found |= layer(f"stitch_decoder.stitch_decoder_dict.{units}", units, HIDDEN)
        found |= layer(f"{embedder}.embed_spikes", 2 * CHANNELS, CHANNELS)
        found |= layer(f"{embedder}.projection", HIDDEN, 2 * CHANNELS)
        found |= {f"{embedder}.embed_pos.weight": (BINS, HIDDEN)}
    return found


def draw(model):
    """Parameters at random: layers and embeddings of the size that training starts with, norms near the identity."""
    parameters = {}
    for name, shape in sorted(shapes(model).items()):
        is_norm = any(part in name for part in (".ln1.", ".ln2.", "out_norm", "_pos.1."))
        if is_norm:
            parameters[name] = 0.1 * torch.randn(shape) + (1.0 if name.endswith("weight") else 0.0)
        else:
            inputs = shape[-1] if len(shape) == 2 else HIDDEN
            parameters[name] = torch.randn(shape) / math.sqrt(3 * inputs)
    return parameters


def apply(parameters, name, x):
    return linear(x, parameters[f"{name}.weight"], parameters[f"{name}.bias"])


def normalise(parameters, name, x):
    return layer_norm(x, (HIDDEN,), parameters[f"{name}.weight"], parameters[f"{name}.bias"])


def rotate(x):
    """Rotary positions: elements i and i + d/2 of a head turn by position · 10000^(−2i/d)."""
    tokens, width = x.shape[-2:]
    angles = torch.outer(torch.arange(tokens).double(), 10000.0 ** (-torch.arange(0, width, 2).double() / width))
    cos, sin = angles.cos().float(), angles.sin().float()
    first, second = x[..., : width // 2], x[..., width // 2 :]
    return torch.cat([first * cos - second * sin, second * cos + first * sin], -1)


def attend(parameters, name, x, allowed, rope):
    """Multi-head attention; `allowed[query, key]`."""

    def heads(part):
        return apply(parameters, f"{name}.{part}", x).unflatten(-1, (HEADS, HIDDEN // HEADS)).transpose(1, 2)

    query, key, value = heads("query"), heads("key"), heads("value")
    if rope:
        query, key = rotate(query), rotate(key)
    scores = query @ key.transpose(-1, -2) / math.sqrt(HIDDEN // HEADS)
    weights = scores.masked_fill(~allowed, -math.inf).softmax(-1)
    return apply(parameters, f"{name}.out_proj", (weights @ value).transpose(1, 2).flatten(2))


def transform(parameters, tokens, bin_of_token, prompt, rope):
    """The session token, the prompt token and `tokens` through the blocks; returns what became of `tokens`.

    Both leading tokens see all and are seen by all; under the causal prompt a token sees no later bin."""
    session = parameters["encoder.embedder.embed_session.weight"][SESSION]
    prompt_row = parameters["encoder.embedder.embed_prompt.weight"][PROMPTS.index(prompt)]
    x = torch.cat([torch.stack([session, prompt_row]).expand(len(tokens), 2, HIDDEN), tokens], 1)
    allowed = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool)
    if prompt == "causal":
        allowed[2:, 2:] = bin_of_token[None, :] <= bin_of_token[:, None]
    for block in (f"encoder.layers.{index}" for index in range(LAYERS)):
        x = x + attend(parameters, f"{block}.attn", normalise(parameters, f"{block}.ln1", x), allowed, rope)
        up = gelu(apply(parameters, f"{block}.mlp.up_proj", normalise(parameters, f"{block}.ln2", x)))
        x = x + apply(parameters, f"{block}.mlp.down_proj", up)
    return normalise(parameters, "encoder.out_norm", x)[:, 2:]


def ndt1(parameters, counts, prompt, rope):
    """Log-rates [trial, bin, unit] of NDT1-stitch: a token is a bin."""
    channels = apply(parameters, f"encoder.stitcher.stitcher_dict.{UNITS}", counts)
    spikes = softsign(apply(parameters, "encoder.embedder.embed_spikes", channels))
    tokens = apply(parameters, "encoder.embedder.projection", spikes)
    tokens = tokens + parameters["encoder.embedder.embed_pos.weight"]
    out = transform(parameters, tokens, torch.arange(BINS), prompt, rope)
    return apply(parameters, f"stitch_decoder.stitch_decoder_dict.{UNITS}", out)


def ndt2(parameters, counts, prompt):
    """Log-rates [trial, bin, unit] of NDT2: a token is a patch of units in a bin, patches of a bin next to each other.

    The last patch is filled with the last units of the patch before it."""
    patches = math.ceil(UNITS / PATCH)
    missing = patches * PATCH - UNITS
    whole = UNITS // PATCH * PATCH
    filled = torch.cat([counts, counts[..., whole - missing : whole]], -1)
    tokens = filled.reshape(len(counts), BINS * patches, PATCH)
    bins, places = torch.arange(BINS).repeat_interleave(patches), torch.arange(patches).repeat(BINS)
    spikes = softsign(apply(parameters, "encoder.embedder.embed_spikes", tokens))
    tokens = apply(parameters, "encoder.embedder.projection", spikes)
    for kind, index in (("space", places), ("time", bins)):
        name = f"encoder.embedder.embed_{kind}_pos"
        tokens = tokens + normalise(parameters, f"{name}.1", parameters[f"{name}.0.weight"][index])
    out = transform(parameters, tokens, bins, prompt, rope=False)
    return apply(parameters, "decoder.0", out).reshape(len(counts), BINS, patches * PATCH)[..., :UNITS]


def log_rates(model, parameters, counts, hidden, prompt):
    seen = counts * (1.0 - hidden.float())
    if model == "ndt2":
        return ndt2(parameters, seen, prompt)
    return ndt1(parameters, seen, prompt, rope=model == "ndt1_rope")


def poisson_loss(log_rates, counts, target):
    """Σ exp(l) − y·l over the entries that are scored."""
    return ((log_rates.exp() - counts * log_rates) * target.float()).sum()


# ------------------------------------------------------------------------------------------------ masks


def draw_mask(scheme):
    """What is hidden and what is scored, both [trial, bin, unit]; bits are drawn per trial, a region per batch."""
    regions = np.array(REGIONS)
    if scheme == "causal":
        hidden = torch.rand(TRIALS, BINS, 1) < 0.6
        return (hidden.expand(TRIALS, BINS, UNITS),) * 2
    hidden = torch.rand(TRIALS, 1, UNITS) < 0.3
    if scheme == "neuron":
        return (hidden.expand(TRIALS, BINS, UNITS),) * 2
    kinds = sorted(set(REGIONS))
    inside = torch.from_numpy(regions == kinds[int(torch.randint(len(kinds), ()))]).expand(TRIALS, BINS, UNITS)
    if scheme == "inter-region":
        return inside, inside
    return ~inside | hidden, inside & hidden


# ------------------------------------------------------------------------------------------------ files of a model


def compute(model, inputs):
    """All that a file holds beside `inputs` (parameters, counts, masks): tensors, and numbers for the `.json`."""
    parameters = {
        name.removeprefix("param."): value.clone().requires_grad_()
        for name, value in inputs.items()
        if name.startswith("param.")
    }
    counts = inputs["spikes"]
    tensors, losses = {}, {}

    def loss_of(scheme):
        found = log_rates(model, parameters, counts, inputs[f"{scheme}.hidden"], scheme)
        return found, poisson_loss(found, counts, inputs[f"{scheme}.target"])

    for scheme in PROMPTS:
        found, loss = loss_of(scheme)
        gradients = torch.autograd.grad(loss, list(parameters.values()), allow_unused=True)
        tensors[f"{scheme}.log_rates"] = found.detach()
        for name, gradient in zip(parameters, gradients):
            if gradient is not None:
                tensors[f"{scheme}.grad.{name}"] = gradient
        losses[scheme] = loss.item()
    # One whole cycle of the schedule, on one batch.
    steps = 10
    optimiser = torch.optim.AdamW(parameters.values(), lr=1e-2, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01)
    cycle = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, max_lr=1e-2, total_steps=steps, pct_start=0.15, div_factor=10
    )
    schedule, step_losses = [], []
    for step in range(steps):
        group = optimiser.param_groups[0]
        schedule.append([group["lr"], group["betas"][0]])
        optimiser.zero_grad(set_to_none=True)
        loss = loss_of("neuron")[1]
        step_losses.append(loss.item())
        loss.backward()
        optimiser.step()
        if step + 1 < steps:
            cycle.step()
    for name, value in parameters.items():
        tensors[f"trained.{name}"] = value.detach()
    numbers = {"losses": losses, "schedule": schedule, "step_losses": step_losses}
    return tensors, numbers


def draw_inputs(model):
    inputs = {f"param.{name}": value for name, value in draw(model).items()}
    inputs["spikes"] = torch.poisson(torch.full((TRIALS, BINS, UNITS), 0.4))
    for scheme in PROMPTS:
        hidden, target = draw_mask(scheme)
        inputs[f"{scheme}.hidden"], inputs[f"{scheme}.target"] = hidden.to(torch.uint8), target.to(torch.uint8)
    return inputs


# ------------------------------------------------------------------------------------------------ scores

lgamma = np.vectorize(math.lgamma)


def poisson_nll(rates, counts):
    """Σ over trials and bins of r − y·ln r + lnΓ(y+1), per unit; a rate of 0 counts as 1e-9."""
    rates = np.where(rates == 0, 1e-9, rates)
    return (rates - counts * np.log(rates) + lgamma(counts + 1)).sum((0, 1))


def score(log_rates, counts, conditions):
    """Every score, by its definition. Arrays are [trial, bin, unit]; what is undefined is null."""
    rates, spikes = np.exp(log_rates), counts.sum((0, 1))
    fired = spikes > 0
    means = np.broadcast_to(counts.mean((0, 1)), counts.shape)
    gains = poisson_nll(means, counts) - poisson_nll(rates, counts)
    bits = [gain / (math.log(2) * total) if total > 0 else None for gain, total in zip(gains, spikes)]
    entries = counts.shape[0] * counts.shape[1]
    d2 = []
    for unit in np.flatnonzero(fired):
        y, l = counts[..., unit], log_rates[..., unit]
        total, expected, product = y.sum(), np.exp(l).sum(), (l * y).sum()
        saturated = sum(value * math.log(value) for value in y.ravel() if value > 0)
        denominator = saturated - total * math.log(total / entries)
        if abs(denominator) >= 1e-9:
            d2.append(1 - ((expected - product) - (total - saturated)) / denominator)

    def r2(found, y):
        return 1 - ((y - found) ** 2).sum() / ((y - y.mean()) ** 2).sum()

    groups = [np.all(conditions == row, -1) for row in np.unique(conditions, axis=0)]
    averages = [np.stack([values[group].mean(0) for group in groups]) for values in (rates, counts)]
    first = range(5)
    return {
        "bps_per_neuron": bits,
        "bps_mean": float(np.mean([value for value in bits if value is not None])),
        "bps_pooled": float(gains[fired].sum() / (math.log(2) * spikes.sum())),
        "poisson_d2": float(np.mean(d2)),
        "psth_r2_first5": float(np.mean([r2(averages[0][..., unit], averages[1][..., unit]) for unit in first])),
        "single_trial_r2_first5": [float(r2(rates[..., unit], counts[..., unit])) for unit in first],
    }


def draw_scored():
    generator = np.random.default_rng(0)
    counts = generator.poisson(0.5, (20, 12, 6)).astype(float)
    # A unit without a spike.
    counts[..., 5] = 0
    log_rates = generator.normal(-0.7, 0.5, counts.shape)
    conditions = np.stack([generator.integers(0, 2, 20), generator.integers(0, 3, 20)], 1)
    return counts, log_rates, conditions


# ------------------------------------------------------------------------------------------------ making and checking


def make(folder):
    torch.manual_seed(0)
    for model in MODELS:
        inputs = draw_inputs(model)
        tensors, numbers = compute(model, inputs)
        tensors = {name: value.contiguous() for name, value in (inputs | tensors).items()}
        save_file(tensors, folder / f"{model}.safetensors")
        described = {"regions": REGIONS, "session": SESSION, "stitcher": UNITS, "heads": HEADS}
        (folder / f"{model}.json").write_text(json.dumps(described | numbers, indent=1) + "\n")
    counts, log_rates, conditions = draw_scored()
    scored = {
        "counts": counts.astype(int).tolist(),
        "log_rates": log_rates.tolist(),
        "conditions": conditions.tolist(),
    }
    (folder / "metrics.json").write_text(json.dumps(scored | score(log_rates, counts, conditions)) + "\n")


def check(folder):
    """Prints the largest difference from each kind of number in a folder of golden files."""

    def largest(found, stored):
        found, stored = (np.asarray(values, dtype=float) for values in (found, stored))
        return float(np.nanmax(np.abs(found - stored)))

    for model in MODELS:
        stored = load_file(folder / f"{model}.safetensors")
        tensors, numbers = compute(model, stored)
        kinds = {"log_rates": 0.0, "grad": 0.0, "trained": 0.0}
        for name, value in tensors.items():
            # Softmax does not change when all scores of a query do: without rotation the gradient of a key's bias is
            # rounding alone, which AdamW scales up to whole steps.
            if name.endswith("attn.key.bias") and name.startswith("trained") and model != "ndt1_rope":
                continue
            kind = next(kind for kind in kinds if kind in name)
            kinds[kind] = max(kinds[kind], largest(value, stored[name]))
        expected = {name for name in stored if any(kind in name for kind in kinds)}
        assert expected == set(tensors), f"{model}: {sorted(expected ^ set(tensors))}"
        described = json.loads((folder / f"{model}.json").read_text())
        for kind in numbers:
            values = [list(numbers[kind].values()), list(described[kind].values())] if kind == "losses" else None
            kinds[kind] = largest(*(values or (numbers[kind], described[kind])))
        print(model, {kind: f"{difference:.1e}" for kind, difference in kinds.items()})
    stored = json.loads((folder / "metrics.json").read_text())
    arrays = [np.array(stored[name], dtype=float) for name in ("log_rates", "counts")]
    found = score(*arrays, np.array(stored["conditions"]))
    print("metrics", {name: f"{largest(value, stored[name]):.1e}" for name, value in found.items()})


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    (check if arguments.check else make)(arguments.folder)
