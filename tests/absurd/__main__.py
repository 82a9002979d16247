"""Time the compiler's stages: python -m tests.absurd SHAPE SIZE [-O LEVEL] [--until STAGE].

Doubling SIZE shows what is not linear.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from collections.abc import Callable
from typing import Any

from mvvm_aot import proof
from mvvm_aot.backend import emit_object
from mvvm_aot.describe import Description, describe_modules
from mvvm_aot.errors import MvvmError
from mvvm_aot.hostfuncs import check_imports
from mvvm_aot.lower import lower_module
from mvvm_aot.plan import plan_points
from mvvm_aot.targets import target_by_name
from mvvm_aot.wasmparser.binary import decode_module
from mvvm_aot.wasmparser.validate import validate_module

from .shapes import SHAPES

STAGES = ("decode", "validate", "plan", "lower", "llvm", "prove", "describe")


def main() -> None:
    """Run the stages one by one; print seconds of the processor and memory for each."""
    parser = argparse.ArgumentParser()
    parser.add_argument("shape", choices=SHAPES)
    parser.add_argument("size", type=int)
    parser.add_argument("-O", dest="opt_level", type=int, default=0)
    parser.add_argument("--until", choices=STAGES, default=STAGES[-1])
    parser.add_argument("--target", default="x86_64")
    options = parser.parse_args()
    target = target_by_name(options.target)
    last = STAGES.index(options.until)

    def stage(name: str, function: Callable[[], Any]) -> Any:
        if STAGES.index(name) > last:
            sys.exit()
        start = time.process_time()
        try:
            return function()
        except MvvmError as error:
            print(f"{type(error).__name__}: {str(error)[:200]}")
            sys.exit(error.exit_code)
        finally:
            seconds = time.process_time() - start
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
            print(f"{name:9} {seconds:8.2f} s {peak:6} MiB", flush=True)

    data = SHAPES[options.shape](options.size)
    print(f"{options.shape} {options.size}: {len(data)} bytes")
    module = stage("decode", lambda: decode_module(data))
    validated = stage("validate", lambda: validate_module(module))
    check_imports(module)
    plan = stage("plan", lambda: plan_points(validated))
    ir = stage("lower", lambda: lower_module(validated, plan))
    print(f"          {len(ir)} bytes of IR")
    data = stage("llvm", lambda: emit_object(ir, target, opt_level=options.opt_level))
    subject = proof.subject_of(validated, plan, target, "m0")
    proved = stage("prove", lambda: proof.prove_object(data, subject))
    sections = () if proved.section is None else (proved.section,)
    stage("describe", lambda: describe_modules([Description("name", validated, sections)]))


if __name__ == "__main__":
    main()
