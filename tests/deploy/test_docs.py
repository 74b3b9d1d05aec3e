"""docs/deploy.md: what it says to type is there, and what it tells of files and codes is so."""

from __future__ import annotations

import json
import re
import shlex

import pytest

from lineal.core.errors import Error
from lineal.storage import s3_bucket
from tests.deploy.files import DEPLOY, ROOT, check_command, compose, known_variables

TEXT = (ROOT / "docs/deploy.md").read_text()
CODE = re.sub(r"\\\n\s*", "", "\n".join(re.findall(r"^    (.*)$", TEXT, re.M)))
INLINE = re.findall(r"`([^`]+)`", TEXT.replace("\n", " "))
COMMANDS = [
    *re.findall(r"^(?:export \S+ )?(?:runuser -u lineal -- \S+/)?lineal ((?!server  ).*)$", CODE, re.M),
    *re.findall(r"^docker compose run --rm lineal (.*)$", CODE, re.M),
    *re.findall(r"^kubectl .* -- lineal (.*)$", CODE, re.M),
    *[words.removeprefix("lineal ") for words in INLINE if re.match(r"lineal [a-z-]+( |$)", words)],
]


@pytest.mark.parametrize("words", COMMANDS)
def test_a_command_is_one_that_lineal_has(words: str) -> None:
    check_command(shlex.split(words))


def test_commands_were_found() -> None:
    assert len(COMMANDS) > 25


def test_files_that_it_names_are_there() -> None:
    named = set(re.findall(r"\bdeploy/[\w./-]+\w", TEXT))
    assert len(named) > 10
    for path in named:
        assert (ROOT / path).exists(), path
    for name in re.findall(r"\]\(([\w/.-]+\.md)\)", TEXT):
        assert (ROOT / "docs" / name).exists(), name


def test_services_variables_and_codes_that_it_names_are_there() -> None:
    for line in re.findall(r"^docker compose (?:stop|restart) (.*)$", CODE, re.M):
        assert set(line.split()) <= compose()["services"].keys()
    assert set(re.findall(r"LINEAL_[A-Z_]+", TEXT)) <= known_variables()
    codes, waiting = set(), [Error]
    while waiting:
        codes.add((kind := waiting.pop()).code)
        waiting += kind.__subclasses__()
    families = "invalid|unavailable|forbidden|unauthenticated|conflict|corrupt|not_found"
    assert set(re.findall(rf"`((?:{families})\.\w+)`", TEXT)) <= codes


def test_s3s_policy_allows_what_we_ask_of_s3_and_nothing_else() -> None:
    source = (ROOT / s3_bucket.__file__).read_text()
    needed = {
        "put_object": "PutObject",
        "get_object": "GetObject",
        "head_object": "GetObject",
        "delete_object": "DeleteObject",
        "list_objects_v2": "ListBucket",
        "create_multipart_upload": "PutObject",
        "upload_part": "PutObject",
        "complete_multipart_upload": "PutObject",
        "abort_multipart_upload": "AbortMultipartUpload",
        "list_parts": "ListMultipartUploadParts",
        "list_multipart_uploads": "ListBucketMultipartUploads",
    }
    asked = set(re.findall(r"client\.(\w+)\(\*\*", source)) | set(re.findall(r'get_paginator\("(\w+)"\)', source))
    asked |= set(re.findall(r"client\.(\w+_multipart_upload)\(", source))
    statements = json.loads((DEPLOY / "s3/policy.json").read_text())["Statement"]
    allowed = {action.removeprefix("s3:") for one in statements for action in one["Action"]}
    assert {needed[act] for act in asked} == allowed
    bucket, _, prefix = compose()["x-lineal"]["environment"]["LINEAL_STORE"].removeprefix("s3://").partition("/")
    assert {one["Resource"] for one in statements} == {f"arn:aws:s3:::{bucket}/{prefix}/*", f"arn:aws:s3:::{bucket}"}
    (rule,) = json.loads((DEPLOY / "s3/lifecycle.json").read_text())["Rules"]
    assert rule["Filter"] == {"Prefix": f"{prefix}/"}
    assert "Expiration" not in rule  # whatever expires is missing
