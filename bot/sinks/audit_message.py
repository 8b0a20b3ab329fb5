"""One message of the audit channel, as Slack is given it.

Lives here: a range of records, its lines and the checkpoints among them as blocks. Must not live
here: what the lines say (``audit_lines``), posting. Law: nothing in a message is parsed, and a
checkpoint stands exactly as it was signed, so that it can be copied and verified elsewhere.
"""

from dataclasses import dataclass

Block = dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditMessage:
    """One message: ``text`` for notifications, ``blocks`` to read, and the range that it covers."""

    first_seq: int
    last_seq: int
    lines: tuple[str, ...]
    notes: tuple[str, ...] = ()
    """The signed notes of its checkpoints."""

    @property
    def text(self) -> str:
        """The range, in our own words only."""
        if self.first_seq == self.last_seq:
            return f"Audit log, seq {self.first_seq}"
        return f"Audit log, seq {self.first_seq}-{self.last_seq}"

    @property
    def blocks(self) -> tuple[Block, ...]:
        """The range, then the lines and each checkpoint in a fixed font; nothing is parsed."""
        title: Block = {"type": "text", "text": self.text, "style": {"bold": True}}
        return (
            {
                "type": "rich_text",
                "elements": [
                    {"type": "rich_text_section", "elements": [title]},
                    *map(_fixed, ("\n".join(self.lines), *self.notes)),
                ],
            },
        )


def _fixed(text: str) -> Block:
    return {"type": "rich_text_preformatted", "elements": [{"type": "text", "text": text}]}
