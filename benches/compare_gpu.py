#!/usr/bin/env python3
"""Times `neuroglot bench` against an implementation in PyTorch on the same GPU, in turn.

    python3 benches/compare_gpu.py PEER.py [--neuroglot PATH] [--rounds 5] [--batches 16,64,256] [--sizes paper,small]

PEER.py is imported: `Ndt1` (the module), `mask(scheme, shape, regions, ratio, rng)` (numpy arrays hidden and target) and
`one_cycle(parameters, rate, steps)` (optimiser and schedule). Its training step and forward pass are timed as it is and
through torch.compile; both sides copy a batch and its masks to the device in every step, and are waited for after it.
Each round runs everything once; ratios are taken round by round, and their median printed, so that a drift of the
machine's speed falls out.

The floor is the time that the products of a step take at the rate of one large product in the same precision, or that
its reads and writes take at the rate of a large copy, whichever is longer; both rates are measured first.

`--device cpu` runs the same on the processor, to try this script out.
"""
import argparse
import contextlib
import importlib.util
import json
import statistics
import subprocess
import sys
import time

BINS, UNITS, HIDDEN_SHARE, SPIKES = 100, 300, 0.3, 0.1
SIZES = {
    "paper": dict(hidden=512, layers=5, heads=8, channels=668),
    "small": dict(hidden=128, layers=4, heads=4, channels=256),
    "tiny": dict(hidden=16, layers=1, heads=2, channels=8),
}
MODES = {
    "f32-eager": ("f32", False),
    "tf32-eager": ("tf32", False),
    "tf32-compiled": ("tf32", True),
    "bf16-compiled": ("bf16", True),
}


