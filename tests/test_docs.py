"""What the documentation says is run: every Python block of the README and the docs, and the commands' names."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

from pathloop.core import Event
from pathloop.interchange import write_objects_csv

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.S | re.M)
COMMANDS = {
    "agreement",
    "compare",
    "finetune",
    "promote",
    "pyramids",
    "rollback",
    "demo",
    "doctor",
    "evaluate",
    "export",
    "import",
    "info",
    "log",
    "merge",
    "models",
    "rank",
    "segment",
    "train",
    "verify",
}


def blocks(language: str) -> list[tuple[str, str]]:
    found = []
    for page in PAGES:
        for kind, text in BLOCK.findall(page.read_text(encoding="utf-8")):
            if kind == language:
                found.append((f"{page.relative_to(ROOT)}-{len(found)}", text))
    return found


@pytest.mark.slow
@pytest.mark.parametrize(("name", "code"), blocks("python"), ids=[name for name, _ in blocks("python")])
def test_python_blocks_run(name: str, code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    exec(compile(code, name, "exec"), {"__name__": "__docs__"})


def test_the_first_two_sh_blocks_are_single_lines() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    single = [code.strip() for kind, code in BLOCK.findall(text) if kind == "sh" and code.count("\n") == 1]
    assert len(single) >= 2
    assert single[0].endswith("pathloop demo")
    assert "pytest" in single[1]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_named_commands_exist(page: Path) -> None:
    text = "\n".join(code for _, code in BLOCK.findall(page.read_text(encoding="utf-8")))
    named = set(re.findall(r"(?:^|\$ |bin/)pathloop ([a-z]+)", text, re.M))
    assert named <= COMMANDS


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_relative_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), target


def test_every_event_and_its_keys_are_documented() -> None:
    page = (ROOT / "docs" / "reference" / "json.md").read_text(encoding="utf-8")
    rows = {line.split("|")[1].strip(" `"): line for line in page.splitlines() if line.startswith("| `")}
    for kind in Event.__subclasses__():
        for field in fields(kind):
            assert f"`{field.name}`" in rows[kind.kind], (kind.kind, field.name)


def test_every_column_of_the_object_table_is_documented(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "reference" / "json.md").read_text(encoding="utf-8")
    header = write_objects_csv(tmp_path / "a.csv", []).read_text(encoding="utf-8").strip()
    for column in header.split(","):
        assert f"`{column}`" in page, column
