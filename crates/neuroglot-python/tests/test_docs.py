"""What the documentation shows runs as it stands, line for line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
HERE = Path(__file__).parents[1]


def snippets(page: Path) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("page", [ROOT / "docs" / "python.md", ROOT / "README.md", HERE / "README.md"], ids=lambda page: page.parent.name)
def test_every_snippet_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = snippets(page)
    assert found, page
    names: dict[str, object] = {}
    missing = set()
    for snippet in found:
        try:
            exec(compile(snippet, str(page), "exec"), names)
        except ModuleNotFoundError as error:
            missing.add(str(error.name))
    if missing:
        pytest.skip(f"all snippets ran but those that need {', '.join(sorted(missing))}")


def test_every_page_that_is_named_is_there() -> None:
    text = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
    for page in re.findall(r"\]\(([\w-]+\.md)\)", text):
        assert (ROOT / "docs" / page).is_file(), page


def test_examples_of_docstrings_run() -> None:
    import doctest

    import neuroglot
    from neuroglot import metrics, model, session

    for module in (neuroglot, metrics, model, session):
        done = doctest.testmod(module)
        assert done.attempted > 0 and done.failed == 0, module.__name__
