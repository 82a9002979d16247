"""How many of LLVM's liberties a translation takes (DESIGN.md, section 4)."""

from __future__ import annotations

import enum


class CodegenMode(enum.Enum):
    """How much LLVM may do to the code."""

    NORMAL = "normal"
    CAREFUL = "careful"  # machine code is neither hoisted nor merged
    PLAIN = "plain"  # as careful, and IR and machine code are left as they are
