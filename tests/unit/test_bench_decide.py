import json
from dataclasses import replace

import pytest

from bench.decide import Effort, main, run
from bench.decide_engines import KINDS, Kind, built
from bench.decide_report import table
from bench.decide_workload import SHAPES, Case, Workload, expected, fits, workload

TINY = Effort(sizes=(10, 30), rounds=3, requests=4, seconds=0.05, load_rules=20, load_rounds=1)
OURS = next(kind for kind in KINDS if kind.name == "placet")


def _absent(work: Workload) -> object:
    raise AssertionError("an engine that is not installed is not built")


ABSENT = Kind(name="absent", distribution="no-such-distribution", note="", build=_absent)  # type: ignore[arg-type]


def _wrong(work: Workload):
    def decide(case: Case) -> str:
        return "DENY" if expected(work.rules, case) != "DENY" else "ALLOW"

    return decide


def test_the_json_has_every_engine_shape_and_size(capsys: pytest.CaptureFixture[str]):
    assert main(["--quick", "--json"], effort=TINY) == 0
    found = json.loads(capsys.readouterr().out)
    seen = {(row["engine"], row["shape"], row["rules"]) for row in found["results"]}
    assert {("placet", shape, size) for shape in SHAPES for size in TINY.sizes} <= seen
    assert {row["engine"] for row in found["results"]} | {*found["not_installed"]} == {
        kind.name for kind in KINDS
    }
    for row in found["results"]:
        assert 0 < row["p50_us"] <= row["p99_us"]
        assert row["agreed"] == row["checked"]
    assert found["load"]["rules"] == TINY.load_rules
    assert found["load"]["retained_mb"] > 0


def test_an_engine_that_is_not_installed_is_listed_and_no_failure():
    report = run(TINY, (OURS, ABSENT))
    assert report.not_installed == ("absent",)
    assert {result.engine for result in report.results} == {"placet"}
    assert any("placet" in line for line in table(report))


def test_a_wrong_answer_misses_a_target_and_check_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    liar = replace(OURS, build=_wrong)
    report = run(TINY, (liar,))
    assert [target.holds for target in report.targets if "oracle" in target.name] == [False]
    monkeypatch.setattr("bench.decide.run", lambda effort: report)
    assert main(["--check"]) == 1
    capsys.readouterr()
    assert main([]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["targets"]


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.is_full and kind.version])
@pytest.mark.parametrize("shape", SHAPES)
def test_every_full_engine_decides_what_a_linear_scan_does(kind: Kind, shape: str):
    work = workload(120, shape, 60)
    engine = built(kind, work)
    answers = [expected(work.rules, case) for case in work.cases]
    assert [engine.decide(case) for case in work.cases] == answers
    assert len({*answers}) >= 4
    assert any(fits(rule, case) for rule in work.rules for case in work.cases)


def test_a_workload_is_the_same_every_time():
    assert workload(40, "sparse", 5) == workload(40, "sparse", 5)
    assert workload(40, "sparse", 5).rules != workload(40, "dense", 5).rules
