"""What must not be recorded: values whose name says that they are secret, passwords in addresses, known tokens."""

from __future__ import annotations

import re
from collections.abc import Sequence

HIDDEN = "***"
_SECRET_INSIDE = re.compile(r"passw|passphrase|secret|credential|apikey|accesskey|authorization|bearer|jwt")
_SECRET_LAST = re.compile(r"(token|key|auth|pwd|pass|pat)$")
_OPTION = re.compile(r"-{1,2}[A-Za-z]")
_WHOLE = re.compile(r"[-+~]*([A-Za-z][\w.@/-]*+)\s*[=:]\s*(?=.)", re.DOTALL)
_NAME = re.compile(r"""(?<![\w.-])([\w.-]++)["']?\s*+[=:]\s*+""")
_VALUE = re.compile(r""""[^"]*"?|'[^']*'?|[^\s,;&"'{}\[\]]+""")
_LOGIN = re.compile(r"(?<=://)[^/?#\s]*@")
_KNOWN = re.compile(
    r"\b(?:sk-[\w-]{16,}|hf_\w{16,}|gh[pousr]_\w{16,}|github_pat_\w{16,}|glpat-[\w-]{16,}|xox[abeprs]-[\w-]{10,}"
    r"|A[KS]IA[A-Z0-9]{16}|eyJ[\w-]{8,}\.[\w-]+\.[\w-]*)"
)


def is_secret(name: str) -> bool:
    """Whether a value of that name is one to hide: `api_key`, `--hf-token`, `db.password`, but not `tokenizer`."""
    plain = re.sub(r"[^a-z0-9]", "", name.lower())
    return bool(_SECRET_INSIDE.search(plain) or _SECRET_LAST.search(plain))


def without_tokens(text: str) -> str:
    """The text without logins in addresses and without tokens of a well-known form (`hf_…`, `ghp_…`, JWT)."""
    return _KNOWN.sub(HIDDEN, _LOGIN.sub("", text))


def without_secrets(words: Sequence[str]) -> list[str]:
    """The words of a command line, with `***` for the values of options and keys whose name says secret."""
    shown = []
    hide_next = False
    for word in words:
        is_option = bool(_OPTION.match(word))
        shown.append(HIDDEN if hide_next and not is_option else _shown(word))
        hide_next = is_option and "=" not in word and is_secret(word)
    return shown


def _shown(word: str) -> str:
    if (whole := _WHOLE.match(word)) and is_secret(whole[1]):
        return word[: whole.end()] + HIDDEN
    shown, end = "", 0
    for name in _NAME.finditer(word):
        if name.start() >= end and is_secret(name[1]) and (value := _VALUE.match(word, name.end())):
            shown += word[end : name.end()] + HIDDEN
            end = value.end()
    return without_tokens(shown + word[end:])
