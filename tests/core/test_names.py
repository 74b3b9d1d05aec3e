"""Names, aliases, refs and paths: what is let in, what is refused, and that parse and format are inverses."""

from __future__ import annotations

import string
import unicodedata
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from lineal.core import names
from lineal.core.errors import Error, InvalidAlias, InvalidName, InvalidPath, InvalidRef, PathCollision
from lineal.core.names import Ref

ALNUM = string.ascii_letters + string.digits
BAD_NAMES = [
    "",
    ".",
    "..",
    ".git",
    "-rf",
    "_x",
    "a/b",
    "a\\b",
    "../a",
    "a b",
    "a\n",
    "a\x00",
    "a\x1b[31m",
    "\u0440rod",  # Cyrillic er
    "a\u200b",
    "\uff0e\uff0e",  # full-width dots
    "$(id)",
    "a;b",
    "`id`",
    "a|b",
    "a*",
    "a'b",
    "%2e%2e",
    "CON",
    "con",
    "nul",
    "Com1",
    "LPT9",
    "model.",
    "a" * 129,
]


def is_name(text: str) -> bool:
    try:
        names.check_name(text)
    except InvalidName:
        return False
    return True


good_names = st.builds(
    lambda head, rest: head + rest,
    st.sampled_from(ALNUM),
    st.text(ALNUM + "._-", max_size=127),
).filter(is_name)
aliases = good_names.filter(lambda t: t.lower() != "latest" and not (t[0] in "vV" and t[1:].isdigit()))


@st.composite
def refs(draw: st.DrawFn) -> Ref:
    project = draw(st.none() | good_names)
    entity = draw(good_names) if project and draw(st.booleans()) else None
    tag: dict[str, Any] = draw(
        st.just({})
        | st.fixed_dictionaries({"number": st.integers(0, 9_999_999_999)})
        | st.fixed_dictionaries({"alias": aliases})
        | st.fixed_dictionaries({"digest_prefix": st.text("0123456789abcdef", min_size=12, max_size=64)})
    )
    return Ref(draw(good_names), entity, project, **tag)


# ---- names ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["a", "7", "resnet-50", "data_v2", "a.b.c", "v3", "latest", "A" * 128, "console"])
def test_a_plain_name_is_let_in(text: str) -> None:
    assert names.check_name(text) == text


@pytest.mark.parametrize("text", [*BAD_NAMES, None, 7, b"name"])
def test_a_name_that_could_be_read_as_more_is_refused(text: Any) -> None:
    with pytest.raises(InvalidName):
        names.check_name(text)


def test_the_message_of_a_refused_name_says_what_it_was_to_be_and_steers_no_terminal() -> None:
    with pytest.raises(InvalidName, match="can't be a project") as caught:
        names.check_name("\x1b[31m" * 100, "project")
    assert "\x1b" not in caught.value.message
    assert len(caught.value.message) < 300


@given(st.text() | st.text(ALNUM + "._-\u0440\u0663/", max_size=10))
def test_a_name_let_in_is_ascii_without_separators(text: str) -> None:
    if is_name(text):
        assert text.isascii()
        assert not set(text) & set("/\\: \n\x00")


# ---- aliases -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["production", "best", "v", "v3a", "version3", "3", "a.b"])
def test_a_plain_alias_is_let_in(text: str) -> None:
    assert names.check_alias(text) == text


@pytest.mark.parametrize("text", ["v0", "v3", "V3", "v03", "v99999999999", "latest", "LATEST", "Latest"])
def test_an_alias_that_reads_like_a_version_is_refused(text: str) -> None:
    with pytest.raises(InvalidAlias):
        names.check_alias(text)


@pytest.mark.parametrize("text", [t for t in BAD_NAMES if t.lower() not in ("con", "nul", "com1", "lpt9", "model.")])
def test_an_alias_that_is_no_name_is_refused(text: str) -> None:
    with pytest.raises(InvalidAlias):
        names.check_alias(text)


