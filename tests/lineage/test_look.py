import itertools
import re
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineal.lineage import look
from tests.lineage.graphs import run, sweep, version


def test_the_usual_types_have_colours_of_their_own() -> None:
    fixed = [look.type_colour(kind) for kind in ("dataset", "model", "result", "code")]
    assert len(set(fixed)) == 4
    assert not set(fixed) & set(look.OTHERS)


@given(st.text())
def test_any_other_type_always_has_the_same_colour(kind: str) -> None:
    assert look.type_colour(kind) == look.type_colour(kind)


def test_the_colour_of_a_type_is_the_same_in_every_process() -> None:
    assert look.OTHERS.index(look.type_colour("predictions")) == 2
    assert look.OTHERS.index(look.type_colour("metrics")) == 3


def test_runs_are_neutral_and_what_is_deleted_is_grey() -> None:
    assert look.colour(run("a")) == look.RUN
    assert look.colour(version("m", 0, "model", deleted=True)) == look.DELETED


def _luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _contrast(one: str, two: str) -> float:
    low, high = sorted((_luminance(one), _luminance(two)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("paint", [look.RUN, look.DELETED, *look.FIXED.values(), *look.OTHERS])
def test_ink_can_be_read_on_its_fill_in_light_and_dark(paint: look.Colour) -> None:
    assert _contrast(paint.ink, paint.fill) >= 4.5
    assert _contrast(paint.dark_ink, paint.dark_fill) >= 4.5


@given(st.text())
def test_clean_text_is_one_line_without_control_characters(text: str) -> None:
    shown = look.clean(text)
    assert "\n" not in shown
    assert not re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202e\ud800-\udfff]", shown)
    assert look.clean(shown) == shown
    shown.encode()


def test_plain_names_are_shown_as_they_are() -> None:
    assert look.clean("Größe 日本 🎉 a<b>&c") == "Größe 日本 🎉 a<b>&c"


def test_text_that_reverses_what_follows_is_made_visible() -> None:
    assert look.clean("a\u202eb\x1b[2J") == "a�b�[2J"


def test_a_long_caption_keeps_its_version() -> None:
    node = replace(run("x"), name="a" * 80 + ":v12")
    assert len(look.caption(node)) == 46
    assert look.caption(node).endswith(":v12")
    assert "…" in look.caption(node)


def test_a_node_without_a_name_is_called_by_its_id() -> None:
    assert look.caption(replace(run("x"), name="")) == "run:x"


def test_the_line_under_the_name_says_what_it_is() -> None:
    assert look.subtitle(run("a")) == "run · train"
    assert look.subtitle(run("a", "")) == "run"
    assert look.subtitle(version("m", 0, "model", deleted=True)) == "model · deleted"


def test_aliases_that_are_too_many_are_counted() -> None:
    node = version("m", 0, "model", *"abcdefgh")
    assert look.badges(node) == ("a", "b", "c", "d", "e", "+3")


def test_facts_are_told_to_people() -> None:
    facts = {
        "size_bytes": 3 * 2**20,
        "small_bytes": 12,
        "dirty": True,
        "clean": False,
        "host": None,
        "tags": ["a", 2],
        "more": {"x": [1]},
        "began": datetime(2026, 5, 1, 12, 0, 1, 5, tzinfo=UTC),
    }
    assert look.facts(run("a", detail=facts)) == [
        ("size", "3.1 MB"),
        ("small", "12 bytes"),
        ("dirty", "yes"),
        ("clean", "no"),
        ("tags", "a, 2"),
        ("more", '{"x": [1]}'),
        ("began", "2026-05-01 12:00:01 UTC"),
    ]


def test_colours_are_told_apart() -> None:
    fills = [paint.fill for paint in (look.RUN, *look.FIXED.values(), *look.OTHERS)]
    assert all(one != two for one, two in itertools.combinations(fills, 2))


def test_a_sweep_is_neutral_too_and_a_run_tells_which_trial_it_is() -> None:
    assert look.colour(sweep("s")) == look.SWEEP != look.RUN
    assert look.subtitle(sweep("s", "bayes")) == "sweep · bayes"
    assert look.subtitle(run("r", detail={"trial": 0})) == "run · train · trial 0"
    assert look.subtitle(run("r", "", detail={"trial": "\x1b[1m"})) == "run · trial �[1m"
