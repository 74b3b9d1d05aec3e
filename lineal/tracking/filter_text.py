"""Filters as people write them on a line: `config.lr > 0.01 and (tags has baseline or not name ~ "^abc")`.

    filter     = part {"or" part}             "and" binds tighter than "or", "not" tighter than both
    part       = test {"and" test}
    test       = "not" test | "(" filter ")" | key comparison
    comparison = ("=" | "==" | "!=" | ">" | ">=" | "<" | "<=" | "~" | "!~" | "has") value
               | ["not"] "in" "(" value {"," value} ")" | ["not"] "exists"
    key, value = a word, or a text in '…' or "…" (a backslash keeps the quote that follows it)

An unquoted value that reads as a number, true, false or null is one. The outcome is the mapping that `filters`
reads; what can't be read is refused with the place where it stands.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple, NoReturn

from lineal.core.errors import InvalidFilter
from lineal.tracking import filters

MAX_LENGTH = 10_000
_TOKEN = re.compile(
    r"""\s*(?:(?P<mark>[()\[\],]|==|!=|>=|<=|!~|[=<>~])|(?P<quote>["'])|(?P<word>[^\s()\[\],=<>~!"']+))"""
)
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|[+-]?(?:inf|nan)", re.IGNORECASE)
_OPERATORS = {"=": "$eq", "==": "$eq", "!=": "$ne", ">": "$gt", ">=": "$gte", "<": "$lt", "<=": "$lte"}
_KEYWORDS = ("and", "or", "not", "in", "has", "exists")
_WORDS: Mapping[str, Any] = {"true": True, "false": False, "null": None, "none": None}


class _Token(NamedTuple):
    kind: str
    text: str
    at: int

    @property
    def keyword(self) -> str:
        return self.text.lower() if self.kind == "word" and self.text.lower() in _KEYWORDS else ""


def parse(text: str) -> dict[str, Any]:
    """The mapping that the line spells; empty for an empty one. Raises invalid.filter, saying where."""
    if len(text) > MAX_LENGTH:
        raise InvalidFilter(f"a filter has at most {MAX_LENGTH:,} characters, not {len(text):,}")
    tokens = _tokens(text)
    if len(tokens) == 1:
        return {}
    found = _Parser(text, tokens).whole()
    filters.parse(found)
    return found


class _Parser:
    """Recursive descent over the tokens, the last of which is the end."""

    def __init__(self, text: str, tokens: list[_Token]) -> None:
        self.text, self.tokens, self.place, self.depth = text, tokens, 0, 0

    def whole(self) -> dict[str, Any]:
        found = self._any()
        if self._next.kind != "end":
            self._refuse("'and' or 'or' comes here")
        return found

    @property
    def _next(self) -> _Token:
        return self.tokens[self.place]

    def _take(self, *wanted: str) -> str:
        """The keyword or mark that is next, taken, if it is one of those."""
        token = self._next
        said = token.keyword or (token.text if token.kind == "mark" else "")
        if said and said in wanted:
            self.place += 1
            return said
        return ""

    def _any(self) -> dict[str, Any]:
        parts = [self._every()]
        while self._take("or"):
            parts.append(self._every())
        return parts[0] if len(parts) == 1 else {"$or": parts}

    def _every(self) -> dict[str, Any]:
        parts = [self._test()]
        while self._take("and"):
            parts.append(self._test())
        return parts[0] if len(parts) == 1 else {"$and": parts}

    def _test(self) -> dict[str, Any]:
        self.depth += 1
        if self.depth > filters.MAX_DEPTH:
            self._refuse(f"it is nested deeper than {filters.MAX_DEPTH} levels here")
        try:
            if self._take("not"):
                return {"$not": self._test()}
            if self._take("("):
                found = self._any()
                if not self._take(")"):
                    self._refuse("')' is missing here")
                return found
            return self._comparison()
        finally:
            self.depth -= 1

    def _comparison(self) -> dict[str, Any]:
        start = self._next
        if start.kind not in ("word", "text") or start.keyword:
            self._refuse("a key such as config.lr, state or tags comes here")
        self.place += 1
        try:
            found = filters.field(start.text)
        except InvalidFilter as problem:
            self._refuse(problem.message, start)
        test = self._operator(found)
        try:
            filters.parse({start.text: test})
        except InvalidFilter as problem:
            self._refuse(problem.message, start)
        return {start.text: test}

    def _operator(self, found: filters.Field) -> dict[str, Any]:
        negated = bool(self._take("not"))
        if self._take("exists"):
            return {"$exists": not negated}
        if self._take("in"):
            return {"$nin" if negated else "$in": self._list(found)}
        said = "" if negated else self._take(*_OPERATORS, "~", "!~", "has")
        if not said:
            self._refuse(
                f"after {self.tokens[self.place - 1].text!r} comes =, !=, <, <=, >, >=, ~, in, has or exists"
            )
        if said == "has" and found.kind != "tags":
            self._refuse("only tags have something; write = or ~", self.tokens[self.place - 1])
        value = self._value(found, pattern=said in ("~", "!~"))
        if said in ("~", "!~"):
            return {"$regex": value} if said == "~" else {"$not": {"$regex": value}}
        return {_OPERATORS.get(said, "$eq"): value}

    def _list(self, found: filters.Field) -> list[Any]:
        close = {"(": ")", "[": "]"}.get(self._take("(", "["))
        if close is None:
            self._refuse("'in' takes a list: (a, b)")
        values = [self._value(found)]
        while self._take(","):
            values.append(self._value(found))
        if not self._take(close):
            self._refuse(f"',' or {close!r} is missing here")
        return values

    def _value(self, found: filters.Field, *, pattern: bool = False) -> Any:
        token = self._next
        if token.kind not in ("word", "text") or token.keyword in ("and", "or"):
            self._refuse("a value comes here; put one with spaces or marks in quotes")
        self.place += 1
        if token.kind == "text" or pattern or found.kind in ("text", "tags", "time"):
            return token.text
        if token.text.lower() in _WORDS:
            return _WORDS[token.text.lower()]
        if _NUMBER.fullmatch(token.text):
            whole = token.text.lstrip("+-").isdecimal() and len(token.text) < 300
            return int(token.text) if whole else float(token.text)
        return token.text

    def _refuse(self, why: str, token: _Token | None = None) -> NoReturn:
        _refuse(self.text, (token or self._next).at, why)


def _tokens(text: str) -> list[_Token]:
    found: list[_Token] = []
    at, end = 0, len(text.rstrip())
    while at < end:
        match = _TOKEN.match(text, at)
        if match is None:
            _refuse(text, at + len(text[at:]) - len(text[at:].lstrip()), "nothing starts with this character")
        kind = match.lastgroup or ""
        start, at = match.start(kind), match.end()
        if kind == "quote":
            content, at = _quoted(text, start)
            found.append(_Token("text", content, start))
        else:
            found.append(_Token(kind, match[kind], start))
    return [*found, _Token("end", "", end)]


def _quoted(text: str, start: int) -> tuple[str, int]:
    """What the quotes that open at `start` hold, and where the text goes on behind them."""
    quote, content, at = text[start], "", start + 1
    while text[at : at + 1] != quote:
        if at >= len(text):
            _refuse(text, start, "the quotes that open here never close")
        if text[at] == "\\" and text[at + 1 : at + 2] == quote:
            at += 1
        content += text[at]
        at += 1
    return content, at + 1


def _refuse(text: str, at: int, why: str) -> NoReturn:
    before, after = text[max(0, at - 30) : at], text[at : at + 30]
    raise InvalidFilter(f"the filter can't be read at character {at + 1} ({before}▸{after}): {why}", at=at)