# ---- version numbers -----------------------------------------------------------------------------------------


@given(st.integers(0, 9_999_999_999))
def test_a_version_number_is_read_back(number: int) -> None:
    assert names.parse_number(names.format_number(number)) == number


@pytest.mark.parametrize("text", ["3", "v", "v03", "V3", "v-1", "v3 ", "v3\n", "v\u0663", "v99999999999"])
def test_what_is_not_quite_a_version_number_is_refused(text: str) -> None:
    with pytest.raises(InvalidRef):
        names.parse_number(text)


# ---- refs ----------------------------------------------------------------------------------------------------


@given(refs())
def test_a_ref_is_read_back(ref: Ref) -> None:
    assert names.parse_ref(names.format_ref(ref)) == ref


@given(refs())
def test_only_numbers_and_digests_pin_a_ref(ref: Ref) -> None:
    assert ref.pinned == (ref.number is not None or ref.digest_prefix is not None)


@given(st.text(ALNUM + "./:@-_\x00 v", max_size=40))
def test_any_text_is_a_ref_that_formats_to_its_like_or_is_refused(text: str) -> None:
    try:
        ref = names.parse_ref(text)
    except Error as problem:
        assert problem.code.startswith("invalid.")
    else:
        assert names.parse_ref(names.format_ref(ref)) == ref


def test_no_tag_and_latest_mean_the_same() -> None:
    assert names.parse_ref("p/a") == names.parse_ref("p/a:latest") == Ref("a", None, "p")


def test_the_parts_of_a_full_ref_are_told_apart() -> None:
    assert names.parse_ref("team/vision/resnet:v7") == Ref("resnet", "team", "vision", number=7)
    assert names.parse_ref("vision/resnet:best") == Ref("resnet", None, "vision", alias="best")


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":v3",
        "a:",
        "a/b/c/d",
        "/a",
        "a/",
        "a//b",
        "../a:v1",
        "a/../b",
        "file:///etc/passwd",
        "a:v1:v2",
        "a:V3",
        "a:v03",
        "a:LATEST",
        "a@sha256:123",
        "a@md5:0123456789ab",
        "a@sha256:0123456789AB",
        "a:v1@sha256:0123456789ab",
        "a@",
        "a:pr\u043ed",
        "a:$(id)",
        "a:b\n",
        "a b",
    ],
)
def test_what_is_no_ref_is_refused(text: str) -> None:
    with pytest.raises(Error) as caught:
        names.parse_ref(text)
    assert caught.value.code in ("invalid.ref", "invalid.name", "invalid.alias")


@pytest.mark.parametrize("text", [None, 7, b"a:v1"])
def test_a_ref_that_is_no_text_is_refused(text: Any) -> None:
    with pytest.raises(InvalidRef):
        names.parse_ref(text)


# ---- paths ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    ["a", "a/b.txt", "a b/c", "...", "a..b", ".hidden", "a/.git", "日本語/ä.txt", "12:30.log", "é" * 127, "x" * 255],
)
def test_a_path_inside_is_let_in(path: str) -> None:
    assert names.check_path(path) == path


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("", "empty"),
        ("..", "segment"),
        (".", "segment"),
        ("../a", "segment"),
        ("a/..", "segment"),
        ("a/../../b", "segment"),
        ("a/./b", "segment"),
        ("a//b", "segment"),
        ("a/", "segment"),
        ("/etc/passwd", "absolute"),
        ("//host/share/x", "absolute"),
        ("C:/x", "absolute"),
        ("c:x", "absolute"),
        ("C:\\x", "absolute"),
        ("\\\\host\\share\\x", "backslash"),
        ("\\\\?\\C:\\x", "backslash"),
        ("a\\..\\b", "backslash"),
        ("a\x00b", "control"),
        ("a\nb", "control"),
        ("a\x1bb", "control"),
        ("a\x7fb", "control"),
        ("a\udcffb", "control"),
        ("x" * 256, "longer"),
        ("a/" + "x" * 256, "longer"),
    ],
)
def test_a_path_that_leads_elsewhere_is_refused(path: str, why: str) -> None:
    with pytest.raises(InvalidPath, match=why):
        names.check_path(path)


