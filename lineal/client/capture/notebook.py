"""The cells that a Jupyter notebook or an IPython prompt has run so far."""

from __future__ import annotations

import json
import platform
import sys
from typing import Any

from lineal.client.capture.redaction import without_tokens


def notebook() -> bytes | None:
    """The cells as they were typed, in the order they ran, as an .ipynb file (nbformat 4.5); None outside IPython.

    Outputs are left out, and tokens of a well-known form are replaced with `***`.
    """
    cells = [_cell(number, source) for number, source in enumerate(_sources()) if source]
    if not cells:
        return None
    document = {
        "cells": cells,
        "metadata": {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python", "file_extension": ".py", "version": platform.python_version()},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(document, indent=1, ensure_ascii=False).encode("utf-8", "replace")


def _sources() -> list[str]:
    ipython = sys.modules.get("IPython")  # who runs in it has imported it
    shell = ipython.get_ipython() if ipython is not None else None
    if shell is None:
        return []
    typed = getattr(getattr(shell, "history_manager", None), "input_hist_raw", None) or []
    return [source if isinstance(source, str) else "" for source in typed]


def _cell(number: int, source: str) -> dict[str, Any]:
    return {
        "cell_type": "code",
        "execution_count": number,
        "id": f"in-{number}",
        "metadata": {},
        "outputs": [],
        "source": without_tokens(source),
    }
