"""Whatever is changed about a log on a PostgreSQL server, verification says so, and what it is."""

import asyncio

import pytest

from storage.verify.findings import FINDINGS
from tests.attacks.tampering import Attack, Lab, written
from tests.attacks.tampering_kinds import ATTACKS, ITSELF
from tests.attacks.tampering_server import ServerLab, is_possible, laid_out
from tests.attacks.tampering_server_kinds import SERVER_ATTACKS, ServerAttack
from tests.support.postgres import Postgres

POURED = [attack for attack in ATTACKS if is_possible(attack)]


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    return asyncio.run(written(tmp_path_factory.mktemp("lab")))


@pytest.fixture(scope="module")
def server_lab(postgres: Postgres, lab: Lab) -> ServerLab:
    return laid_out(postgres, lab)


def test_what_nobody_touched_verifies(server_lab: ServerLab, lab: Lab):
    for name in (server_lab.name, server_lab.poured(lab)):
        for outside in (False, True):
            assert server_lab.verified(name, lab, outside=outside).problems == ()


@pytest.mark.parametrize("attack", POURED, ids=lambda a: f"{a.surface}: {a.name}")
def test_what_is_found_in_a_file_is_found_on_a_server(
    server_lab: ServerLab, lab: Lab, tmp_path_factory: pytest.TempPathFactory, attack: Attack
):
    copied = lab.copied(tmp_path_factory.mktemp("file"))
    spoiled = attack.act(copied) or copied
    name = server_lab.poured(spoiled)
    alone = server_lab.verified(name, spoiled, outside=False).problems
    assert bool(alone) == (attack.shown_by == ITSELF), alone
    in_file = spoiled.verified("database", outside=True).problems
    found = server_lab.verified(name, spoiled, outside=True).problems
    assert {problem.what for problem in in_file} <= {problem.what for problem in found}


@pytest.mark.parametrize("attack", SERVER_ATTACKS, ids=lambda a: f"{a.surface}: {a.name}")
def test_what_only_a_server_can_do_is_found_for_what_it_is(
    server_lab: ServerLab, lab: Lab, attack: ServerAttack
):
    with server_lab.changed(attack) as name:
        found = server_lab.verified(name, lab, outside=False).problems
    assert {problem.what for problem in found} == attack.finds
    assert attack.finds <= FINDINGS.keys()


def test_no_two_kinds_bear_one_name():
    named = {(attack.surface, attack.name) for attack in SERVER_ATTACKS}
    assert len(named) == len(SERVER_ATTACKS)