@pytest.mark.parametrize("path", ["é" * 128, "日" * 86, "a/" + "\U0001f600" * 64, "/".join(["x" * 200] * 21)])
def test_length_is_counted_in_bytes(path: str) -> None:
    with pytest.raises(InvalidPath, match="too long"):
        names.check_path(path)


@pytest.mark.parametrize("path", [None, 3, b"a", ["a"]])
def test_a_path_that_is_no_text_is_refused(path: Any) -> None:
    with pytest.raises(InvalidPath):
        names.check_path(path)


@given(st.text())
def test_a_path_let_in_stays_below_where_it_is_joined(path: str) -> None:
    try:
        names.check_path(path)
    except InvalidPath:
        return
    segments = path.split("/")
    assert not {"", ".", ".."} & set(segments)
    assert all(len(segment.encode()) <= 255 for segment in segments)


# ---- collisions ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "paths",
    [
        ("a", "a"),
        ("Model.bin", "model.BIN"),
        ("A/x", "a/X"),
        ("caf\u00e9", "cafe\u0301"),
        ("CAF\u00c9", "cafe\u0301"),
        ("stra\u00dfe", "STRASSE"),
        ("\u212aelvin", "kelvin"),
        ("\u0390", "\u03aa\u0301"),  # a letter whose upper case has another normal form
    ],
)
def test_paths_that_some_system_takes_for_one_file_collide(paths: tuple[str, str]) -> None:
    for given_paths in (paths, paths[::-1]):
        with pytest.raises(PathCollision):
            names.check_paths(given_paths)


@given(st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=20))
def test_a_path_collides_with_its_other_normal_form_and_case(path: str) -> None:
    try:
        names.check_path(path)
    except InvalidPath:
        assume(False)
    for other in (unicodedata.normalize("NFD", path), unicodedata.normalize("NFC", path), path.casefold()):
        try:
            names.check_path(other)
        except InvalidPath:
            continue
        with pytest.raises(PathCollision):
            names.check_paths([path, other])


@pytest.mark.parametrize("paths", [("a", "a/b"), ("a/b/c", "a/b"), ("A", "a/b"), ("caf\u00e9/x", "cafe\u0301")])
def test_a_path_is_not_both_file_and_folder(paths: tuple[str, str]) -> None:
    for given_paths in (paths, paths[::-1]):
        with pytest.raises(PathCollision):
            names.check_paths(given_paths)


def test_paths_that_differ_live_side_by_side() -> None:
    names.check_paths(["a/b", "a/c", "ab", "a b/c", "a.b", "b/a"])


def test_one_unsafe_path_among_many_is_refused() -> None:
    with pytest.raises(InvalidPath):
        names.check_paths([*map(str, range(100)), "../x"])


# ---- prefixes ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "prefix", "under"),
    [
        ("a/b", "a", True),
        ("a/b", "a/", True),
        ("a/b", "/a", True),
        ("a", "a", True),
        ("a/b/c", "a/b", True),
        ("a", "", True),
        ("ab/c", "a", False),
        ("ab", "a", False),
        ("a", "a/b", False),
        ("b/a", "a", False),
    ],
)
def test_a_prefix_holds_whole_segments(path: str, prefix: str, under: bool) -> None:
    assert names.under_prefix(path, prefix) is under


@given(st.lists(st.sampled_from(["a", "b", "a\0b", "c/d", "\0", "c\0d/e"]), min_size=1, max_size=4))
def test_a_nul_is_refused_wherever_it_stands_among_other_paths(paths: list[str]) -> None:
    if any("\0" in path for path in paths):
        with pytest.raises(InvalidPath):
            names.check_paths(paths)
    else:
        assert names.check_each(paths) == "\0".join(paths)
