"""Settings: what is missing or wrong is named, and no value is ever shown."""

from pathlib import Path

import pytest

from bot.settings import Settings, SlackMode, from_environment
from governance.errors import Code, InvalidInput

SLACK = {
    "PLACET_SLACK_MODE": "http",
    "PLACET_SLACK_BOT_TOKEN": "xoxb-secret-token",
    "PLACET_SLACK_SIGNING_SECRET": "sssh",
    "PLACET_SLACK_TEAM": "T1",
    "PLACET_SLACK_APP_ID": "A1",
    "PLACET_SLACK_APPROVALS_CHANNEL": "C1",
    "PLACET_SLACK_AUDIT_CHANNEL": "C2",
}


def test_without_any_variable_it_listens_on_loopback_and_slack_is_off() -> None:
    settings = from_environment({"HOME": "/x"})
    assert settings == Settings()
    assert (settings.host, settings.slack_mode) == ("127.0.0.1", SlackMode.OFF)


def test_a_variable_that_does_not_exist_is_refused_by_name() -> None:
    with pytest.raises(InvalidInput, match="PLACET_DATABSE: no such setting") as refused:
        from_environment({"PLACET_DATABSE": "x"})
    assert refused.value.code is Code.INVALID_SETTINGS


@pytest.mark.parametrize("name", sorted(SLACK))
def test_each_missing_slack_setting_is_named(name: str) -> None:
    if name == "PLACET_SLACK_MODE":
        assert from_environment(SLACK).slack_mode is SlackMode.HTTP
        return
    with pytest.raises(InvalidInput, match=name):
        from_environment({key: value for key, value in SLACK.items() if key != name})


def test_a_blank_signing_secret_is_a_missing_one() -> None:
    with pytest.raises(InvalidInput, match="PLACET_SLACK_SIGNING_SECRET"):
        from_environment({**SLACK, "PLACET_SLACK_SIGNING_SECRET": "  "})


def test_socket_mode_needs_the_app_token_and_not_the_signing_secret() -> None:
    socket = {**SLACK, "PLACET_SLACK_MODE": "socket"}
    del socket["PLACET_SLACK_SIGNING_SECRET"]
    with pytest.raises(InvalidInput, match="PLACET_SLACK_APP_TOKEN"):
        from_environment(socket)
    ready = from_environment({**socket, "PLACET_SLACK_APP_TOKEN": "xapp-1"})
    assert ready.slack_mode is SlackMode.SOCKET


def test_an_emulated_token_does_not_go_to_slack() -> None:
    with pytest.raises(InvalidInput, match="emulated token"):
        from_environment({**SLACK, "PLACET_SLACK_BOT_TOKEN": "xoxb-emulated-x"})


def test_no_error_and_no_representation_shows_a_secret() -> None:
    wrong = {**SLACK, "PLACET_PORT": "secret-port", "PLACET_SLACK_TEAM": ""}
    with pytest.raises(InvalidInput) as refused:
        from_environment(wrong)
    text = f"{refused.value}{from_environment(SLACK)!r}"
    for secret in ("xoxb-secret-token", "sssh", "secret-port"):
        assert secret not in text


def test_folders_are_read_from_name_and_path() -> None:
    settings = from_environment({"PLACET_FOLDERS": "site=/srv/site, logs=/var/log/x"})
    assert settings.folders == {"site": Path("/srv/site"), "logs": Path("/var/log/x")}
