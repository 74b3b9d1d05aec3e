"""Declarations read as data."""

import inspect

from lineal.backend.declared import NOUNS, operations
from lineal.storage.manifest import Manifest


def test_every_operation_of_every_noun_is_there_once_with_its_types() -> None:
    found = {(declared.noun, declared.name) for declared in operations()}
    assert len(found) == len(operations())
    assert found == {
        (noun, name) for noun, kind in NOUNS.items() for name, f in vars(kind).items() if hasattr(f, "operation")
    }
    for declared in operations():
        assert declared.hints.keys() == {*declared.parameters, "return"}, declared.name
        assert declared.doc


def test_types_are_the_classes_themselves() -> None:
    manifest = next(declared for declared in operations() if declared.name == "manifest")
    assert manifest.hints["return"] is Manifest
    assert [*manifest.parameters] == ["digest"]
    assert manifest.parameters["digest"].default is inspect.Parameter.empty


def test_what_is_part_of_the_path_and_what_goes_into_a_body_is_known() -> None:
    finish = next(declared for declared in operations() if declared.name == "finish")
    assert finish.in_path == {"run_id"}
    assert finish.in_body
    assert not next(declared for declared in operations() if declared.name == "get").in_body
