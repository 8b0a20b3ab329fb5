"""However many problems a log has, few are kept, all are counted, and no kind is lost."""

from collections.abc import Iterator
from itertools import count, islice
from pathlib import Path

import pytest

from storage.verify.chain import Problem, Raw
from storage.verify.crew import stretches
from storage.verify.kept import MOST, kept
from storage.verify.verifier import verify_export


def problems(what: str, number: int) -> Iterator[Problem]:
    return (Problem(seq=seq, what=what, detail="") for seq in range(1, number + 1))


@pytest.mark.parametrize("number", [0, 1, MOST])
def test_what_fits_is_kept_as_it_was_found(number: int) -> None:
    found = kept(problems("hash", number))
    assert found.problems == tuple(problems("hash", number))
    assert sum(found.kinds.values()) == number


def test_the_first_of_each_kind_is_kept_after_any_number_of_others() -> None:
    def all_() -> Iterator[Problem]:
        yield from problems("hash", 3 * MOST)
        yield from problems("link", 2)
        yield from problems("tiles", 1)

    found = kept(all_())
    assert len(found.problems) == MOST + 2
    assert [problem.what for problem in found.problems[MOST:]] == ["link", "tiles"]
    assert found.kinds == {"hash": 3 * MOST, "link": 2, "tiles": 1}


def test_what_is_no_record_is_handed_on_in_bounded_parts() -> None:
    noise = (Problem(seq=0, what="form", detail=f"{n}") for n in count())
    parts = list(islice(stretches(noise), 3))
    assert all(0 < len(aside) <= 2_000 and not stretch.raws for stretch, aside in parts)


def test_noise_between_records_does_not_change_what_a_stretch_follows() -> None:
    def items() -> Iterator[Raw | Problem]:
        yield Raw(1, "a", b"")
        yield from problems("form", 5_000)
        yield Raw(2, "b", b"")

    parts = list(stretches(items()))
    assert [raw.seq for stretch, _ in parts for raw in stretch.raws] == [1, 2]
    assert (parts[0][0].before, parts[-1][0].before, parts[-1][0].previous) == (0, 1, "a")
    assert sum(len(aside) for _, aside in parts) == 5_000


def test_an_export_of_noise_is_counted_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_bytes(b"x\n" * (5 * MOST))
    report = verify_export(path, jobs=0)
    assert report.kinds["form"] == 5 * MOST
    assert len(report.problems) < MOST + 10
    assert {problem.what for problem in report.problems} == report.kinds.keys()
