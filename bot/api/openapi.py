"""The published document of the API, OpenAPI 3.1.

Lives here: the document, made from the route table and the models. Must not live here: anything
written by hand that the code could contradict. Law: a route that is not in the document is not
served, and the other way round.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from bot.api.answers import ProblemAnswer
from bot.api.described import QUERY, Described, OpenRoute, Route
from bot.api.routes import OPEN_ROUTES, ROUTES
from bot.api.schemas import UNUSED
from governance.canonical import Json

_TEMPLATE = "#/components/schemas/{model}"
_WEBHOOK_HEADERS = ("webhook-id", "webhook-timestamp", "webhook-signature", "webhook-agent")
_ABOUT = """Agents ask, policy decides, people vote, and what is approved runs once.

A credential goes as `Authorization: Bearer` or `X-API-Key`. Identity, tenant and owners come from
it alone; every field of a body is a claim. Keys of other clients that play no part are accepted
and dropped: {unused}, max_*_tokens. Any other unknown key is refused. capability, labels, requires
and risk_tags may stand under `meta`. Labels whose name begins with `_` are dropped. A refusal names
a stable code.

policy/evaluate and its like: `effect` is always exact. `decision` is DENY instead of
ALLOW_WITH_CONSTRAINTS for callers with `X-API-Key` or a `meta` object, since published clients
that send those would run the action without its constraints."""

Schema = dict[str, Any]


@cache
def document() -> Mapping[str, Json]:
    """The document as plain JSON."""
    routes: tuple[Route | OpenRoute, ...] = (*ROUTES, *OPEN_ROUTES)
    models: list[tuple[type[BaseModel], JsonSchemaMode]] = [(ProblemAnswer, "serialization")]
    for route in routes:
        models.append((route.answer, "serialization"))
        if route.body is not None:
            models.append((route.body, "validation"))
    refs, schemas = models_json_schema(list(dict.fromkeys(models)), ref_template=_TEMPLATE)
    paths: dict[str, Schema] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, refs)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Placet",
            "version": "1",
            "description": _ABOUT.format(unused=", ".join(sorted(UNUSED))),
        },
        "paths": paths,
        "components": {
            "schemas": schemas.get("$defs", {}),
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
            },
        },
    }


def _operation(route: Route | OpenRoute, refs: Mapping[Any, Schema]) -> Schema:
    doc = (route.handler.__doc__ or "").strip()
    answer = refs[(route.answer, "serialization")]
    operation: Schema = {
        "operationId": _name(route),
        "summary": doc.split("\n")[0],
        "responses": {
            "200": _json("done", {"type": "array", "items": answer} if route.is_list else answer),
            "4XX": _json("refused", refs[(ProblemAnswer, "serialization")]),
            "5XX": _json("not now", refs[(ProblemAnswer, "serialization")]),
        },
        "security": [],
    }
    if route.path == "/readyz":
        operation["responses"]["503"] = _json("not ready", answer)
    if isinstance(route, Route):
        scopes = sorted(scope.value for scope in route.scopes)
        operation["security"] = [{"bearer": []}, {"key": []}]
        operation["description"] = f"Scope: {' or '.join(scopes)}."
    parameters = _parameters(route)
    if parameters:
        operation["parameters"] = parameters
    if route.body is not None:
        operation["requestBody"] = {
            "required": isinstance(route, OpenRoute),
            "content": {"application/json": {"schema": refs[(route.body, "validation")]}},
        }
    return operation


def _parameters(route: Described) -> list[Schema]:
    text = {"type": "string"}
    found: list[Schema] = [
        {"name": name, "in": "query", "description": QUERY[name], "schema": text}
        for name in route.query
    ]
    if "{id}" in route.path:
        found.append({"name": "id", "in": "path", "required": True, "schema": text})
    if route.path.startswith("/webhooks"):
        found += [
            {"name": name, "in": "header", "required": True, "schema": text}
            for name in _WEBHOOK_HEADERS
        ]
    return found


def _json(description: str, schema: Schema) -> Schema:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _name(route: Described) -> str:
    words = route.path.removeprefix("/api/v1").replace("{id}", "one").strip("/").split("/")
    return "_".join((route.method.lower(), *words))
