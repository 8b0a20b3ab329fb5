"""A tool's form, from its bundle to the posted card and the full view."""

import json
from copy import deepcopy
from typing import Any

from bot.slack import names
from governance.action import ActionKind, Content
from tests.integration.slack.world import BUNDLE, open_world

EDITED = Content(
    arguments={"page": "runbook", "old": "a\nrestart\n", "new": "a\nraise the limit\n"},
    justification="- restart\n+ nothing at all",
)


def bundle() -> dict[str, Any]:
    made = deepcopy(BUNDLE)
    made["tools"] = {
        "pages.edit": {
            "actions": ["write"],
            "classification": "internal",
            "target": "page",
            "shows": {"form": "diff", "before": "old", "after": "new"},
        }
    }
    return made


async def test_a_change_is_posted_as_a_diff_and_read_whole_in_details() -> None:
    async with open_world(bundle=bundle()) as world:
        await world.ask(
            tool="pages.edit", action=ActionKind.WRITE, target="runbook", content=EDITED
        )
        card = json.dumps(world.card().current.blocks)
        assert '"  a\\n- restart\\n+ raise the limit"' in card
        assert '"page: runbook"' in card
        await world.click("olga", names.DETAILS)
        modal = world.emu.modal("olga")
        assert modal is not None
        page = json.dumps(modal.blocks)
        assert "All arguments, field by field:" in page
        assert "new: (3 lines)\\n  | a\\n  | raise the limit\\n  | " in page
