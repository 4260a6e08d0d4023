#!/usr/bin/env python3
"""Makes the table of brain regions and the fixtures of its tests from the IBL's atlas package.

    python3 -m venv regions && regions/bin/pip install iblatlas==1.3.0 pynrrd==1.1.3
    regions/bin/python scripts/make_regions.py

`crates/neuroglot-regions/data/allen.tsv` is the Allen structure tree with the ids that each structure has in the Beryl,
Cosmos and Swanson parcellations, read from the arrays of `BrainRegions.mappings`. The fixtures are answers of the
package's functions, which the tests compare with: `mappings.tsv` of `acronym2acronym`, `signed.tsv` of `remap` on ids of
both hemispheres, `bregma.tsv` of `AllenAtlas.xyz2ccf`, and `labels.tsv` of `get_labels` on a small made-up annotation
volume, which lies beside them in every encoding (`annotation_*.nrrd`, written by pynrrd).
"""

from importlib.metadata import version
from pathlib import Path

import nrrd
import numpy as np
from iblatlas.atlas import ALLEN_CCF_LANDMARKS_MLAPDV_UM, AllenAtlas, BrainAtlas
from iblatlas.regions import BrainRegions

IBLATLAS = "1.3.0"
CRATE = Path(__file__).parents[1] / "crates" / "neuroglot-regions"
FIXTURES = CRATE / "tests" / "fixtures"
PARCELLATIONS = ["Beryl", "Cosmos", "Swanson"]


def write(path, lines):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")


def table(regions):
    """One line a structure, in the tree's order; the left hemisphere is the same with negative ids."""
    yield "\t".join(["id", "acronym", "name", "parent", "colour"] + [name.lower() for name in PARCELLATIONS])
    for row in range(regions.n_lr + 1):
        parent = regions.parent[row]
        targets = [regions.id[regions.mappings[name][row]] for name in PARCELLATIONS]
        cells = [
            regions.id[row],
            regions.acronym[row],
            regions.name[row],
            "" if np.isnan(parent) else int(parent),
            "".join(f"{channel:02x}" for channel in regions.rgb[row]),
            *targets,
        ]
        assert all(target >= 0 for target in targets)
        assert not any("\t" in str(cell) or "\n" in str(cell) for cell in cells)
        yield "\t".join(str(cell) for cell in cells)


def mappings(regions):
    acronyms = list(regions.acronym[: regions.n_lr + 1])
    columns = [regions.acronym2acronym(acronyms, mapping=name) for name in PARCELLATIONS]
    yield "\t".join(["acronym"] + [name.lower() for name in PARCELLATIONS])
    for cells in zip(acronyms, *columns):
        yield "\t".join(cells)


def signed(regions):
    """Every 13th structure, on the left and on the right."""
    ids = regions.id[1 : regions.n_lr + 1][::13]
    ids = np.concatenate([ids, -ids, [0]])
    columns = [regions.remap(ids, source_map="Allen-lr", target_map=name) for name in PARCELLATIONS]
    yield "\t".join(["id"] + [name.lower() for name in PARCELLATIONS])
    for cells in zip(ids, *columns):
        yield "\t".join(str(int(cell)) for cell in cells)


def bregma(generator):
    """Metres from bregma (ml, ap, dv) and micrometres of the CCF (ap, dv, ml)."""
    atlas = AllenAtlas(res_um=25, mock=True)
    points = generator.uniform([-5.6e-3, -7.7e-3, -7.5e-3], [5.6e-3, 5.3e-3, 0.3e-3], (20, 3)).round(6)
    points[0] = 0
    ccf = atlas.xyz2ccf(points, ccf_order="apdvml")
    yield "\t".join(["ml_m", "ap_m", "dv_m", "ap_um", "dv_um", "ml_um"])
    for point, place in zip(points, ccf):
        yield "\t".join(repr(float(value)) for value in [*point, *place])


