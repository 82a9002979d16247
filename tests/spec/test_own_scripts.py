"""Scripts of our own, in the specification's form: what its scripts leave out."""

from __future__ import annotations

from pathlib import Path

import pytest

from mvvm_aot.targets import TARGETS

from .__main__ import OWN_SCRIPTS
from .build import Options
from .outcome import FAILED, PASSED
from .runner import Job, run_job


@pytest.mark.parametrize("opt_level", [0, 2])
@pytest.mark.parametrize("target", [*TARGETS])
@pytest.mark.parametrize("script", OWN_SCRIPTS, ids=lambda script: script.stem)
def test_script(script: Path, target: str, opt_level: int) -> None:
    outcomes = run_job(Job(script, target, Options(opt_level=opt_level))).outcomes
    failed = [outcome for outcome in outcomes if outcome.status == FAILED]
    assert not failed, "\n".join(map(str, failed))
    assert any(outcome.status == PASSED for outcome in outcomes)
