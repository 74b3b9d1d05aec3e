"""The tables: what was claimed and what came out, every system's median, the machine and its limits."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from claims import ALSO, CLAIMS, LIMITS, MOST_MEMORY_MB, THEIRS, Claim, fact

Row = Mapping[str, Any]


class Results:
    """The measurements by work and system."""

    def __init__(
        self, rows: Iterable[Row], titles: Mapping[str, str], absent: Mapping[str, str], *, small: bool
    ) -> None:
        """`titles` name the systems with their versions, `absent` says why others were not measured.

        `small`: the sizes are not those of the claims, which are then neither reached nor missed.
        """
        self._rows: dict[tuple[str, str], list[Row]] = defaultdict(list)
        for row in rows:
            self._rows[row["work"], row["system"]].append(row)
        self.titles, self.absent, self.small = titles, absent, small

    def has(self, work: str) -> bool:
        return any(measured == work for measured, _ in self._rows)

    def median(self, work: str, system: str, of: str = "") -> float | None:
        """The median over the runs, if there were any; of what counts in that work, or of another fact."""
        values = [row[of or fact(work)] for row in self._rows.get((work, system), ())]
        return statistics.median(values) if values else None

    def most(self, work: str, system: str, of: str) -> float | None:
        """The largest of the runs."""
        return max((row[of] for row in self._rows.get((work, system), ())), default=None)

    def spread(self, work: str, system: str) -> str:
        """`median (least–most)` of what counts."""
        values = [row[fact(work)] for row in self._rows.get((work, system), ())]
        if not values:
            return ""
        shown = _time if fact(work) == "seconds" else _number
        around = f" ({shown(min(values))}–{shown(max(values))})" if len(values) > 1 else ""
        return shown(statistics.median(values)) + around


def report(results: Results, machine: Mapping[str, str], *, runs: int) -> str:
    """Everything as one Markdown page."""
    form = "A small form, which shows only that everything works" if results.small else "Full size"
    parts = [
        f"{form}; runs of each, interleaved: {runs}. Medians (least–most).",
        "\n".join(f"- {key}: {value}" for key, value in machine.items()),
        _claims(results),
        _everything(results),
        _limits(results),
        "\n".join(f"Not measured: {name} ({why})." for name, why in results.absent.items()),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _claims(results: Results) -> str:
    head = ("work", "peer", "peer's median", "lineal's median", "ratio", "target", "reached", "lineal's peak memory")
    return _table(head, [_claim(results, claim) for claim in CLAIMS if results.has(claim.work)])


def _claim(results: Results, claim: Claim) -> list[str]:
    ours, theirs = results.median(claim.work, "lineal"), results.median(claim.peer_work, claim.peer)
    ratio = ours / theirs if ours is not None and theirs else None
    memory = results.most(claim.work, "lineal", "peak_mb")
    facts = {of: results.median(claim.work, "lineal", of) for of in claim.most}
    targets = [f"≤ {claim.ratio:g} ×", *(f"≤ {_fact(of, most)}" for of, most in claim.most.items())]
    measured = ["" if ratio is None else f"{ratio:.3g} ×", *(_fact(f, v) for f, v in facts.items() if v is not None)]
    bounds = [(ratio, claim.ratio), (memory, MOST_MEMORY_MB), *((facts[f], most) for f, most in claim.most.items())]
    return [
        claim.title,
        results.titles.get(claim.peer) or f"{claim.peer}: not measured",
        results.spread(claim.peer_work, claim.peer),
        results.spread(claim.work, "lineal"),
        ", ".join(filter(None, measured)),
        ", ".join(targets),
        "–" if results.small else _reached(bounds),
        "" if memory is None else f"{memory:.0f} MB",
    ]


def _reached(bounds: Sequence[tuple[float | None, float]]) -> str:
    if any(value is None for value, _ in bounds):
        return "–"
    return "yes" if all(value <= most for value, most in bounds if value is not None) else "no"


def _everything(results: Results) -> str:
    works = {claim.work: claim.title for claim in CLAIMS} | ALSO | THEIRS
    systems = [name for name in results.titles if any(results.spread(work, name) for work in works)]
    rows = [[work, *(results.spread(work, name) for name in systems)] for work in sorted(works) if results.has(work)]
    return _table(("every median", *(results.titles[name] for name in systems)), rows)


def _limits(results: Results) -> str:
    rows = [[title, results.spread(work, "lineal")] for work, title in LIMITS.items() if results.has(work)]
    return _table(("the machine's limit", "median"), rows)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    if not rows:
        return ""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _time(seconds: float) -> str:
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds * 1e6:.3g} µs"


def _number(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _fact(of: str, value: float) -> str:
    return f"{value / 1e6:.2f} MB new" if of == "bytes" else f"{value:.0f} {of}"
