"""Manifests: their bytes are pinned for ever, read back, and nothing but the canonical form is read."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineal.core.errors import Error, InvalidManifest, InvalidPath, NewerFormat, PathCollision
from lineal.storage import digest as digests
from lineal.storage.digest import Digest
from lineal.storage.manifest import Entry, Manifest, Reference

HELLO = digests.of_bytes(b"hello")
HELLO_TEXT = b"sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"

GOLDEN = Manifest(
    [
        Entry('日本/é "q".txt', HELLO, 5),
        Entry("a/b.bin", digests.of_bytes(b""), 0),
        Entry(
            "ref/full",
            None,
            7,
            Reference("s3://bucket/ü key", etag='"e1"', version_id="v1", checksum="sha256:" + "0" * 64),
        ),
        Entry("ref/bare", None, None, Reference("https://example.org/x?a=1&b=2")),
    ]
)
GOLDEN_BYTES = (
    b'{"entries":['
    b'{"digest":"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","path":"a/b.bin","size":0},'
    b'{"path":"ref/bare","reference":{"uri":"https://example.org/x?a=1&b=2"}},'
    b'{"path":"ref/full","reference":{"checksum":"sha256:' + b"0" * 64 + b'","etag":"\\"e1\\"",'
    b'"uri":"s3://bucket/\xc3\xbc key","version_id":"v1"},"size":7},'
    b'{"digest":"' + HELLO_TEXT + b'","path":"\xe6\x97\xa5\xe6\x9c\xac/\xc3\xa9 \\"q\\".txt","size":5}'
    b'],"format":1}'
)

paths = st.lists(
    st.text(st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="/\\"), min_size=1, max_size=8),
    min_size=1,
    max_size=3,
).map("/".join)
texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)
references = st.builds(
    Reference,
    st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=20),
    st.none() | texts,
    st.none() | texts,
    st.none() | texts,
)
sizes = st.integers(0, (1 << 62) - 1)
blobs = st.builds(Entry, paths, st.binary(min_size=32, max_size=32).map(Digest), sizes, st.none())
referring = st.builds(Entry, paths, st.none(), st.none() | sizes, references)


@st.composite
def manifests(draw: st.DrawFn) -> Manifest:
    try:
        return Manifest(draw(st.lists(blobs | referring, max_size=6)))
    except (InvalidPath, PathCollision):
        return Manifest(draw(st.lists(blobs, max_size=0)))


def line(path: str = "a", size: Any = 5, **more: Any) -> dict[str, Any]:
    return {"digest": HELLO_TEXT.decode(), "path": path, "size": size, **more}


def canonical(raw: Any) -> bytes:
    return json.dumps(raw, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def of_lines(*lines: Any) -> bytes:
    return canonical({"entries": list(lines), "format": 1})


# ---- golden bytes --------------------------------------------------------------------------------------------


def test_the_bytes_are_those_of_the_format_for_ever() -> None:
    assert GOLDEN.to_bytes() == GOLDEN_BYTES
    assert Manifest.parse(GOLDEN_BYTES) == GOLDEN


def test_the_digest_is_that_of_the_bytes_for_ever() -> None:
    assert digests.format(Manifest().digest()) == digests.format(digests.of_bytes(b'{"entries":[],"format":1}'))
    assert digests.format(GOLDEN.digest()) == GOLDEN_DIGEST


GOLDEN_DIGEST = "sha256:c759fed89dff4205df240cb463bf6436fb203b3ee4d1efbd23980af19b1cbe47"


@pytest.mark.parametrize(
    ("path", "text"),
    [("\u2028", b"\xe2\x80\xa8"), ("\x80", b"\xc2\x80"), ("😀", b"\xf0\x9f\x98\x80"), ('"', b'\\"'), ("<&>", b"<&>")],
)
def test_text_is_escaped_only_where_json_demands_it(path: str, text: bytes) -> None:
    assert Manifest([Entry(path, HELLO, 5)]).to_bytes() == (
        b'{"entries":[{"digest":"' + HELLO_TEXT + b'","path":"' + text + b'","size":5}],"format":1}'
    )


# ---- round trips ---------------------------------------------------------------------------------------------


@given(manifests())
def test_a_manifest_is_read_back(manifest: Manifest) -> None:
    again = Manifest.parse(manifest.to_bytes())
    assert again == manifest
    assert hash(again) == hash(manifest)
    assert again.digest() == manifest.digest()


@given(manifests(), st.randoms())
def test_the_order_of_the_entries_given_does_not_matter(manifest: Manifest, random: Any) -> None:
    shuffled = list(manifest)
    random.shuffle(shuffled)
    assert Manifest(shuffled).to_bytes() == manifest.to_bytes()


@given(manifests())
def test_the_bytes_are_canonical_json(manifest: Manifest) -> None:
    data = manifest.to_bytes()
    assert canonical(json.loads(data)) == data


@settings(max_examples=500)
@given(st.binary(max_size=200))
def test_random_bytes_raise_nothing_but_our_errors(data: bytes) -> None:
    try:
        assert Manifest.parse(data).to_bytes() == data
    except Error as problem:
        assert problem.code.startswith("invalid.")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()) | st.just(HELLO_TEXT.decode()),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["path", "digest", "size", "reference", "uri", "etag", "x"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)


@settings(max_examples=500)
@given(json_values, json_values)
def test_random_json_raises_nothing_but_our_errors(entries: Any, format_: Any) -> None:
    for raw in ({"entries": entries, "format": 1}, {"entries": [entries], "format": 1}, {"format": format_}, entries):
        data = json.dumps(raw, sort_keys=True, separators=(",", ":")).encode()
        try:
            assert Manifest.parse(data).to_bytes() == data
        except Error as problem:
            assert problem.code.startswith(("invalid.", "unavailable.newer_format"))


@given(st.data())
def test_no_changed_byte_goes_unnoticed(data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(GOLDEN_BYTES) - 1))
    byte = data.draw(st.integers(0, 255))
    changed = GOLDEN_BYTES[:at] + bytes([byte]) + GOLDEN_BYTES[at + 1 :]
    try:
        manifest = Manifest.parse(changed)
    except Error:
        return
    assert manifest.to_bytes() == changed
    assert (manifest == GOLDEN) == (changed == GOLDEN_BYTES)


# ---- what is refused -----------------------------------------------------------------------------------------


def test_a_canonical_line_is_let_in() -> None:
    assert Manifest.parse(of_lines(line())).entries == (Entry("a", HELLO, 5),)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b"1",
        b'"entries"',
        b"\xff",
        GOLDEN_BYTES + b"\n",
        b" " + GOLDEN_BYTES,
        GOLDEN_BYTES.replace(b",", b", ", 1),
        GOLDEN_BYTES.replace(b":", b": ", 1),
        GOLDEN_BYTES.replace(b"\xc3\xa9", b"\\u00e9"),
        GOLDEN_BYTES.decode().encode("utf-16"),
        b"\xef\xbb\xbf" + GOLDEN_BYTES,
        b'{"format":1,"entries":[]}',
        b'{"entries":[],"entries":[],"format":1}',
        b'{"entries":[]}',
        b'{"entries":[],"format":1,"more":1}',
        b'{"entries":[],"format":0}',
        b'{"entries":[],"format":-1}',
        b'{"entries":[],"format":"1"}',
        b'{"entries":[],"format":1.0}',
        b'{"entries":[],"format":true}',
        b'{"entries":[],"format":NaN}',
        b'{"entries":[],"format":null}',
        b'{"entries":{},"format":1}',
        b'{"entries":"a","format":1}',
        b'{"entries":null,"format":1}',
        b'{"entries":[null],"format":1}',
        b'{"entries":[[]],"format":1}',
        b'{"entries":["a"],"format":1}',
        b'{"entries":[{}],"format":1}',
        of_lines(line("b"), line("a")),
        of_lines(line(digest="sha256:abc")),
        of_lines(line(digest="sha256:" + "A" * 64)),
        of_lines(line(digest=None)),
        of_lines(line(digest=5)),
        of_lines(line(mode=420)),
        of_lines(line(reference={"uri": "s3://b/k"})),
        of_lines({"path": "a", "digest": HELLO_TEXT.decode()}),
        of_lines({"path": "a", "size": 5}),
        of_lines({"digest": HELLO_TEXT.decode(), "size": 5}),
        of_lines(line(path=None)),
        of_lines(line(path=5)),
        of_lines(line(path=["a"])),
        *(of_lines(line(size=size)) for size in (None, -1, 1.0, 1e3, True, False, "5", [5], 1 << 62, float("nan"))),
        of_lines(line()).replace(b":5}", b":05}"),
        of_lines(line()).replace(b":5}", b":-0}"),
        of_lines(line()).replace(b":5}", b":" + b"9" * 5000 + b"}"),
        *(
            of_lines({"path": "a", "reference": stated})
            for stated in (
                {},
                None,
                [],
                "s3://b/k",
                {"uri": ""},
                {"uri": None},
                {"uri": 5},
                {"etag": "e"},
                {"uri": "s3://b/k", "etag": None},
                {"uri": "s3://b/k", "etag": 5},
                {"uri": "s3://b/k", "more": "x"},
            )
        ),
        of_lines({"path": "a", "reference": {"uri": "s3://b/k"}, "size": True}),
        of_lines({"path": "a", "reference": {"uri": "s3://b/k"}, "more": 1}),
        b'{"entries":[{"path":"a","reference":{"uri":"s3://\\ud800"}}],"format":1}',
        b'{"entries":' + b"[" * 10_000 + b"]" * 10_000 + b',"format":1}',
        b"[" * 10_000,
        b'{"entries":' * 10_000,
    ],
)
def test_what_is_not_canonical_is_refused(data: bytes) -> None:
    with pytest.raises(Error) as caught:
        Manifest.parse(data)
    assert caught.value.code in ("invalid.manifest", "invalid.digest", "invalid.path")


@pytest.mark.parametrize(
    "path", ["../.bashrc", "/etc/passwd", "C:\\x", "a/../../b", "\\\\host\\x", "a\x00", "", "a//b", "a\ud800", "."]
)
def test_a_manifest_with_a_path_that_leads_elsewhere_is_refused(path: str) -> None:
    with pytest.raises(InvalidPath):
        Manifest([Entry(path, HELLO, 5)])
    with pytest.raises(InvalidPath):
        Manifest.parse(json.dumps({"entries": [line(path)], "format": 1}, separators=(",", ":")).encode())


def test_a_path_twice_is_refused() -> None:
    for data in (of_lines(line(), line()), of_lines(line(), {"path": "a", "reference": {"uri": "s3://b/k"}})):
        with pytest.raises(PathCollision):
            Manifest.parse(data)
    with pytest.raises(PathCollision):
        Manifest([Entry("a", HELLO, 5), Entry("a", None, None, Reference("s3://b/k"))])
    with pytest.raises(PathCollision):
        Manifest([Entry("a", HELLO, 5), Entry("a/b", HELLO, 5)])


@pytest.mark.parametrize("more", [{}, {"entries": "packed some other way"}, {"entries": [], "more": 1}])
def test_a_newer_format_is_told_apart_from_damage(more: dict[str, Any]) -> None:
    with pytest.raises(NewerFormat, match="format 2"):
        Manifest.parse(canonical({"format": 2, **more}))


def test_a_refusal_steers_no_terminal() -> None:
    with pytest.raises(InvalidManifest) as caught:
        Manifest.parse(b'{"entries":[{"path":"a","reference":{"\x1b[31m":1}}],"format":1}')
    assert caught.value.message.isprintable()


# ---- what it tells -------------------------------------------------------------------------------------------


def test_sizes_blobs_and_paths_are_told() -> None:
    manifest = Manifest([Entry("a", HELLO, 5), Entry("b", HELLO, 5), Entry("r", None, None, Reference("s3://b/k"))])
    assert len(manifest) == 3
    assert manifest.size_bytes == 10
    assert manifest.blobs == {HELLO: 5}
    assert manifest.by_path["b"] == Entry("b", HELLO, 5)
    assert manifest != Manifest()
    assert manifest != "manifest"


@pytest.mark.parametrize("known", [{"etag": "e"}, {"version_id": "v"}, {"checksum": "sha256:" + "0" * 64}])
def test_a_reference_with_a_known_fact_is_checked(known: dict[str, str]) -> None:
    assert Reference("s3://b/k", **known).checked
    assert not Reference("s3://b/k").checked