class Peer:
    """The peer's model on a device, with the step and the forward pass that are timed."""

    def __init__(self, torch, module, device, size, batch, precision, compiled):
        self.torch, self.module, self.device, self.precision = torch, module, device, precision
        torch.manual_seed(0)
        sizes = SIZES[size]
        self.model = module.Ndt1({0: UNITS}, BINS, 1, inter=2 * sizes["hidden"], **sizes).to(device)
        self.optimiser, self.schedule = module.one_cycle(self.model.parameters(), 1e-4, 1_000_000)
        self.run = torch.compile(self.model) if compiled else self.model
        counts = torch.poisson(torch.full((batch, BINS, UNITS), SPIKES))
        self.counts = counts.pin_memory() if device.type == "cuda" else counts
        numpy = importlib.import_module("numpy")
        self.random = numpy.random.default_rng(0)
        self.regions = numpy.array(["A"] * (UNITS // 2) + ["B"] * (UNITS - UNITS // 2))

    def precise(self):
        self.torch.set_float32_matmul_precision("highest" if self.precision == "f32" else "high")
        if self.precision == "bf16":
            return self.torch.autocast(self.device.type, dtype=self.torch.bfloat16)
        return contextlib.nullcontext()

    def log_rates(self, counts):
        with self.precise():
            return self.run(counts, key=0, session=0, prompt="neuron", causal=False).float()

    def step(self):
        self.model.train()
        hidden, target = self.module.mask("neuron", self.counts.shape, self.regions, HIDDEN_SHARE, self.random)
        move = lambda values: self.torch.from_numpy(values.copy()).to(self.device, non_blocking=True)
        hidden, target, counts = move(hidden), move(target), self.counts.to(self.device, non_blocking=True)
        log_rates = self.log_rates(self.torch.where(hidden, 0, counts))
        loss = ((log_rates.exp() - counts * log_rates) * target).sum()
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        self.schedule.step()

    def forward(self):
        self.model.eval()
        with self.torch.no_grad():
            self.log_rates(self.counts.to(self.device, non_blocking=True))

    def milliseconds(self, work, repetitions):
        """Median over repetitions, the device waited for after each; two more before them do not count."""
        times = []
        for _ in range(repetitions + 2):
            wait(self.torch, self.device)
            start = time.perf_counter()
            work()
            wait(self.torch, self.device)
            times.append(1e3 * (time.perf_counter() - start))
        return statistics.median(times[2:])


def wait(torch, device):
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def measured_rates(torch, device):
    """FLOP per second of a large product by precision, and bytes per second of a large copy."""
    large = 8192 if device.type == "cuda" else 512

    def seconds(work):
        work()
        best = float("inf")
        for _ in range(5):
            wait(torch, device)
            start = time.perf_counter()
            work()
            wait(torch, device)
            best = min(best, time.perf_counter() - start)
        return best

    flops = {}
    for precision in ["f32", "tf32", "bf16"]:
        torch.set_float32_matmul_precision("highest" if precision == "f32" else "high")
        kind = torch.bfloat16 if precision == "bf16" else torch.float32
        a, b = (torch.randn(large, large, device=device).to(kind) for _ in range(2))
        flops[precision] = 2 * large**3 / seconds(lambda: a @ b)
    source = torch.zeros(16 * large * large, device=device)
    copy = torch.empty_like(source)
    return flops, 2 * 4 * source.numel() / seconds(lambda: copy.copy_(source))


def work_of_step(size, batch):
    """FLOP of the products of a training step, and the bytes that it must read and write at least."""
    s = SIZES[size]
    hidden, inner = s["hidden"], 2 * s["hidden"]
    rows, tokens = batch * BINS, BINS + 2
    layer = 4 * hidden * hidden + 2 * hidden * inner
    at_ends = UNITS * s["channels"] + 2 * s["channels"] ** 2 + 2 * s["channels"] * hidden + hidden * UNITS
    attention = 2 * tokens * hidden
    forward = rows * at_ends + batch * tokens * s["layers"] * (layer + attention)
    parameters = at_ends + s["layers"] * layer
    # What products read and write for each token: written once, read in both passes, and the gradient likewise.
    activations = batch * tokens * s["layers"] * (2 * (3 + 1 + 1 + 1) * hidden + 2 * inner)
    activations += rows * (UNITS + 2 * 2 * s["channels"] + hidden + 2 * UNITS)
    # The optimiser reads parameters, gradients and two moments and writes all but the gradients.
    return 3 * 2 * forward, 4 * (4 * activations + (7 + 3) * parameters)


def neuroglot(options, size, batch, precision):
    command = [options.neuroglot, "bench", "--device", options.device, "--size", size, "--batch", str(batch)]
    command += ["--precision", precision, "--json"]
    found = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    return found["step_ms"]["median"], found["forward_ms"]["median"]


def imported(path):
    spec = importlib.util.spec_from_file_location("peer", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def middle(values):
    values = sorted(values)
    return f"{statistics.median(values):.2f} [{values[0]:.2f}, {values[-1]:.2f}]"


def compare(torch, module, device, options, size, batch, rates):
    peers = {mode: Peer(torch, module, device, size, batch, *MODES[mode]) for mode in options.modes}
    ours = {precision: [] for precision in options.precisions}
    theirs = {mode: [] for mode in options.modes}
    for _ in range(options.rounds):
        for precision in ours:
            ours[precision].append(neuroglot(options, size, batch, precision))
        for mode, peer in peers.items():
            step = peer.milliseconds(peer.step, options.repetitions)
            theirs[mode].append((step, peer.milliseconds(peer.forward, options.repetitions)))
    flops, bytes_per_second = rates
    flop, data = work_of_step(size, batch)
    floors = {p: 1e3 * max(flop / flops[p], data / bytes_per_second) for p in ["f32", "tf32", "bf16"]}
    rows = [(f"neuroglot {p}", p, times) for p, times in ours.items()]
    rows += [(f"peer {mode}", MODES[mode][0], times) for mode, times in theirs.items()]
    for name, precision, times in rows:
        cells = [size, str(batch), name]
        for what in range(2):
            cells.append(f"{statistics.median(time[what] for time in times):.2f}")
            best = [min(found[round][what] for found in theirs.values()) for round in range(options.rounds)]
            cells.append(middle([b / time[what] for b, time in zip(best, times)]))
        cells.append(f"{floors[precision]:.2f}")
        print("| " + " | ".join(cells) + " |", flush=True)


def names_of(known):
    def parse(text):
        names = [name.strip() for name in text.split(",") if name.strip()]
        unknown = [name for name in names if name not in known]
        if unknown:
            raise argparse.ArgumentTypeError(f"{unknown[0]!r} is none of {', '.join(known)}")
        return names
    return parse


def numbers(text):
    return [int(number) for number in text.split(",")]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("peer")
    parser.add_argument("--neuroglot", default="neuroglot")
    parser.add_argument("--device", default="cuda", choices=["cuda", "cpu"])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--repetitions", type=int, default=20, help="timed steps of the peer in a round")
    parser.add_argument("--batches", type=numbers, default="16,64,256")
    parser.add_argument("--sizes", type=names_of(SIZES), default="paper,small")
    parser.add_argument("--precisions", type=names_of(["f32", "tf32", "bf16"]), default="tf32,bf16,f32")
    parser.add_argument("--modes", type=names_of(MODES), default="tf32-eager,tf32-compiled,bf16-compiled")
    options = parser.parse_args()

    import torch
    if options.device == "cuda" and not torch.cuda.is_available():
        sys.exit("PyTorch finds no GPU: use a machine with one, or try the script out with --device cpu")
    device = torch.device(options.device)
    name = torch.cuda.get_device_name(device) if options.device == "cuda" else "processor"
    rates = measured_rates(torch, device)
    speeds = ", ".join(f"{precision} {rate / 1e12:.1f} TFLOP/s" for precision, rate in rates[0].items())
    print(f"{name}: products {speeds}; copies {rates[1] / 1e9:.0f} GB/s\n")
    print("| size | batch | what | step, ms | best peer / this, median [min, max] | forward, ms "
          "| best peer / this, median [min, max] | floor of the step, ms |")
    print("|---|---:|---|---:|---:|---:|---:|---:|")
    module = imported(options.peer)
    for size in options.sizes:
        for batch in options.batches:
            compare(torch, module, device, options, size, batch, rates)


if __name__ == "__main__":
    main()
