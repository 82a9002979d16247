"""Lowering: ValidatedModule + PointPlan -> LLVM IR text (docs/internals.md, sections 1 and 2)."""

from .module import Scope, direct_callees, lower_module

__all__ = ["Scope", "direct_callees", "lower_module"]
