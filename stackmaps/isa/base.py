"""What every ISA answers: registers by DWARF number, the shape of a frame, calling sequences.

``Isa`` has one instance per machine (``x86_64.ISA``, ``aarch64.ISA``); the rest of the package
asks it and never the machine's name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from stackmaps.errors import StackMapError
from stackmaps.objects import CfiRow
from stackmaps.section import LocationKind, RecordLocation, StackMapFunction


@dataclass(frozen=True, slots=True)
class FrameRule:
    """The shape of a function's frame at its points; all distances are down from the CFA.

    ``frame_size``: the stack pointer. ``fp_save``, ``ra_save``: where the caller's frame pointer
    and the return address are stored. ``fp_offset``: what the frame pointer register holds.
    """

    frame_size: int
    fp_save: int
    ra_save: int
    fp_offset: int


@dataclass(frozen=True, slots=True)
class Isa:
    """One machine's facts. Registers are DWARF numbers."""

    name: str
    registers: Mapping[int, str]
    sp: int
    fp: int
    ra: int
    # Bytes between the CFA and what LLVM's recorded stack size counts from.
    call_pushes: int

    def frame_rule(self, function: StackMapFunction, row: CfiRow) -> FrameRule:
        """Derive a function's frame from its stack map and the unwind row in force at a point.

        Raises StackMapError for a dynamic frame or one without frame pointer.
        """
        where = f"function at {function.address:#x}"
        if function.is_dynamic:
            raise StackMapError(f"{where} has a realigned or dynamic frame, which is not supported")
        frame_size = function.stack_size + self.call_pushes
        if row.cfa_register != self.fp:
            name = self.registers.get(row.cfa_register, str(row.cfa_register))
            raise StackMapError(f"{where}: the CFA at {row.pc:#x} hangs on {name}, not on the fp")
        fp_save, ra_save = (-row.saves.get(register, 0) for register in (self.fp, self.ra))
        if not (0 < fp_save <= frame_size and 0 < ra_save <= frame_size):
            raise StackMapError(
                f"{where}: frame pointer or return address is not saved in its frame"
            )
        if set(row.saves) - {self.fp, self.ra}:
            names = ", ".join(
                self.registers.get(r, str(r)) for r in sorted(set(row.saves) - {self.fp, self.ra})
            )
            raise StackMapError(f"{where} keeps its caller's {names}; preserve_none keeps none")
        if frame_size % 16 or not 0 < row.cfa_offset <= frame_size:
            raise StackMapError(f"{where} has an impossible frame size {frame_size}")
        return FrameRule(frame_size, fp_save, ra_save, row.cfa_offset)

    def cfa_minus(self, location: RecordLocation, rule: FrameRule) -> int:
        """Return how far below the CFA the stack object of a Direct location starts."""
        if location.kind is not LocationKind.DIRECT:
            raise StackMapError(f"homes are recorded as {location.kind.name}, not as DIRECT")
        if location.register == self.sp:
            distance = rule.frame_size - location.offset
        elif location.register == self.fp:
            distance = rule.fp_offset - location.offset
        else:
            name = self.registers.get(location.register, str(location.register))
            raise StackMapError(f"homes hang on {name}, not on the stack or frame pointer")
        if not 0 < distance <= rule.frame_size:
            raise StackMapError(f"homes at CFA-{distance} lie outside a frame of {rule.frame_size}")
        return distance
