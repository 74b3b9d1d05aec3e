import argparse
import copy
import dataclasses
import enum
import json
import math
import pickle
import threading
import time
from pathlib import Path

import pydantic
import pytest

import lineal
from lineal.client import config as configs
from lineal.client.config import Config, Section
from lineal.core import errors
from tests.client import told


class Optimizer(enum.Enum):
    ADAM = 1


@dataclasses.dataclass
class Net:
    depth: int = 3
    where: Path = Path("weights")


@dataclasses.dataclass
class Settings:
    lr: float = 0.1
    net: Net = dataclasses.field(default_factory=Net)
    optimizer: Optimizer = Optimizer.ADAM


class Model(pydantic.BaseModel):
    lr: float = 0.1
    path: Path = Path("a")


def a_config(values=None, changes=None):
    changes = [] if changes is None else changes
    return Config(values or {}, lambda now: changes.append(now())), changes


# ---- what a config is made of --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "found"),
    [
        (None, {}),
        ({"lr": 1, "net": {"depth": 2}}, {"lr": 1, "net": {"depth": 2}}),
        ({1: "a"}, {"1": "a"}),
        (argparse.Namespace(lr=1, net=argparse.Namespace(depth=2), _own=3), {"lr": 1, "net": {"depth": 2}}),
        (Settings(), {"lr": 0.1, "net": {"depth": 3, "where": "weights"}, "optimizer": "ADAM"}),
        (Model(), {"lr": 0.1, "path": "a"}),
        (
            {"model": Model(), "net": Net()},
            {"model": {"lr": 0.1, "path": "a"}, "net": {"depth": 3, "where": "weights"}},
        ),
        ({"act": math.sin, "kind": dict}, {"act": "sin", "kind": "dict"}),
        ({"size": (3, [Path("a")])}, {"size": [3, ["a"]]}),
    ],
)
def test_settings_are_taken_from_whatever_a_script_has_them_in(given, found):
    assert configs.of(given) == found


def test_the_flags_of_absl_are_settings():
    flags = pytest.importorskip("absl.flags")
    values = flags.FlagValues()
    flags.DEFINE_float("lr", 0.1, "rate", flag_values=values)
    flags.DEFINE_list("layers", ["a", "b"], "layers", flag_values=values)
    values(["train.py", "--lr=0.5"])
    assert configs.of(values) == {"lr": 0.5, "layers": ["a", "b"]}


def test_a_yaml_file_may_have_the_values_below_value_as_files_for_wandb_do():
    Path("config.yaml").write_text("lr:\n  desc: the rate\n  value: 0.1\nnet:\n  depth: 3\nseed: 1\n")
    assert configs.of("config.yaml") == {"lr": 0.1, "net": {"depth": 3}, "seed": 1}


def test_a_json_file_is_settings_too():
    Path("config.json").write_text('{"lr": 1e-3, "layers": [1, 2], "name": "ü"}')
    with lineal.init(config=Path("config.json")) as run:
        assert run.config == {"lr": 1e-3, "layers": [1, 2], "name": "ü"}


@pytest.mark.parametrize("text", ["- 1\n", "a: [", "\x00", "!!python/object:os.system {}", "a: &a [*a]\nb: *a\n"])
def test_a_file_that_holds_no_settings_is_refused(text):
    Path("config.yaml").write_text(text)
    with pytest.raises(errors.Invalid):
        lineal.init(config="config.yaml")
    assert lineal.run is None


@pytest.mark.parametrize("given", ["missing.yaml", ".", 3, object, print, b"lr"])
def test_what_can_be_no_config_is_refused_and_starts_nothing(given):
    with pytest.raises(errors.InvalidArgument):
        lineal.init(config=given)
    assert lineal.run is None


def test_keys_are_chosen_or_left_out():
    given = {"lr": 1, "seed": 2, "debug": 3}
    assert configs.of(given, include=["lr", "absent"]) == {"lr": 1}
    assert configs.of(given, exclude=["debug"]) == {"lr": 1, "seed": 2}
    with pytest.raises(errors.InvalidArgument, match="not both"):
        configs.of(given, include=["lr"], exclude=["seed"])
    with pytest.raises(errors.InvalidArgument, match="list of texts"):
        configs.of(given, exclude="debug")


def test_ten_thousand_keys_are_kept():
    with lineal.init(config={f"k{n}": n for n in range(10_000)}) as run:
        assert len(run.config) == 10_000
    assert told.record(run.id).config["k9999"] == 9999


def test_ten_thousand_keys_set_one_by_one_are_no_work():
    started = time.monotonic()
    with lineal.init() as run:
        for n in range(10_000):
            run.config[f"k{n}"] = n
    assert len(told.record(run.id).config) == 10_000
    assert time.monotonic() - started < 20


def test_a_config_larger_than_the_store_takes_is_refused_whole():
    with lineal.init(config={"a": "x" * (20 << 20)}) as run:
        with pytest.raises(errors.InvalidMetadata, match="at most"):
            run.config.b = "x" * (20 << 20)
        run.config.update({"a": "small"}, allow_val_change=True)
        run.config.b = "x" * (20 << 20)
    assert {key: len(value) for key, value in told.record(run.id).config.items()} == {"a": 5, "b": 20 << 20}


def nested(levels):
    value = 1
    for _ in range(levels):
        value = {"a": value}
    return value


