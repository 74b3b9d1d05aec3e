"""The whole story on real data, each step a process of its own, as in life. Run it with `make demo`.

usage: demo.py [FOLDER]: where everything goes (default: demo-out beside the examples), made anew.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
OUT = Path(sys.argv[1] if len(sys.argv) > 1 else HERE.parent.parent / "demo-out").absolute()
LINEAL = str(Path(sys.executable).with_name("lineal"))


def step(title: str, *words: str, cwd: Path = OUT) -> None:
    """Runs one command, shown as one would type it; a failure ends the demo."""
    names = ("python" if word == sys.executable else Path(word).name if "/" in word else word for word in words)
    shown = shlex.join(names)
    bold, plain = ("\033[1m", "\033[0m") if sys.stdout.isatty() else ("", "")
    print((f"\n{bold}{title}{plain}\n" if title else "") + f"$ {shown}", flush=True)
    done = subprocess.run(words, cwd=cwd, check=False)
    if done.returncode:
        sys.exit(f"demo: `{shown}` failed with {done.returncode}")


def script(name: str, *words: str) -> tuple[str, ...]:
    return (sys.executable, str(HERE / f"{name}.py"), *words)


def main() -> None:
    started = time.monotonic()
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir()
    os.environ["LINEAL_URL"] = str(OUT / "store")
    os.environ["LINEAL_CACHE_DIR"] = str(OUT / "cache")
    step("A project for this folder", LINEAL, "init", "digits")
    step("1. Prepare the data: digits v0, then a cleaned v1", *script("prepare"))
    step("   What changed between them?", LINEAL, "diff", "digits:v0", "digits:v1")
    step("2. Train a model on each", *script("train", "digits:v0"))
    step("", *script("train", "digits:v1", "64"))
    step("3. Evaluate both", *script("evaluate", "digits:v1", "digits-classifier:v0", "digits-classifier:v1"))
    step(
        "4. The first one goes live",
        LINEAL,
        "promote",
        "digits-classifier:v0",
        "production",
        "--why",
        "first release",
    )
    step("   The second is better: promote it, if v0 still stands there", LINEAL, "promote", "digits-classifier:v1",
         "production", "--expect", "v0", "--why", "better accuracy")  # fmt: skip
    step("5. Serve what is in production, from any folder", *script("serve"), cwd=HERE)
    step("6. What made it?", LINEAL, "lineage", "digits-classifier:production")
    step(
        "   As pictures",
        LINEAL,
        "lineage",
        "digits-classifier:production",
        "--direction",
        "both",
        "-o",
        "lineage.svg",
    )
    step("", LINEAL, "lineage", "digits-classifier:production", "--direction", "both", "-o", "lineage.html")
    step("7. Audit it, every byte hashed again", LINEAL, "audit", "digits-classifier:production", "--verify")
    step(
        "   As a page for an auditor", LINEAL, "audit", "digits-classifier:production", "--verify", "-o", "audit.html"
    )
    step("8. Which models would bad data have reached?", LINEAL, "impact", "digits:v1")
    step("9. Something is wrong: roll back", LINEAL, "rollback", "digits-classifier:production", "--why", "demo")
    step("   Who stood there, and when?", LINEAL, "who-was", "digits-classifier:production")
    where = os.path.relpath(OUT)
    print(f"\nDone in {time.monotonic() - started:.0f} s. In a browser: {where}/lineage.html and {where}/audit.html.")
    print("\nTry next:")
    print(f"  cd {where} && export LINEAL_URL=$PWD/store PATH={shlex.quote(str(Path(LINEAL).parent))}:$PATH")
    for line in (
        "lineal ls                                       # what is there",
        "lineal show digits-classifier:production        # and what is in production",
        "lineal get digits:v1 && ls artifacts/digits:v1  # get the data",
        "lineal history digits-classifier                # every promotion",
        "lineal gc --plan                                # what could go, and why the rest stays",
        "lineal --help",
    ):
        print(f"  {line}")


if __name__ == "__main__":
    main()
