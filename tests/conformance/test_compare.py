"""The comparison must be able to fail: each way in which a runner can be wrong is shown to it."""

from __future__ import annotations

import pytest

from compare import Answers, Record, differences, parse, records

WANTED = {
    "a": Record("a", "valid", "core"),
    "b": Record("b", "signature_mismatch", "core"),
    "c": Record("c", "body_not_raw", "binding"),
}
RIGHT = {"a": "ok", "b": "signature_mismatch", "c": "body_not_raw"}


def judge(codes: dict[str, str], *problems: str) -> list[str]:
    good = Answers(RIGHT, [], 0.0)
    return differences(WANTED, {"rust": good, "python": Answers(codes, list(problems), 0.0)})


def test_agreement_has_no_difference() -> None:
    assert judge(RIGHT) == []


def test_a_value_that_one_language_cannot_express_is_left_out() -> None:
    assert judge({**RIGHT, "c": "n/a"}) == []


@pytest.mark.parametrize(
    ("codes", "expected"),
    [
        ({**RIGHT, "a": "signature_mismatch"}, "a: expected valid; rust ok, python signature_mismatch"),
        ({**RIGHT, "b": "ok"}, "b: expected signature_mismatch; rust signature_mismatch, python ok"),
        ({**RIGHT, "b": "n/a"}, "b: expected signature_mismatch; rust signature_mismatch, python n/a"),
        ({**RIGHT, "c": "broken: TypeError"}, "c: expected body_not_raw; rust body_not_raw, python broken: TypeError"),
        ({"a": "ok", "b": "signature_mismatch"}, "python: c was not run"),
        ({**RIGHT, "d": "ok"}, "python: d is not a record"),
    ],
)
def test_each_difference_is_named(codes: dict[str, str], expected: str) -> None:
    assert judge(codes) == [expected]


def test_two_answers_where_any_one_would_do_are_a_difference() -> None:
    wanted = {"a": Record("a", "invalid", "core")}
    answers = {
        "rust": Answers({"a": "signature_mismatch"}, [], 0.0),
        "python": Answers({"a": "signature_malformed"}, [], 0.0),
    }
    assert len(differences(wanted, answers)) == 1


def test_a_case_that_nobody_can_express_is_a_difference() -> None:
    wanted = {"c": Record("c", "body_not_raw", "binding")}
    assert differences(wanted, {"rust": Answers({"c": "n/a"}, [], 0.0)}) == ["c: no runner could express it"]


@pytest.mark.parametrize(
    ("output", "problem"),
    [
        ("", "no line `ran N`"),
        ("ran 0", "ran no record"),
        ('{"id": "a", "code": "ok"}\nran 2', "said `ran 2` and printed 1"),
        ('{"id": "a", "code": "ok"}\n{"id": "a", "code": "ok"}\nran 1', "a was printed twice"),
    ],
)
def test_an_output_that_does_not_add_up_is_a_problem(output: str, problem: str) -> None:
    assert problem in parse(output)[1]


def test_the_records_are_there() -> None:
    found = records()
    assert sum(id.startswith("hostile-") for id in found) == 181
    assert "github-docs-1" in found
