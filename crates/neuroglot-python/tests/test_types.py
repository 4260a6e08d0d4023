"""Type stubs are complete: an example of every call passes mypy in strict mode."""

from __future__ import annotations

from pathlib import Path

import pytest

HERE = Path(__file__).parent


def test_the_example_is_typed(tmp_path: Path) -> None:
    api = pytest.importorskip("mypy.api")
    output, errors, status = api.run(
        ["--strict", "--no-incremental", "--cache-dir", str(tmp_path), str(HERE / "typed_example.py")]
    )
    assert status == 0, output + errors


def test_the_package_is_typed(tmp_path: Path) -> None:
    api = pytest.importorskip("mypy.api")
    # Packages that are missing, or have no types, are of any type.
    lenient = ["--ignore-missing-imports", "--allow-subclassing-any", "--no-warn-return-any", "--allow-untyped-calls"]
    output, errors, status = api.run(["--strict", *lenient, "--cache-dir", str(tmp_path), "-p", "neuroglot"])
    assert status == 0, output + errors


def test_the_native_module_is_as_its_stub_says(tmp_path: Path) -> None:
    pytest.importorskip("mypy.stubtest")
    from mypy.stubtest import parse_options, test_stubs

    assert test_stubs(parse_options(["neuroglot._neuroglot"])) == 0
