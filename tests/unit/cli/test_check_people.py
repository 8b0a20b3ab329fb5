"""The check of where roles come from and who may read along."""

from pathlib import Path

import pytest

from bot.cli.checks.bundle import load
from bot.cli.checks.people import group_findings, people_findings
from bot.people.directories import LookupFailedError, NoGroups
from bot.replies import Exit
from bot.settings import Settings, SlackMode
from tests.unit.cli.conftest import Placet

SLACK = Settings.model_construct(slack_mode=SlackMode.HTTP)
COMPANY = Settings.model_construct(slack_mode=SlackMode.HTTP, scim_url="https://x.test/v2")
GROUPS = "directory: {roles: {payer: {directory_groups: [Payments], emails: [Una@Example.com]}}}"


def found(tmp_path: Path, text: str, settings: Settings) -> list[str]:
    path = tmp_path / "bundle.yaml"
    path.write_text(f"version: v1\n{text}\n", encoding="utf-8")
    told = people_findings(settings, load(path))
    return [f"{one.level.value}: {one.text} ({one.place.rpartition('/')[2]})" for one in told]


def test_a_source_of_roles_that_cannot_be_asked_is_shown(tmp_path: Path) -> None:
    (alone,) = found(tmp_path, GROUPS, Settings())
    assert "warning: role payer names directory group Payments, address una@example.com" in alone
    assert "without Slack nobody can be asked" in alone
    (unset,) = found(tmp_path, GROUPS, SLACK)
    assert "directory group Payments, and PLACET_SCIM_URL is not set" in unset
    assert "(bundle.yaml:2:" in unset
    assert found(tmp_path, GROUPS, COMPANY) == []
    plain = 'directory: {roles: {payer: {people: ["slack:T0/U0"]}}}'
    assert found(tmp_path, plain, Settings()) == []


@pytest.mark.parametrize(
    ("word", "level", "whom"),
    [("organisation", "note", "workspaces"), ("outsiders", "warning", "organisations")],
)
def test_a_bundle_that_lets_others_read_along_is_shown(
    tmp_path: Path, word: str, level: str, whom: str
) -> None:
    (told,) = found(tmp_path, f"directory: {{shared_channels: {word}}}", SLACK)
    assert told.startswith(f"{level}: cards may be posted in channels that are shared with other")
    assert whom in told
    assert found(tmp_path, "directory: {shared_channels: refuse}", SLACK) == []


async def test_the_doctor_asks_for_every_group_that_a_role_names(tmp_path: Path) -> None:
    path = tmp_path / "bundle.yaml"
    path.write_text(
        "version: v1\ndirectory: {roles: {payer: {directory_groups: [Payments, Old]}}}\n",
        encoding="utf-8",
    )
    told = await group_findings(Company(), load(path).bundle)
    assert [(one.level.value, one.place) for one in told] == [
        ("note", "/directory/roles/payer/directory_groups"),
        ("problem", "/directory/roles/payer/directory_groups"),
    ]
    assert "Payments: 2 active members" in told[0].text
    assert "Old could not be asked (no_such_group)" in told[1].text
    unset = await group_findings(NoGroups(), load(path).bundle)
    assert {one.level.value for one in unset} == {"problem"}


class Company:
    """A directory with one group."""

    async def addresses(self, group: str) -> list[str]:
        if group != "Payments":
            raise LookupFailedError("no_such_group")
        return ["una@example.com", "ugo@example.com"]


def test_placet_check_shows_it(placet: Placet, tmp_path: Path) -> None:
    path = tmp_path / "bundle.yaml"
    path.write_text("version: v1\ndirectory: {shared_channels: outsiders}\n", encoding="utf-8")
    told = placet("check", "--policies", path)
    assert told.code == Exit.OK
    assert "shared_channels is outsiders" in " ".join(told.out.split())
