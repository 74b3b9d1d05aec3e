"""Pages for users run as they stand: blocks marked `python run` or `bash run`, in order, in one empty folder."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.conftest import ROOT
from tests.installation import Installation

_BLOCK = re.compile(r"^```(python|bash) run\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PAGES = [page for page in ("README.md", "docs/guide.md", "docs/runs.md", "docs/sweeps.md") if (ROOT / page).exists()]


class Block(NamedTuple):
    """A block of a page: its language, its text, and the line it starts on."""

    language: str
    text: str
    line: int


def blocks(page: str) -> list[Block]:
    return [Block(found[1], found[2], page.count("\n", 0, found.start()) + 2) for found in _BLOCK.finditer(page)]


def run(page: str, folder: Path, installation: Installation) -> list[str]:
    """What each block of the page printed; a block that fails fails the test, naming its line."""
    home = folder.with_name(f"{folder.name}-home")
    home.mkdir()
    folder.mkdir()
    bare = {key: value for key, value in installation.environment().items() if not key.startswith("LINEAL_")}
    said = []
    for block in blocks(page):
        command = [installation.python, "-c"] if block.language == "python" else ["bash", "-euo", "pipefail", "-c"]
        done = subprocess.run(
            [*command, block.text],
            cwd=folder,
            env=bare | {"HOME": str(home)},
            capture_output=True,
            check=False,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, f"the block at line {block.line}:\n{block.text}\n{done.stdout}{done.stderr}"
        said.append(done.stdout)
    return said


@pytest.mark.parametrize("page", PAGES)
def test_every_marked_block_of_the_page_runs(page, tmp_path, installation):
    text = (ROOT / page).read_text(encoding="utf-8")
    assert blocks(text)
    run(text, tmp_path / "page", installation)


def test_the_readme_has_blocks_of_both_kinds():
    assert {block.language for block in blocks((ROOT / "README.md").read_text(encoding="utf-8"))} == {
        "python",
        "bash",
    }


SAMPLE = """# Sample

```python run
import lineal
from pathlib import Path
Path("data.txt").write_text("1")
with lineal.init() as run:
    print(run.log_artifact("data.txt", type="dataset").name)
```

```python
raise SystemExit("not marked, not run")
```

```bash run
lineal promote data:v0 best
python -c 'import lineal; print(lineal.download("data:best").startswith("/"))'
```
"""


def test_blocks_run_in_order_and_share_one_folder_and_store(tmp_path, installation):
    said = run(SAMPLE, tmp_path / "page", installation)
    assert said == ["data:v0\n", "default/data:best is now v0.\nTrue\n"]
    assert (tmp_path / "page-home/.lineal/lineal.db").exists()


@pytest.mark.parametrize(
    "block", ["```bash run\nlineal show nothing\necho after\n```\n", "```python run\n1/0\n```\n"]
)
def test_a_block_that_fails_is_told_with_its_line(tmp_path, installation, block):
    with pytest.raises(AssertionError, match="the block at line 4"):
        run(f"# Page\n\n{block}", tmp_path / "page", installation)
