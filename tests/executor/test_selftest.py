"""The self-test: any difference makes a tier unavailable; a lack is a sentence, not an error."""

import dataclasses
import json
from pathlib import Path

import pytest

from bot.executor import selftest
from bot.executor.launcher import RunResult
from bot.executor.selftest import Config, differences, establish, probe_spec
from governance.execution import SandboxTier as Tier
from tests.executor.conftest import Proven
from tests.executor.test_sandbox import TOOLS

GOOD = {
    "inet": 97,
    "inet6": 97,
    "vsock": 97,
    "write": {"/etc": 30, "/usr": 30, "/": 30, "/dev": 30, "/in": 30, "/w": 0, "/tmp": 0},  # noqa: S108 - inside
    "userns": 1,
    "setuid_bit": 1,
    "no_new_privs": "1",
    "seccomp": "2",
    "capabilities": 0,
    "uid": 65534,
    "processes": 2,
    "environ": ["HOME", "LANG", "PATH", "PWD"],
    "environ_of_1": ["PATH", "PWD"],
    "descriptors": [0, 1, 2],
}


def answer(facts: object, **changes: object) -> RunResult:
    result = RunResult(
        exit_code=0,
        stdout=json.dumps(facts).encode(),
        stderr=b"",
        stdout_truncated=False,
        stderr_truncated=False,
        duration_s=0.1,
        timed_out=False,
        scratch_full=False,
        oom_killed=False,
        peak_memory_bytes=None,
        throttled_periods=None,
        tier=Tier.A,
        sandbox_version="x",
    )
    return dataclasses.replace(result, **changes)  # type: ignore[arg-type]


def found(result: RunResult) -> tuple[str, ...]:
    return differences(result, TOOLS, probe_spec(TOOLS))


def test_the_expected_answers_prove_a_tier():
    assert found(answer(GOOD)) == ()


@pytest.mark.parametrize("fact", sorted(GOOD))
def test_any_missing_or_different_fact_is_a_difference(fact: str):
    assert found(answer({**GOOD, fact: None}))
    assert found(answer({name: value for name, value in GOOD.items() if name != fact}))
    assert found(answer({**GOOD, fact: "7"}))


@pytest.mark.parametrize("place", ["/etc", "/usr", "/", "/dev", "/in"])
def test_a_place_that_can_be_written_is_a_difference(place: str):
    writes = GOOD["write"]
    assert isinstance(writes, dict)
    assert found(answer({**GOOD, "write": {**writes, place: 0}}))


def test_a_probe_that_fails_or_babbles_proves_nothing():
    assert found(answer(GOOD, exit_code=1))
    assert found(answer(GOOD, timed_out=True))
    assert found(answer([]))
    assert found(answer(GOOD, stdout=b"not json"))


async def test_a_missing_bubblewrap_is_a_sentence_that_says_what_to_install():
    result = await establish(Config(bwrap=Path("/nonexistent/bwrap")))
    assert result.launcher is None
    assert result.availability.tier is None
    assert "install the system's package bubblewrap" in result.availability.reason


async def test_a_program_that_only_looks_like_bubblewrap_proves_nothing(tmp_path: Path):
    options = "--json-status-fd --block-fd --ro-bind-data --perms --size"
    fake = tmp_path / "bwrap"
    fake.write_text(f"#!/bin/sh\necho 'bubblewrap 9.9.9 {options}'\n")
    fake.chmod(0o755)
    result = await establish(Config(bwrap=fake, tiers=(Tier.A_MINUS,)))
    assert result.launcher is None
    assert result.availability.reason.startswith("No sandbox: ")


async def test_tiers_that_are_names_only_are_unavailable(require_sandbox: None):
    for tier in (Tier.B, Tier.C):
        result = await establish(Config(tiers=(tier,)))
        assert result.launcher is None
        assert "not built yet" in result.availability.reason


async def test_no_tier_asked_for_is_no_tier(require_sandbox: None):
    assert (await establish(Config(tiers=()))).launcher is None


def test_switches_of_the_kernel_are_named_with_their_repair(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    switch = tmp_path / "max_user_namespaces"
    switch.write_text("0\n")
    monkeypatch.setattr(selftest, "_SWITCHES", ((str(switch), "0", "sysctl it=1"),))
    assert "switched off by max_user_namespaces: sysctl it=1" in selftest._kernel_hint()
    switch.write_text("5\n")
    assert selftest._kernel_hint() == ""


@pytest.mark.sandbox
async def test_the_strongest_tier_comes_first_and_carries_the_boot(proven: Proven):
    result = await establish(Config(tiers=(Tier.A_MINUS, proven.tier)))
    assert result.availability.tier is proven.tier
    assert result.availability.boot_id == selftest.boot_id() != ""
    assert result.launcher is not None
    assert result.launcher.proven == {proven.tier}
