"""Attribute groups and metadata of every translated module, and how code refers to them.

LLVM's text numbers both; the numbers stand here and nowhere else.
"""

from __future__ import annotations

from typing import Final

# Attribute groups.
PLAIN: Final = "#0"  # functions without points
POINTS: Final = "#1"  # functions with points: each native frame is one Wasm frame
CALL: Final = "#2"  # calls that are points
LEAVE: Final = "#3"  # the call of a poll
TRAP: Final = "#4"  # calls that never return
NOUNWIND: Final = "#5"
KEEP: Final = "#6"  # the empty use of a value that has to be computed

# Suffixes of loads and stores, by what they access: none may alias another.
HOME: Final = ", !tbaa !1"
CONTEXT: Final = ", !tbaa !2"
MEMORY: Final = ", !tbaa !3"
GLOBAL: Final = ", !tbaa !4"
TABLE: Final = ", !tbaa !5"
SPILL: Final = ", !tbaa !6"

# Suffixes of conditional branches.
UNLIKELY: Final = ", !prof !7"
LIKELY: Final = ", !prof !8"

# The homes' address becomes known to the world.
ESCAPE: Final = f'  call void asm sideeffect "", "*m"(ptr elementtype([0 x i64]) %homes) {KEEP}'

# The label behind which an attempt at a function (attempts.py) is given up.
GIVE_UP: Final = "giveup"

STATEPOINT_ID: Final = 0x4D56_564D  # "MVVM": tells our records from any others

_FRAME = (
    'nounwind uwtable(sync) "frame-pointer"="all" "no-realign-stack" "no-jump-tables"="true"'
    ' "no-trapping-math"="true"'
)

EPILOGUE: Final = f"""
attributes #0 = {{ {_FRAME} }}
attributes #1 = {{ noinline {_FRAME} }}
attributes #2 = {{ nounwind "statepoint-id"="{STATEPOINT_ID}" }}
attributes #3 = {{ nounwind cold "statepoint-id"="{STATEPOINT_ID}" }}
attributes #4 = {{ nounwind noreturn cold }}
attributes #5 = {{ nounwind }}
attributes #6 = {{ nounwind willreturn memory(inaccessiblemem: readwrite) }}
!1 = !{{!11, !11, i64 0}}
!2 = !{{!12, !12, i64 0}}
!3 = !{{!13, !13, i64 0}}
!4 = !{{!14, !14, i64 0}}
!5 = !{{!15, !15, i64 0}}
!6 = !{{!16, !16, i64 0}}
!7 = !{{!"branch_weights", i32 1, i32 1000000}}
!8 = !{{!"branch_weights", i32 1000000, i32 1}}
!10 = !{{!"mvvm"}}
!11 = !{{!"home", !10}}
!12 = !{{!"context", !10}}
!13 = !{{!"memory", !10}}
!14 = !{{!"global", !10}}
!15 = !{{!"table", !10}}
!16 = !{{!"spill", !10}}
"""