@pytest.mark.parametrize("levels", [100, 100_000])
def test_a_hundred_levels_are_refused_clearly(levels):
    with pytest.raises(errors.Invalid, match=r"nested (deeper than 64|too deep)"):
        lineal.init(config=nested(levels))
    with lineal.init() as run:
        with pytest.raises(errors.Invalid, match=r"nested (deeper than 64|too deep)"):
            run.config.update(nested(levels))
        assert dict(run.config) == {}


def test_a_config_that_holds_itself_is_refused():
    own: dict[str, object] = {}
    own["own"] = own
    with pytest.raises(errors.Invalid, match="holds itself"):
        lineal.init(config=own)


def test_numbers_that_json_lacks_survive():
    with lineal.init(config={"a": math.nan, "b": {"c": math.inf}}) as run:
        assert math.isnan(run.config.a)
        run.config.update({"a": math.nan})
    found = told.record(run.id).config
    assert (math.isnan(found["a"]), found["b"]) == (True, {"c": math.inf})


# ---- reading and writing -------------------------------------------------------------------------------------


def test_nested_settings_are_read_and_written_by_attribute_and_item():
    with lineal.init(config={"net": {"depth": 3, "act": {"kind": "relu"}}}) as run:
        assert run.config.net.depth == run.config["net"]["depth"] == 3
        run.config.net.act.kind = "gelu"
        run.config.net["width"] = 8
        run.config.net.more = {"deep": {"er": 1}}
        run.config.net.more.deep.er = 2
    expected = {"depth": 3, "act": {"kind": "gelu"}, "width": 8, "more": {"deep": {"er": 2}}}
    assert told.record(run.id).config == {"net": expected}


CHANGES = {
    "pop": lambda section: section.pop("a"),
    "popitem": lambda section: section.popitem(),
    "clear": lambda section: section.clear(),
    "update": lambda section: section.update(z=1),
    "setdefault": lambda section: section.setdefault("z", 1),
    "del": lambda section: section.__delitem__("a"),
    "delattr": lambda section: delattr(section, "a"),
    "|=": lambda section: section.__ior__({"z": 1}),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_whichever_way_nested_settings_change_it_is_recorded(change):
    config, changes = a_config({"s": {"a": 1}})
    change(config.s)
    assert changes == [{"s": dict(config.s)}]
    assert config.s != {"a": 1}


def test_nested_settings_are_a_dict_to_everyone():
    config, _ = a_config({"s": {"a": {"b": 1}}})
    assert isinstance(config.s, dict)
    assert json.dumps(dict(config)) == '{"s": {"a": {"b": 1}}}'
    assert config.s.pop("absent", 3) == 3
    with pytest.raises(KeyError):
        config.s.pop("absent")
    with pytest.raises(AttributeError, match="no 'absent'"):
        _ = config.s.absent


def test_after_a_refusal_nothing_is_half_applied():
    config, changes = a_config({"a": 1, "s": {"b": 1}})
    with pytest.raises(errors.ConfigChanged, match="'a' is 1 already"):
        config.update({"new": 1, "a": 2})
    with pytest.raises(errors.InvalidMetadata):
        config.update({"new": 1, "bad": object()})
    with pytest.raises(errors.InvalidMetadata):
        config.s.update({"new": 1, "bad": object()})
    with pytest.raises(errors.InvalidMetadata):
        config.s.deep = nested(70)
    assert (config.as_dict(), changes) == ({"a": 1, "s": {"b": 1}}, [])


def test_what_the_record_refuses_is_taken_back():
    def refuse(_values):
        raise errors.RunFinished("over")

    config = Config({"a": 1, "s": {"b": 1}}, refuse)
    for act in (lambda: config.update(c=1), lambda: config.s.update(c=1), lambda: config.s.pop("b")):
        with pytest.raises(errors.RunFinished):
            act()
    assert config.as_dict() == {"a": 1, "s": {"b": 1}}


def test_the_same_value_again_changes_nothing_and_is_no_conflict():
    config, _ = a_config({"a": [1, {"b": 2}], "n": math.nan})
    config.update({"a": (1, {"b": 2})}, n=math.nan)
    config.setdefaults({"a": 5, "c": 6})
    assert config.c == 6
    assert config.a == [1, {"b": 2}]


def test_allow_val_change_allows_it():
    config, changes = a_config({"a": 1})
    config.update({"a": 2}, allow_val_change=True)
    assert changes[-1] == {"a": 2}


def test_values_are_deleted_by_item_or_attribute():
    config, changes = a_config({"a": 1, "b": 2, "c": 3})
    del config["a"]
    del config.b
    assert (changes[-1], "a" in config) == ({"c": 3}, False)
    with pytest.raises(KeyError):
        del config["a"]


def test_what_the_caller_changes_later_is_not_the_config():
    layers = [1, 2]
    config, _ = a_config({"layers": layers})
    layers.append(3)
    config.as_dict()["layers"].append(4)
    assert config.layers == [1, 2]


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda c: pickle.loads(pickle.dumps(c))])
def test_a_copy_is_a_config_of_its_own(copied):
    config, changes = a_config({"a": 1, "s": {"b": 1}})
    twin = copied(config)
    twin.s.b = 2
    twin.c = 3
    assert (twin.as_dict(), config.as_dict(), changes) == (
        {"a": 1, "s": {"b": 2}, "c": 3},
        {"a": 1, "s": {"b": 1}},
        [],
    )
    section = copied(config.s)
    section.b = 5
    assert (type(section), config.s.b) == (Section, 1)


def test_threads_that_set_different_keys_lose_none():
    with lineal.init() as run:
        threads = [threading.Thread(target=run.config.update, args=({f"k{n}": n},)) for n in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(run.config) == 20
    assert len(told.record(run.id).config) == 20
