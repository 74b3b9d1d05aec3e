import time

import pytest

from lineal.client.capture.redaction import is_secret, without_secrets, without_tokens


@pytest.mark.parametrize(
    "name",
    [
        "--token",
        "--hf-token",
        "hub_token",
        "--api-key",
        "apiKey",
        "key",
        "db.password",
        "DB_PASSWD",
        "client_secret",
        "AWS_SECRET_ACCESS_KEY",
        "--use-auth",
        "credentials",
        "SLURM_JWT",
        "passphrase",
        "--password-file",
        "--pat",
    ],
)
def test_names_that_say_secret_are_known(name):
    assert is_secret(name)


@pytest.mark.parametrize(
    "name", ["--tokenizer", "--max-tokens", "pad_token_id", "--lr", "keyboard", "author", "path", "passes", ""]
)
def test_names_of_everyday_options_are_not_secret(name):
    assert not is_secret(name)


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (["--token", "abc", "data.csv"], ["--token", "***", "data.csv"]),
        (["--password=a b,c"], ["--password=***"]),
        (["--api-key", "--lr", "0.1"], ["--api-key", "--lr", "0.1"]),
        (["key=abc", "lr=0.1"], ["key=***", "lr=0.1"]),
        (["++db.password=x=y"], ["++db.password=***"]),
        (["--overrides=lr=1,db.password=x,n=2"], ["--overrides=lr=1,db.password=***,n=2"]),
        (['{"api_key": "a b", "n": 1}'], ['{"api_key": ***, "n": 1}']),
        (["-H", "Authorization: Bearer abc"], ["-H", "Authorization: ***"]),
        (["https://ada:s3cret@example.org/a?token=abc&n=1"], ["https://example.org/a?token=***&n=1"]),
        (["-Dpassword=x"], ["-Dpassword=***"]),
        (["login", "hf_abcdefghijklmnopqrstu"], ["login", "***"]),
        (
            ["python", "train.py", "--lr=0.1", "C:/data:x", "a=b"],
            ["python", "train.py", "--lr=0.1", "C:/data:x", "a=b"],
        ),
        (["--token"], ["--token"]),
        ([], []),
    ],
)
def test_secrets_of_a_command_line_are_hidden_and_nothing_else(words, shown):
    assert without_secrets(words) == shown


@pytest.mark.parametrize(
    "token",
    [
        "sk-abcdefghijklmnop1234",
        "ghp_abcdefghijklmnopqrst",
        "github_pat_abcdefghijklmnop",
        "glpat-abcdefghijklmnop",
        "xoxb-1234567890-abc",
        "AKIAABCDEFGHIJKLMNOP",
        "eyJhbGciOiJI.eyJzdWIiOiIx.c2ln",
    ],
)
def test_tokens_of_known_form_are_hidden_wherever_they_are(token):
    assert without_tokens(f'login("{token}")') == 'login("***")'


@pytest.mark.parametrize("word", ["a" * 200_000, "a=" * 100_000, ("-" * 50 + "a") * 4000, "://" * 60_000])
def test_long_odd_words_take_no_time(word):
    began = time.perf_counter()
    without_secrets([word])
    assert time.perf_counter() - began < 2
