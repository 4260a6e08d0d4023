#!/usr/bin/env python3
"""Saves the weights of a PyTorch checkpoint as safetensors, for `neuroglot import-checkpoint`.

    python scripts/strip_checkpoint.py FILE.pt FILE.safetensors [--key KEY]

A checkpoint may hold a whole model instead of a state dict. Loading it runs code from the file, and needs the code that
the model was made with: run this where that code can be imported, and only on files that you trust. Needs torch and
safetensors.
"""

import argparse
import sys

import torch
from safetensors.torch import save_file

# Keys under which checkpoints keep a model or a state dict beside other things.
KEYS = ["state_dict", "model_state_dict", "model", "module", "net"]


def state_dict(found, key):
    """The state dict in whatever was loaded; `key` says where, where it cannot be guessed."""
    if hasattr(found, "state_dict"):
        return found.state_dict()
    if not isinstance(found, dict):
        sys.exit(f"a {type(found).__name__} is neither a model nor a dictionary")
    if any(torch.is_tensor(value) for value in found.values()):
        return found
    keys = [key] if key else [key for key in KEYS if key in found]
    if not keys or keys[0] not in found:
        sys.exit(f"choose with --key where the model is: {', '.join(map(str, found))}")
    return state_dict(found[keys[0]], None)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", help="file that torch.save wrote")
    parser.add_argument("out", help="safetensors file to write")
    parser.add_argument("--key", help="key of the model or state dict in the checkpoint")
    arguments = parser.parse_args()
    found = state_dict(torch.load(arguments.checkpoint, map_location="cpu", weights_only=False), arguments.key)
    tensors = {name: value.detach().clone().contiguous() for name, value in found.items() if torch.is_tensor(value)}
    if not tensors:
        sys.exit("there are no tensors in it")
    save_file(tensors, arguments.out)
    print(f"{arguments.out}: {len(tensors)} tensors")


if __name__ == "__main__":
    main()