# A CCF of coarse voxels (um) of no real anatomy: boxes of a few structures in void, [ap, dv, ml].
SPACING = 200
SHAPE = (66, 40, 57)


def volume(regions):
    ids = np.zeros(SHAPE, dtype=np.uint32)
    boxes = {
        "VISp5": (slice(36, 50), slice(2, 12), slice(6, 50)),
        "CA1": (slice(30, 48), slice(8, 18), slice(10, 46)),
        "PO": (slice(30, 40), slice(15, 25), slice(20, 36)),
        "MOs2/3": (slice(10, 28), slice(3, 14), slice(12, 44)),
        "SPVC": (slice(55, 66), slice(20, 40), slice(15, 57)),
    }
    for acronym, box in boxes.items():
        ids[box] = regions.acronym2id(acronym)[0]
    # The largest id of the tree.
    ids[60:63, 25:30, 25:30] = regions.id.max()
    return ids


def labels(regions, ids, generator):
    """`get_labels` of points in metres from bregma, on the volume made as `AllenAtlas` makes its own."""
    label = np.transpose(ids.astype(np.int64), (0, 2, 1))  # [ap, ml, dv]
    origin = ALLEN_CCF_LANDMARKS_MLAPDV_UM["bregma"] / SPACING
    lateral = np.zeros(label.shape[1])
    lateral[int(np.floor(origin[0]))] = 1
    label = label * np.sign(np.cumsum(lateral)[np.newaxis, :, np.newaxis] - 0.5).astype(np.int64)
    index = {int(one): place for place, one in enumerate(regions.id)}
    label = np.vectorize(index.get)(label)
    dxyz = SPACING * 1e-6 * np.array([1, -1, -1])
    atlas = BrainAtlas(label, label, dxyz, regions, origin, dims2xyz=np.array([1, 0, 2]), xyz2dims=np.array([1, 0, 2]))
    points = generator.uniform([-5.5e-3, -7.5e-3, -7.3e-3], [5.3e-3, 5.2e-3, 0.2e-3], (400, 3)).round(6)
    # The midline, where the sign changes.
    points[:40, 0] = np.linspace(-4e-4, 4e-4, 40).round(6)
    points[:40, 1:] = [-2e-3, -3e-3]
    # Inside the box of the largest id.
    points[40] = [-0.24e-3, -6.8e-3, -5.1e-3]
    yield "\t".join(["ml_m", "ap_m", "dv_m", "id"])
    for point, one in zip(points, atlas.get_labels(points, mapping="Allen-lr")):
        yield "\t".join([*(repr(float(value)) for value in point), str(int(one))])


def write_volumes(ids):
    directions = np.diag([SPACING] * 3).astype(float)
    header = {"space directions": directions, "space origin": [0, 0, 0], "kinds": ["domain"] * 3, "space dimension": 3}
    for name, values, extra in [
        ("gzip", ids, {"encoding": "gzip", "endian": "little"}),
        ("big_endian", ids.astype(">u4"), {"encoding": "gzip", "endian": "big"}),
        ("int64", ids.astype(np.int64), {"encoding": "gzip", "endian": "little"}),
    ]:
        nrrd.write(str(FIXTURES / f"annotation_{name}.nrrd"), values, {**header, **extra}, compression_level=9)


def main():
    assert version("iblatlas") == IBLATLAS, f"iblatlas {IBLATLAS} is what the table is made from"
    regions = BrainRegions()
    generator = np.random.default_rng(5)
    write(CRATE / "data" / "allen.tsv", table(regions))
    write(FIXTURES / "mappings.tsv", mappings(regions))
    write(FIXTURES / "signed.tsv", signed(regions))
    write(FIXTURES / "bregma.tsv", bregma(generator))
    ids = volume(regions)
    write(FIXTURES / "labels.tsv", labels(regions, ids, generator))
    write_volumes(ids)


if __name__ == "__main__":
    main()
