"""How much each feature counts in a model, as a table and a bar chart of the run."""

from __future__ import annotations

from collections.abc import Mapping

from lineal.client.run import Run

_MOST = 1000


def log_importance(run: Run, scores: Mapping[str, float], key: str = "feature_importance") -> None:
    """Logs the features under `key`, the weightiest first; past 1,000 the rest are left out."""
    if not scores:
        return
    from lineal.client import plots
    from lineal.client.media.table import Table

    weightiest = sorted(scores, key=lambda name: -abs(scores[name]))[:_MOST]
    table = Table(columns=["feature", "importance"], data=[[name, scores[name]] for name in weightiest])
    run.log({key: plots.bar(table, "feature", "importance", title="Feature importance")})
