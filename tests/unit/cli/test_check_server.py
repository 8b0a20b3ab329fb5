"""What ``placet check`` says of the server that holds the ledger."""

from dataclasses import replace

import pytest

from bot.cli.checks.findings import Level
from bot.cli.checks.server import server_findings
from bot.compose.databases import Server
from storage.postgres.roles import Role, Standing

SERVE = Standing(
    user="placet_serve",
    may_all=False,
    role=Role.SERVE,
    surplus=(),
    fsync="on",
    synchronous_commit="on",
    is_ready=True,
    is_standby=False,
)


@pytest.mark.parametrize(
    ("may_all", "detaches", "is_told"),
    [(False, True, True), (False, False, False), (True, True, False)],
)
def test_a_service_that_is_to_detach_and_may_not_is_a_problem(
    may_all: bool, detaches: bool, is_told: bool
):
    server = Server(name="db", standing=replace(SERVE, may_all=may_all))
    found = server_findings(server, production=False, detaches=detaches)
    told = [item.level for item in found if "PLACET_DETACH_DAYS" in item.text]
    assert told == [Level.PROBLEM] * is_told
