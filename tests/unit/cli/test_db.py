"""``placet db``, and what ``placet check`` says of a server."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.postgres import Postgres
from tests.unit.cli.conftest import Placet

SECRET = "s3cret-of-a-role"


def with_password(url: str) -> str:
    """The address with a password, which a server that trusts us ignores."""
    return url.replace("postgres:@", f"postgres:{SECRET}@")


def test_migrating_makes_a_ledger_and_says_no_password(placet: Placet, postgres: Postgres):
    name = postgres.empty()
    for _ in range(2):
        ran = placet("db", "migrate", "--database", with_password(postgres.url(name)))
        assert (ran.code, ran.err) == (0, "")
        assert f"/{name}" in ran.out
        assert SECRET not in ran.out
    assert postgres.execute("SELECT seq FROM head", name=name) == [(0,)]


def test_migrating_what_is_not_there_says_so(placet: Placet, postgres: Postgres):
    ran = placet("db", "migrate", "--database", with_password(postgres.url("nowhere")))
    assert ran.code == 4
    assert "ledger_unavailable" in ran.err or "cannot be migrated" in ran.err
    assert SECRET not in ran.out + ran.err


@pytest.mark.usefixtures("story")
@pytest.mark.parametrize("command", [("db", "migrate"), ("ticket", "list"), ("serve",)])
def test_a_ledger_of_a_newer_version_is_left_as_it_is_and_said_to_be_one(
    placet: Placet, environment: dict[str, str], command: tuple[str, ...]
):
    path = Path(environment["PLACET_DATABASE"].removeprefix("sqlite:///"))
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    ran = placet(*command)
    assert ran.code == 4
    assert "schema 9999" in ran.err
    assert "newer version" in ran.err
    assert "ledger_unavailable" in ran.err


@pytest.mark.usefixtures("story")
def test_a_copy_is_compared_and_verified(
    placet: Placet, environment: dict[str, str], postgres: Postgres
):
    target = with_password(postgres.url(postgres.empty()))
    ran = placet("db", "copy", environment["PLACET_DATABASE"], target, "--json")
    assert (ran.code, ran.err) == (0, "")
    assert ran.json["verified"] is True
    assert ran.json["events"] > 0
    assert ran.json["problems"] == []
    again = placet("db", "copy", environment["PLACET_DATABASE"], target)
    assert again.code == 1
    assert "not empty" in again.err
    assert SECRET not in again.out + again.err


@pytest.mark.usefixtures("story")
def test_a_copy_that_does_not_verify_is_none(
    placet: Placet, environment: dict[str, str], postgres: Postgres
):
    path = Path(environment["PLACET_DATABASE"].removeprefix("sqlite:///"))
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("UPDATE tickets SET needed_people = 1 - needed_people")
    target = postgres.url(postgres.empty())
    ran = placet("db", "copy", environment["PLACET_DATABASE"], target)
    assert ran.code == 1
    assert "needed_people" in ran.out


def test_a_copy_of_nothing_makes_nothing(placet: Placet, tmp_path: Path):
    source = f"sqlite:///{tmp_path}/typed-wrong.db"
    ran = placet("db", "copy", source, f"sqlite:///{tmp_path}/new.db")
    assert ran.code == 4
    assert not list(tmp_path.glob("*.db"))
    ran = placet("db", "copy", source, source)
    assert ran.code == 1


def test_the_sql_of_roles_is_printed_and_is_what_is_applied(placet: Placet, postgres: Postgres):
    printed = placet("db", "roles", "--prefix", "told")
    assert (printed.code, printed.err) == (0, "")
    assert "CREATE ROLE told_executor LOGIN" in printed.out
    name = postgres.ready()
    postgres.execute(printed.out, name=name)
    found = placet("db", "roles", "--prefix", "told", "--apply", "--database", postgres.url(name))
    assert found.code == 0
    assert "told_reader" in found.out


@pytest.mark.parametrize("prefix", ["x; DROP TABLE events", "", "Ü", "9a", "A", "a" * 41])
def test_a_prefix_is_a_name_and_nothing_else(placet: Placet, prefix: str):
    ran = placet("db", "roles", "--prefix", prefix)
    assert (ran.code, ran.out) == (2, "")


def test_a_file_has_no_roles(placet: Placet, environment: dict[str, str]):
    ran = placet("db", "roles", "--apply")
    assert ran.code == 1
    assert "only PostgreSQL separates" in ran.err


def check(placet: Placet, *more: str) -> dict[str, str]:
    """Texts of findings about the ledger, by level."""
    found = placet("check", "--json", *more).json["findings"]
    assert SECRET not in str(found)
    return {item["text"]: item["level"] for item in found if item["area"] == "ledger"}


def test_check_says_what_a_server_promises_and_who_we_are(
    placet: Placet, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
):
    name = postgres.ready()
    url = postgres.url(name)
    assert placet("db", "roles", "--prefix", "seen", "--apply", "--database", url).code == 0
    monkeypatch.setenv("PLACET_DATABASE", with_password(url))
    found = check(placet)
    assert found["synchronous_commit is on, fsync is on"] == "note"
    (owner,) = [text for text in found if "owns the tables" in text]
    assert found[owner] == "warning"
    assert check(placet, "--production")[owner] == "problem"
    for role in ("serve", "executor", "reader"):
        monkeypatch.setenv("PLACET_DATABASE", url.replace("postgres:@", f"seen_{role}:@"))
        text = f"the role seen_{role} has exactly the rights of {role}"
        assert check(placet, "--production")[text] == "note"
    postgres.execute("GRANT DELETE ON tickets TO seen_reader", name=name)
    (text,) = [text for text in check(placet, "--production") if "DELETE on tickets" in text]
    postgres.execute("REVOKE SELECT ON votes FROM seen_reader", name=name)
    postgres.execute("REVOKE DELETE ON tickets FROM seen_reader", name=name)
    (text,) = [text for text in check(placet) if "none of serve" in text]
    assert check(placet)[text] == "problem"


def test_check_says_when_a_server_cannot_be_asked_or_is_empty(
    placet: Placet, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("PLACET_DATABASE", with_password(postgres.url("nowhere")))
    (text,) = [text for text in check(placet) if "cannot be asked" in text]
    assert check(placet)[text] == "problem"
    monkeypatch.setenv("PLACET_DATABASE", postgres.url(postgres.empty()))
    assert any("no ledger yet" in text for text in check(placet))


@pytest.mark.usefixtures("story")
def test_an_export_from_a_server_verifies_alone(
    placet: Placet,
    environment: dict[str, str],
    postgres: Postgres,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    target = postgres.url(postgres.empty())
    assert placet("db", "copy", environment["PLACET_DATABASE"], target).code == 0
    monkeypatch.setenv("PLACET_DATABASE", target)
    out = tmp_path / "log.jsonl"
    assert placet("audit", "export", str(out)).code == 0
    assert placet("audit", "verify", "--export", str(out)).code == 0
    assert placet("audit", "verify").code == 0
    assert placet("audit", "tail", "-n", "3").code == 0
