"""The structure that the docs promise: sizes, top-level folders, layer contracts, pinned and explained packages."""

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "pathloop"
MAX_LINES = 300
MAX_FUNCTION_LINES = 60

LONG_FILES: dict[str, str] = {
    "gui/running/_conductor.py": "one state machine: its transitions are read together",
}
LONG_FUNCTIONS: dict[str, str] = {}
TOP_LEVEL = {
    "pyproject.toml",
    "README.md",
    "LICENSE",
    "CHANGELOG.md",
    "constraints.txt",
    "src",
    "tests",
    "sample_data",
    "docs",
    "benchmarks",
    "examples",
}


def modules() -> list[Path]:
    return sorted(SOURCE.rglob("*.py"))


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(SOURCE)))
def test_files_and_functions_are_short(path: Path) -> None:
    name = str(path.relative_to(SOURCE))
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= MAX_LINES or name in LONG_FILES
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            assert length <= MAX_FUNCTION_LINES or f"{name}:{node.name}" in LONG_FUNCTIONS, node.name


def test_exceptions_are_still_needed() -> None:
    for name in LONG_FILES:
        assert len((SOURCE / name).read_text(encoding="utf-8").splitlines()) > MAX_LINES, name


def test_no_module_is_a_drawer() -> None:
    assert not [path for path in modules() if path.stem.strip("_") in {"utils", "helpers", "misc", "common"}]


def test_top_level_holds_what_the_design_names() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    names = {line.split("/")[0] for line in listed.stdout.splitlines()}
    assert {name for name in names if not name.startswith(".")} <= TOP_LEVEL


def test_layer_contracts_hold() -> None:
    linter = Path(sys.executable).parent / "lint-imports"
    done = subprocess.run([str(linter)], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:]


def test_constraints_pin_the_cpu_torch() -> None:
    pins = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    assert "torch==2.13.0" in pins
    assert not [pin for pin in pins if pin and "==" not in pin]


def test_every_dependency_is_explained() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    page = (ROOT / "docs" / "explanation" / "dependencies.md").read_text(encoding="utf-8")
    groups = [project["dependencies"], *project["optional-dependencies"].values()]
    for requirement in (one for group in groups for one in group):
        name = requirement.split(">")[0].split("[")[0].strip()
        assert name in page, name
