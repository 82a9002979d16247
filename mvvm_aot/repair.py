"""Rewrites what LLVM's own passes make and its code generator cannot take: IR text -> IR text.

The passes may pair up scalar operations. ``llvm.canonicalize`` of two floats is such a pair, for
which LLVM's code generator for x86-64 has no instruction, nor the idea to widen it: it would end
the process. Four floats it can do; the upper two are nobody's.
"""

from __future__ import annotations

import re
from typing import Final

# Whether a module has any; LLVM declares what it calls.
PAIR: Final = "llvm.canonicalize.v2f32"

# Attributes and flags may stand before and behind everything; to drop them is always right.
_CALL: Final = re.compile(
    r"(?P<result>%\S+) = [^@\n]*call [^@\n]*<2 x float> @llvm\.canonicalize\.v2f32"
    r"\(<2 x float> (?:\w+(?:\([^)]*\))? )*(?P<operand>[%<]?[^\n]*?)\)(?: #\d+)?(?:, ![^\n]*)?$",
    re.MULTILINE,
)
_FOUR: Final = "declare <4 x float> @llvm.canonicalize.v4f32(<4 x float>)"


def widen_pairs(ir: str) -> str:
    """Return IR text in which the floats that are canonicalized by twos are so by fours."""
    number = 0

    def widened(found: re.Match[str]) -> str:
        nonlocal number
        number += 1
        wide, quiet = f"%mvvm.wide.{number}", f"%mvvm.quiet.{number}"
        both = f"{found['operand']}, <2 x float> poison"
        upper = "<4 x i32> <i32 0, i32 1, i32 poison, i32 poison>"
        lower = "<4 x float> poison, <2 x i32> <i32 0, i32 1>"
        return "\n  ".join(
            (
                f"{wide} = shufflevector <2 x float> {both}, {upper}",
                f"{quiet} = call <4 x float> @llvm.canonicalize.v4f32(<4 x float> {wide})",
                f"{found['result']} = shufflevector <4 x float> {quiet}, {lower}",
            )
        )

    text = _CALL.sub(widened, ir)
    if number and "@llvm.canonicalize.v4f32(<4 x float>)" not in ir:
        text = f"{text}\n{_FOUR}\n"
    return text
