"""What every section of a bundle is made of: the strict base of its models and their plain values.

Lives here: the base of every form, the spellings of a key, and names, durations, words and
numbers as they may be written. Must not live here: any section (``sections``, ``matches``).
Law: a key that is not known is refused; nothing is converted in silence.
"""

from typing import Annotated, Literal

from pydantic import AliasChoices, BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

Duration = Annotated[str, Field(pattern=r"^[1-9][0-9]{0,6}[smhd]$")]
"""A whole number with its unit: 30s, 5m, 4h, 2d."""
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}$")]
Text = Annotated[str, Field(max_length=2_000)]
Words = list[Annotated[str, Field(min_length=1, max_length=256)]]
Pattern = Annotated[str, Field(min_length=1, max_length=256)]
PersonRef = Annotated[str, Field(pattern=r"^slack:[A-Z0-9]{2,32}/[UW][A-Z0-9]{1,31}$")]
EmailRef = Annotated[
    str,
    Field(max_length=254, pattern=r"^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9.-]{1,189}$"),
]
"""ASCII only: look-alike letters of other scripts name other people."""
GroupRef = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._:@/-]{0,127}$")]
"""The display name of a group in the company's directory."""
Whole = Annotated[int, Field(ge=0, le=2**53 - 1)]
Positive = Annotated[int, Field(ge=1, le=2**53 - 1)]
Kind = Literal["read", "write", "execute"]
Tier = Literal["A", "A-", "B", "C"]
EffectWord = Literal[
    "allow",
    "permit",
    "allow_with_constraints",
    "allow-with-constraints",
    "require_approval",
    "require-approval",
    "require_human",
    "throttle",
    "deny",
    "block",
]
Free = dict[str, object]
"""A mapping that only its reader understands: a JSON Schema, an action, metadata."""


def also(*names: str) -> AliasChoices:
    """Every spelling of one key; the first is the one that documents show first."""
    return AliasChoices(*names)


def _add_other_spellings(schema: JsonDict, model: type[BaseModel]) -> None:
    """Show every spelling of a key in the JSON Schema, not only the first."""
    properties, required = schema.get("properties"), schema.get("required", [])
    for field in model.model_fields.values():
        names = field.validation_alias
        if not (isinstance(names, AliasChoices) and isinstance(properties, dict)):
            continue
        first, *others = (str(name) for name in names.choices)
        properties.update(dict.fromkeys(others, properties[first]))
        if isinstance(required, list) and first in required:
            required.remove(first)
            schema["anyOf"] = [{"required": [name]} for name in (first, *others)]


class Form(BaseModel):
    """The base of every model here: unknown keys are refused, types are not bent."""

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, json_schema_extra=_add_other_spellings
    )
