"""The S-expressions of test scripts: text -> nested lists.

Scripts are read as Latin-1, so that every byte is one character and a module's text can be cut out
of the script and given to the assembler byte for byte. An atom is a `str`, a string literal its
`bytes` (escapes resolved), a list a `Node` that knows where it stands.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

Item = "str | bytes | Node"

_TOKEN = re.compile(r';;[^\n]*|\(;|\(|\)|"(?:[^"\\]|\\.)*"|[^\s()";]+|\s+|.', re.DOTALL)
_ESCAPE = re.compile(rb"\\(?:([0-9a-fA-F]{2})|u\{([0-9a-fA-F_]+)\}|(.))", re.DOTALL)
_SIMPLE_ESCAPES = {b"n": b"\n", b"t": b"\t", b"r": b"\r"}


class ScriptError(Exception):
    """A test script that cannot be read; the message starts with its line."""


class Node(list["str | bytes | Node"]):
    """A parenthesised list; `text[start:end]` is its source, parentheses included."""

    def __init__(self, start: int, line: int) -> None:
        super().__init__()
        self.start = start
        self.end = start
        self.line = line

    @property
    def head(self) -> str:
        """The keyword that the list starts with, or the empty string."""
        return self[0] if self and isinstance(self[0], str) else ""


def decode_string(literal: str) -> bytes:
    """Return the bytes of a string literal, quotes included in `literal`."""

    def resolve(match: re.Match[bytes]) -> bytes:
        digits, code_point, simple = match.groups()
        if digits:
            return bytes([int(digits, 16)])
        if code_point:
            return chr(int(code_point.replace(b"_", b""), 16)).encode("utf-8", "surrogatepass")
        return _SIMPLE_ESCAPES.get(simple, bytes(simple))

    raw = literal[1:-1].encode("latin-1")
    return _ESCAPE.sub(resolve, raw) if b"\\" in raw else raw


def _skip_block_comment(text: str, at: int, line: int) -> int:
    """Return the position behind the block comment whose `(;` ends at `at`; comments nest."""
    depth = 1
    for match in re.compile(r"\(;|;\)").finditer(text, at):
        depth += 1 if match.group() == "(;" else -1
        if depth == 0:
            return match.end()
    raise ScriptError(f"line {line}: block comment is not closed")


def _tokens(text: str) -> Iterator[tuple[str, int, int]]:
    """Yield (token, position, line) of everything that is neither space nor comment."""
    at, line = 0, 1
    while match := _TOKEN.match(text, at):
        token = match.group()
        start, at = at, match.end()
        if token == "(;":
            at = _skip_block_comment(text, at, line)
            line += text.count("\n", start, at)
        elif token.isspace() or token.startswith('"'):
            if token[0] == '"':
                if len(token) == 1:
                    raise ScriptError(f"line {line}: string is not closed")
                yield token, start, line
            line += token.count("\n")
        elif not token.startswith(";;"):
            if token == ";":
                raise ScriptError(f"line {line}: unexpected ';'")
            yield token, start, line


def read_nodes(text: str) -> list[Node]:
    """Return the top-level lists of a script.

    Raises ScriptError where parentheses, strings or comments are not balanced.
    """
    top: list[Node] = []
    stack: list[Node] = []
    for token, start, line in _tokens(text):
        if token == "(":
            node = Node(start, line)
            if stack:
                stack[-1].append(node)
            stack.append(node)
        elif token == ")":
            if not stack:
                raise ScriptError(f"line {line}: unexpected ')'")
            node = stack.pop()
            node.end = start + 1
            if not stack:
                top.append(node)
        elif not stack:
            raise ScriptError(f"line {line}: {token!r} outside of parentheses")
        else:
            stack[-1].append(decode_string(token) if token[0] == '"' else token)
    if stack:
        raise ScriptError(f"line {stack[0].line}: '(' is not closed")
    return top
