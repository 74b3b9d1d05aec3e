import logging

import pytest

from lineal.client import options
from lineal.client.options import Settings
from lineal.core import errors


def test_settings_are_an_object_or_a_mapping_or_nothing():
    assert options.of(None) == Settings()
    assert options.of(Settings(git=False)) == Settings(git=False)
    assert options.of({"git": False, "mode": "shared", "label": "r1"}) == Settings(
        git=False, mode="shared", label="r1"
    )


@pytest.mark.parametrize("off", ["off", "OFF", False, None, 0, "none"])
def test_the_console_is_switched_off_in_wandbs_words_too(off):
    assert options.of({"console": off}).console is False
    assert options.of({"console": "wrap"}).console is True


def test_settings_of_wandb_are_understood_or_left_out_with_a_warning(caplog):
    caplog.set_level(logging.WARNING, logger="lineal")
    found = options.of({"x_disable_stats": True, "disable_git": True, "save_code": True, "start_method": "fork\n"})
    assert found == Settings(system=False, git=False, code=True)
    assert [r.getMessage() for r in caplog.records] == [
        "the setting 'start_method' means nothing to Lineal and is left out"
    ]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (3, "Settings or a mapping"),
        ({"mode": "on line"}, "no mode"),
        (Settings(mode=["shared"]), "no mode"),
        ({"system_interval_s": 0}, "more than 0"),
        ({"system_interval_s": float("nan")}, "more than 0"),
        ({"system_interval_s": "often"}, "number"),
        ({"patience_s": "long"}, "number"),
        ({"patience_s": -1}, "patience_s"),
        ({"patience_s": float("inf")}, "patience_s"),
        ({"label": "x" * 65}, "label"),
        ({"label": 3}, "label"),
        ({"label": "a\nb"}, "label"),
        ({"variables": "PATH"}, "list of texts"),
    ],
)
def test_settings_that_make_no_sense_are_refused(given, said):
    with pytest.raises(errors.InvalidArgument, match=said):
        options.of(given)


def test_settings_written_for_wandb_are_understood_and_the_rest_is_left_out(caplog):
    made = Settings(start_method="thread", console="off", x_disable_stats=True, x_label="rank 1", mode="offline")
    assert (made.console, made.system, made.label, made.mode) == (False, False, "rank 1", "offline")
    assert "start_method" in caplog.text


def test_the_mode_of_the_settings_is_that_of_the_run(place):
    import lineal

    with lineal.init(settings=Settings(mode="disabled")) as run:
        assert run.disabled
    assert not place.store.exists()
