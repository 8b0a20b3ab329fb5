"""Roles on a server as the verifier sees them: what is as it was made is no problem."""

from collections.abc import Iterator

import psycopg
import pytest

from storage.engine import database
from storage.postgres import roles as made
from storage.postgres.database import PostgresDatabase
from storage.postgres.role_check import apply
from storage.verify import roles as verify_roles
from storage.verify.roles import roles
from storage.verifying import verify_server
from tests.support.postgres import Postgres

PREFIX = "seen"


@pytest.fixture(scope="module")
def apart(postgres: Postgres) -> str:
    """A database whose roles are apart."""
    name = postgres.ready()
    applied(postgres, name, PREFIX)
    return name


@pytest.fixture
def copy(postgres: Postgres, apart: str) -> str:
    return postgres.copy(apart)


@pytest.fixture
def hand(postgres: Postgres) -> Iterator[str]:
    """An account of somebody's own, gone afterwards."""
    postgres.execute("CREATE ROLE seen_hand LOGIN")
    yield "seen_hand"
    postgres.execute("DROP ROLE seen_hand")


def applied(postgres: Postgres, name: str, prefix: str) -> None:
    db = database(postgres.url(name))
    assert isinstance(db, PostgresDatabase)
    apply(db, prefix)


def details(postgres: Postgres, name: str) -> list[str]:
    with psycopg.connect(postgres.url(name)) as connection:
        return [problem.detail for problem in roles(connection)]


@pytest.mark.parametrize("role", list(made.Role))
def test_the_verifier_s_list_is_what_the_roles_are_given(role: made.Role):
    writes = {
        f"{table} {right}"
        for table, rights in made.rights(role).items()
        for right in rights
        if right != "SELECT"
    }
    listed = {
        f"{table} {right}"
        for rights, tables in verify_roles._MAY[role].items()
        for table in tables.split()
        for right in rights.split()
    }
    assert listed == writes


def test_roles_as_they_were_made_are_no_problem(postgres: Postgres, apart: str):
    assert details(postgres, apart) == []


def test_where_there_are_no_roles_nothing_is_said(postgres: Postgres, apart: str):
    name = postgres.ready()
    assert details(postgres, name) == []


def test_roles_of_before_are_a_problem_while_they_have_rights_and_nothing_holds_them(
    postgres: Postgres, copy: str
):
    applied(postgres, copy, "again")
    told = f"tickets_by_executor does not hold {PREFIX}_executor to its runs"
    assert details(postgres, copy) == [told]
    for role in made.Role:
        postgres.execute(f"DROP OWNED BY {PREFIX}_{role}", name=copy)
    assert details(postgres, copy) == []


def test_a_policy_where_no_roles_are_is_none_of_ours(postgres: Postgres):
    name = postgres.ready()
    postgres.execute("CREATE POLICY events_read ON events FOR SELECT USING (true)", name=name)
    assert details(postgres, name) == [
        "the policy events_read is none of ours, or not as it was made"
    ]


@pytest.mark.parametrize("role", ["executor", "serve", "reader"])
def test_an_account_that_is_a_member_of_a_role_is_no_problem(
    postgres: Postgres, copy: str, hand: str, role: str
):
    postgres.execute(f"GRANT {PREFIX}_{role} TO {hand}")
    assert details(postgres, copy) == []


def test_the_owner_may_be_a_member_of_the_roles_that_it_made(
    postgres: Postgres, copy: str, hand: str
):
    postgres.execute(f"GRANT {PREFIX}_executor TO {hand}")
    # Every relation: whose owner somebody is, those somebody may do everything with.
    postgres.execute(f"ALTER TABLE events OWNER TO {hand}", name=copy)
    assert details(postgres, copy) == []
    postgres.execute("ALTER TABLE events OWNER TO postgres", name=copy)


def test_what_an_account_could_do_as_another_counts(postgres: Postgres, copy: str, hand: str):
    postgres.execute(f"GRANT {PREFIX}_executor, pg_write_server_files TO {hand}")
    assert details(postgres, copy) == [f"{hand} may do everything"]


def test_the_reader_s_role_verifies(postgres: Postgres, apart: str):
    url = postgres.url(apart).replace("postgres:@", f"{PREFIX}_reader:@")
    assert verify_server(url).problems == ()
