"""Test scripts (`.wast`): text -> commands.

The grammar is that of the specification's interpreter (`interpreter/README.md`, "Scripts"), as far
as the scripts of WebAssembly 2.0 use it. Modules stay text here; assemble.py makes bytes of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .sexpr import Node, ScriptError, read_nodes
from .values import Expected, Value, parse_expected, parse_value

_MODULE_FIELDS = frozenset(
    ("type", "import", "func", "table", "memory", "global", "export", "start", "elem", "data")
)


@dataclass(frozen=True, slots=True)
class ModuleSource:
    """A module as the script gives it; `data` is text, or the bytes of a binary module."""

    kind: str  # "text", "binary", "quote"
    data: bytes


@dataclass(frozen=True, slots=True)
class Action:
    """`(invoke $m? "field" argument*)` or `(get $m? "field")`; `module` None: the latest one."""

    kind: str  # "invoke", "get"
    module: str | None
    field: bytes
    args: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class ModuleCommand:
    """Instantiate a module; later commands may refer to it by `name`."""

    line: int
    name: str | None
    source: ModuleSource


@dataclass(frozen=True, slots=True)
class Register:
    """Offer an instance's exports to the imports of later modules under the name `as_name`."""

    line: int
    as_name: bytes
    module: str | None


@dataclass(frozen=True, slots=True)
class Perform:
    """An action outside of an assertion; it must not trap."""

    line: int
    action: Action


@dataclass(frozen=True, slots=True)
class AssertReturn:
    """The action returns these values."""

    line: int
    action: Action
    expected: tuple[Expected, ...]


@dataclass(frozen=True, slots=True)
class AssertTrap:
    """The action traps (`assert_trap`, `assert_exhaustion`)."""

    line: int
    action: Action
    message: str


@dataclass(frozen=True, slots=True)
class AssertModule:
    """The module is refused: `expect` is "invalid", "malformed", "unlinkable" or "trap"."""

    line: int
    expect: str
    source: ModuleSource
    message: str


Command = ModuleCommand | Register | Perform | AssertReturn | AssertTrap | AssertModule


def _name(item: object) -> str | None:
    return item if isinstance(item, str) and item.startswith("$") else None


def _string(item: object, node: Node) -> bytes:
    if not isinstance(item, bytes):
        raise ScriptError(f"line {node.line}: ({node.head} ...) lacks a string")
    return item


def _node(item: object, node: Node) -> Node:
    if not isinstance(item, Node):
        raise ScriptError(f"line {node.line}: ({node.head} ...) lacks a list")
    return item


def _parse_module(text: str, node: Node) -> tuple[str | None, ModuleSource]:
    """Return a module's name and source."""
    if node.head != "module":
        raise ScriptError(f"line {node.line}: (module ...) expected, not ({node.head} ...)")
    name = _name(node[1]) if len(node) > 1 else None
    rest = node[2:] if name else node[1:]
    if rest and rest[0] in ("binary", "quote"):
        # Quoted strings are tokens of one text: a newline keeps them apart.
        glue = b"" if rest[0] == "binary" else b"\n"
        data = glue.join(_string(item, node) for item in rest[1:])
        return name, ModuleSource(str(rest[0]), data)
    return name, ModuleSource("text", text[node.start : node.end].encode("latin-1"))


def _parse_action(node: Node) -> Action:
    if node.head not in ("invoke", "get"):
        raise ScriptError(f"line {node.line}: an action expected, not ({node.head} ...)")
    name = _name(node[1]) if len(node) > 1 else None
    rest = node[2:] if name else node[1:]
    field = _string(rest[0] if rest else None, node)
    args = tuple(parse_value(_node(item, node)) for item in rest[1:])
    return Action(node.head, name, field, args)


def _parse_register(node: Node) -> Register:
    name = _name(node[2]) if len(node) > 2 else None
    return Register(node.line, _string(node[1] if len(node) > 1 else None, node), name)


def _parse_assertion(text: str, node: Node) -> Command:
    subject = _node(node[1] if len(node) > 1 else None, node)
    kind = node.head.removeprefix("assert_")
    if kind == "return":
        expected = tuple(parse_expected(_node(item, node)) for item in node[2:])
        return AssertReturn(node.line, _parse_action(subject), expected)
    message = _string(node[2] if len(node) > 2 else None, node).decode()
    if kind in ("trap", "exhaustion") and subject.head != "module":
        return AssertTrap(node.line, _parse_action(subject), message)
    if kind in ("trap", "invalid", "malformed", "unlinkable"):
        return AssertModule(node.line, kind, _parse_module(text, subject)[1], message)
    raise ScriptError(f"line {node.line}: unknown command ({node.head} ...)")


def _parse_command(text: str, node: Node) -> Command:
    if node.head == "module":
        return ModuleCommand(node.line, *_parse_module(text, node))
    if node.head == "register":
        return _parse_register(node)
    if node.head in ("invoke", "get"):
        return Perform(node.line, _parse_action(node))
    if node.head.startswith("assert_"):
        return _parse_assertion(text, node)
    raise ScriptError(f"line {node.line}: unknown command ({node.head} ...)")


def parse_script(text: str) -> list[Command]:
    """Return a script's commands; `text` holds one character per byte (Latin-1).

    Raises ScriptError, whose message starts with the line.
    """
    nodes = read_nodes(text)
    if nodes and nodes[0].head in _MODULE_FIELDS:  # the whole file is one module's fields
        return [ModuleCommand(nodes[0].line, None, ModuleSource("text", text.encode("latin-1")))]
    return [_parse_command(text, node) for node in nodes]


def read_script(path: Path) -> list[Command]:
    """Return the commands of a script file."""
    return parse_script(path.read_bytes().decode("latin-1"))
