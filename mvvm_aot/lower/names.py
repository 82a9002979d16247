"""What all functions of a translated module agree on: symbols and signatures.

docs/internals.md, section 1. ``Names`` is immutable and shared by all functions of a module.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from mvvm_aot.plan import split_params
from mvvm_aot.wasmparser.module import Module
from mvvm_aot.wasmparser.types import FuncType, ValType

LLVM_TYPES: Final[dict[ValType, str]] = {
    ValType.I32: "i32",
    ValType.I64: "i64",
    ValType.F32: "float",
    ValType.F64: "double",
    ValType.V128: "<16 x i8>",
    ValType.FUNCREF: "i64",
    ValType.EXTERNREF: "i64",
}

# What a local is at first.
ZEROS: Final = {
    "i32": "0",
    "i64": "0",
    "float": "0x0000000000000000",
    "double": "0x0000000000000000",
    "<16 x i8>": "zeroinitializer",
}


@dataclass(frozen=True, slots=True)
class Names:
    """The prefix of a module's symbols and its canonical type numbers."""

    module: Module
    prefix: str
    type_ids: Mapping[FuncType, int]
    # A volatile load is not merged with others into the load of a chosen address, which LLVM
    # would then compute ahead of a point.
    careful: bool = False
    # Functions that tail calls name: if LLVM knew what they return, it would return that itself
    # behind an ordinary call.
    tail_callees: frozenset[int] = frozenset()
    # Functions whose attempts (attempts.py) are in this module.
    tried: frozenset[int] = frozenset()
    # Functions that another object defines, and that are here to be inlined only.
    copied: frozenset[int] = frozenset()
    # Whether LLVM's middle end is going to run.
    optimized: bool = True

    @property
    def load_home(self) -> str:
        """The instruction that loads from a home slot."""
        return "load volatile" if self.careful else "load"

    def linkage(self, func_index: int) -> str:
        """Return a function's linkage: of a ``weak`` one LLVM concludes nothing from its body."""
        if func_index in self.copied:
            return "available_externally hidden"
        return "weak hidden" if func_index in self.tail_callees else "hidden"

    def symbol(self, func_index: int) -> str:
        """Return a function's symbol, with the at sign."""
        return f"@{self.prefix}_f{func_index}"

    def attempt(self, func_index: int) -> str:
        """Return the symbol of the attempt at a function, with the at sign."""
        return f"{self.symbol(func_index)}a"


def result_type(func_type: FuncType) -> str:
    """Return the LLVM type of a function's first result."""
    return LLVM_TYPES[func_type.results[0]] if func_type.results else "void"


def declaration(symbol: str, func_type: FuncType) -> str:
    """Return ``preserve_nonecc result @symbol(types)`` without parameter names."""
    registers, _ = split_params(func_type.params)
    params = ", ".join(LLVM_TYPES[func_type.params[k]] for k in registers)
    return f"hidden preserve_nonecc {result_type(func_type)} {symbol}({params})"


def definition(
    symbol: str,
    func_type: FuncType,
    attributes: str,
    linkage: str = "hidden",
    result: str | None = None,
) -> str:
    """Return a ``define`` line up to the brace; parameter k is called %pk.

    ``result``: LLVM's type of what it returns, if that is not the first result.
    """
    registers, _ = split_params(func_type.params)
    params = ", ".join(f"{LLVM_TYPES[func_type.params[k]]} %p{k}" for k in registers)
    result = result or result_type(func_type)
    return f"define {linkage} preserve_nonecc {result} {symbol}({params}) {attributes} {{"


def spill_slot(index: int) -> str:
    """Return the address of a slot of mvvm_spill."""
    return f"getelementptr (i8, ptr @mvvm_spill, i64 {16 * index})" if index else "@mvvm_spill"
