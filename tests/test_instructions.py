"""No kernel needs more instructions for a multiply-add than is recorded; to record anew, see instructions.py."""

import json

import instructions
import pytest

pytest.importorskip("convsym.kernels.baseline")

RECORD = json.loads(instructions.LIMITS.read_text(encoding="utf-8"))


def test_every_case_has_a_limit_at_every_level():
    assert {level: set(limits) for level, limits in RECORD["levels"].items()} == {
        level: set(instructions.CASES) for level in instructions.LEVELS
    }


@pytest.mark.slow
@pytest.mark.parametrize("level", instructions.LEVELS)
def test_no_kernel_needs_more_instructions_than_recorded(level):
    if level not in instructions.usable_levels():
        pytest.skip(f"valgrind is missing, or this machine has no kernels of level {level}")
    allowed = instructions.slack(RECORD["compiler"])
    found = list(instructions.excesses(instructions.counts(level), RECORD["levels"][level], allowed))
    assert not found, "; ".join(found)


def test_an_excess_is_seen_and_a_gain_is_none():
    limits = {"a": 1.0, "b": 1.0, "c": 1.0}
    found = list(instructions.excesses({"a": 1.2, "b": 1.05, "c": 0.2, "d": 1.0}, limits, 1.1))
    assert found == [
        "a: 1.200 instructions a multiply-add, recorded are 1.000",
        "d: no limit is recorded",
    ]


def test_the_multiply_adds_are_those_of_the_layer():
    assert instructions.call_of(instructions.CASES["dense 3x3, y"])[1] == 48 * 48 * 9 * 28 * 28
    assert instructions.call_of(instructions.CASES["depthwise 3x3, dw"])[1] == 64 * 9 * 56 * 56
    assert instructions.call_of(instructions.CASES["first layer 7x7 stride 2, dx"])[1] == 32 * 3 * 49 * 48 * 48
