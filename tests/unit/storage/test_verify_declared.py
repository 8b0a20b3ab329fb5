"""How a server's tables are declared, as the verifier sees it: what is nobody's matter is none."""

import psycopg
import pytest

from storage.verify.declared import declared
from tests.support.postgres import Postgres


def found(postgres: Postgres, name: str, path: str = "public") -> list[tuple[str, str]]:
    """Code and row of each problem, for who looks by this path."""
    with psycopg.connect(postgres.url(name), options=f"-csearch_path={path}") as connection:
        return [(problem.what, problem.row) for problem in declared(connection)]


@pytest.mark.parametrize(
    "change",
    [
        "CREATE EXTENSION vector",
        "CREATE SCHEMA more; CREATE TABLE more.tickets (id text)",
        "CREATE TABLE more (id text DEFAULT 'x' CHECK (id <> ''))",
        "CREATE UNLOGGED TABLE more (id bigint GENERATED ALWAYS AS IDENTITY)",
        "CREATE FUNCTION more() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    ],
)
def test_what_stands_beside_our_tables_is_no_problem(postgres: Postgres, change: str):
    name = postgres.ready()
    postgres.execute(change, name=name)
    assert found(postgres, name) == []


def test_a_table_on_the_path_of_whoever_verifies_is_a_shadow_before_ours_and_behind(
    postgres: Postgres,
):
    name = postgres.ready()
    postgres.execute("CREATE SCHEMA more; CREATE TABLE more.tickets (id text)", name=name)
    assert found(postgres, name, "public,more") == [("shadow", "more.tickets")]
    assert ("shadow", "public.tickets") in found(postgres, name, "more,public")


def test_a_path_that_another_database_has_is_no_problem(postgres: Postgres):
    name, other = postgres.ready(), postgres.empty()
    postgres.execute("CREATE SCHEMA more; CREATE TABLE more.tickets (id text)", name=name)
    postgres.execute(f"ALTER DATABASE {other} SET search_path = more, pg_catalog")
    postgres.execute(f"ALTER DATABASE {name} SET search_path = pg_catalog, public")
    assert found(postgres, name) == []
    postgres.execute(f"ALTER DATABASE {name} SET search_path = public, pg_catalog")
    assert found(postgres, name) == [("shadow", "every role")]
    postgres.execute(f"ALTER DATABASE {name} SET search_path = public, more")
    assert found(postgres, name) == [("shadow", "more.tickets")]
