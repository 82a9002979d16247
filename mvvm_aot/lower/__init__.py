"""Lowering: ValidatedModule + PointPlan -> LLVM IR text (docs/internals.md, sections 1 and 2)."""

from .module import lower_module

__all__ = ["lower_module"]
