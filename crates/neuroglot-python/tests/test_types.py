"""Type stubs are complete: an example of every call passes mypy in strict mode."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

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


def functions() -> Iterator[tuple[str, Any]]:
    """Every public function and method."""
    for name in ("arrays", "baselines", "evaluation", "metrics", "model", "session", "torch"):
        try:
            module = importlib.import_module(f"neuroglot.{name}")
        except ModuleNotFoundError as error:
            print(f"without {error.name}: docstrings of neuroglot.{name} are not looked at")
            continue
        for public in module.__all__:
            thing = getattr(module, public)
            if inspect.isfunction(thing):
                yield f"{name}.{public}", thing
            for member, value in vars(thing).items() if inspect.isclass(thing) else ():
                function = getattr(value, "__func__", value)
                if not member.startswith("_") and inspect.isfunction(function):
                    yield f"{name}.{public}.{member}", function


def test_docstrings_say_what_goes_in_and_out() -> None:
    """In the sections of numpydoc: every parameter, and what is returned."""
    lacking = []
    for name, function in functions():
        text, signature = inspect.getdoc(function) or "", inspect.signature(function)
        section = text.partition("Parameters\n----------\n")[2].partition("\n\n")[0]
        described = re.findall(r"^\S.*?(?= :|$)", section, flags=re.MULTILINE)
        named = {part.strip().lstrip("*") for line in described for part in line.split(",")}
        lacking += [f"{name}: {parameter}" for parameter in signature.parameters if parameter not in {"self", "cls", *named}]
        if signature.return_annotation not in ("None", None) and "Returns\n-------\n" not in text:
            lacking.append(f"{name}: what it returns")
    assert lacking == []
