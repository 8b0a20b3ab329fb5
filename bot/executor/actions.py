"""The typed actions that an approved ticket can run, and what becomes of their arguments.

Here: the registry, built from a bundle's plain mappings; checking arguments; turning an action
and the approved bytes into a sandbox description; checking the answer. Not here: reading the
mappings strictly (`action_parsing`), running (`launcher`), who may do what. Law kept: the program
reads the very bytes that were approved; an argument reaches a command line only as one whole item
that cannot be taken for an option, and never a shell.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from bot.executor.action_parsing import ActionSpec, Builtin, Command, Placeholder, parse_action
from bot.executor.action_schema import ActionError, Validator, check, parse_json
from bot.executor.sandbox import INPUTS, Folder, InputFile, SandboxSpec
from bot.executor.selftest import runner_source
from bot.executor.tools import Python

MAX_ARGUMENTS_BYTES: Final = 256 * 1024
_MAX_ITEM_CHARACTERS: Final = 8192
_SCRIPT: Final = "files.py"


def _item_text(action: str, name: str, value: object) -> str:
    """One scalar as one command-line item."""
    pointer = f"/{name}"
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None or isinstance(value, dict | list):
        raise ActionError(
            "action_arguments_invalid",
            f"action {action}: a list, object or null cannot be a command-line item",
            pointer,
        )
    text = str(value)
    if "\0" in text or len(text) > _MAX_ITEM_CHARACTERS:
        raise ActionError(
            "action_arguments_invalid", f"action {action}: NUL or too long for an item", pointer
        )
    return text


def _fill(action: str, command: Command, arguments: Mapping[str, object]) -> tuple[str, ...]:
    out: list[str] = []
    for item in command.argv:
        if not isinstance(item, Placeholder):
            out.append(item)
            continue
        if item.name not in arguments:
            if item.is_optional:
                continue
            raise ActionError(
                "action_arguments_invalid",
                f"action {action}: the command needs this argument",
                f"/{item.name}",
            )
        text = _item_text(action, item.name, arguments[item.name])
        if not item.prefix and "--" not in out and (text.startswith("-") or not text):
            raise ActionError(
                "action_arguments_invalid",
                f"action {action}: the value could be taken for an option",
                f"/{item.name}",
            )
        out.append(item.prefix + text)
    return tuple(out)


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionRegistry:
    """The actions of one bundle, and where its declared folders are on this machine."""

    actions: Mapping[str, ActionSpec]
    folders: Mapping[str, Path]
    _arguments: Mapping[str, Validator] = field(repr=False)
    _outputs: Mapping[str, Validator] = field(repr=False)

    @classmethod
    def load(cls, actions: Mapping[str, object], folders: Mapping[str, Path]) -> "ActionRegistry":
        """A registry from name -> plain mapping, strictly checked.

        Raises:
            ActionError: with the place, as a JSON pointer into `actions`.
        """
        parsed = {name: parse_action(name, value) for name, value in actions.items()}
        for name, spec in parsed.items():
            for folder in (*spec.writable, *spec.readable):
                if folder not in folders:
                    raise ActionError(
                        "action_folder_unknown",
                        f"action {name}: the operator has named no folder {folder!r}",
                        f"/{name}",
                    )
            if spec.inverse is not None and spec.inverse not in parsed:
                raise ActionError(
                    "action_unknown",
                    f"action {name}: its inverse {spec.inverse!r} is not an action",
                    f"/{name}/inverse",
                )
        for name, path in folders.items():
            Folder(name=name, source=path)  # refuses a name or path that no run could use
        return cls(
            actions=parsed,
            folders=dict(folders),
            _arguments={
                name: Validator(spec.arguments, f"/{name}/arguments")
                for name, spec in parsed.items()
            },
            _outputs={
                name: Validator(spec.output_schema, f"/{name}/output_schema")
                for name, spec in parsed.items()
                if spec.output_schema is not None
            },
        )

    def get(self, name: str) -> ActionSpec:
        """One action.

        Raises:
            ActionError: there is none of that name.
        """
        found = self.actions.get(name)
        if found is None:
            raise ActionError("action_unknown", f"no action is named {name!r}", "")
        return found

    def arguments(self, name: str, content: bytes) -> Mapping[str, object]:
        """The arguments in `content`, checked against the action's schema.

        Raises:
            ActionError: not strict JSON, too large, or refused by the schema, with the place.
        """
        spec = self.get(name)
        if len(content) > MAX_ARGUMENTS_BYTES:
            raise ActionError(
                "action_arguments_too_large",
                f"action {name}: {len(content)} bytes of arguments, at most {MAX_ARGUMENTS_BYTES}",
                "",
            )
        value = parse_json(content, "action_arguments_invalid")
        if not isinstance(value, dict):
            raise ActionError(
                "action_arguments_invalid", f"action {name}: expected a JSON object", ""
            )
        check(self._arguments[spec.name], value, "action_arguments_invalid", f"action {name}")
        clash = sorted(set(value) & set(spec.fixed))
        if clash:
            raise ActionError(
                "action_arguments_invalid",
                f"action {name}: the operator has fixed this argument",
                f"/{clash[0]}",
            )
        return value

    def plan(
        self, name: str, content: bytes, *, python: Python, trace_id: str | None = None
    ) -> SandboxSpec:
        """The run of one action with exactly these argument bytes.

        Raises:
            ActionError: as for `arguments`, or the command cannot be filled in.
            SpecRefused: the description is none that a sandbox takes.
        """
        spec, arguments = self.get(name), self.arguments(name, content)
        inputs = [InputFile(name="arguments.json", content=content)]
        writable, readable = self._folders(spec.writable), self._folders(spec.readable)
        if isinstance(spec.runner, Builtin):
            targets = [folder.target for folder in (*writable, *readable)]
            argv = python.argv(f"{INPUTS}/{_SCRIPT}", spec.runner.name, *targets)
            inputs.append(InputFile(name=_SCRIPT, content=runner_source("files")))
            fixed = json.dumps(dict(spec.fixed), sort_keys=True).encode()
            inputs.append(InputFile(name="fixed.json", content=fixed))
        else:
            argv = _fill(name, spec.runner, {**arguments, **spec.fixed})
        return SandboxSpec(
            argv=argv,
            limits=spec.limits,
            writable=writable,
            readable=readable,
            inputs=tuple(inputs),
            env={} if trace_id is None else {"PLACET_TRACE_ID": trace_id},
        )

    def _folders(self, names: tuple[str, ...]) -> tuple[Folder, ...]:
        return tuple(Folder(name=name, source=self.folders[name]) for name in names)

    def output(self, name: str, stdout: bytes) -> object:
        """What the program answered: JSON where the action has an output schema, else its text.

        Raises:
            ActionError: not strict JSON, or refused by the schema. The text is never in the
                message.
        """
        validator = self._outputs.get(self.get(name).name)
        if validator is None:
            return stdout.decode("utf-8", "replace")
        value = parse_json(stdout, "action_output_invalid")
        check(validator, value, "action_output_invalid", f"action {name}: output")
        return value


__all__ = ["ActionError", "ActionRegistry", "ActionSpec", "Builtin", "Command", "Placeholder"]
