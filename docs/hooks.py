"""For mkdocs: the REST reference is written from the OpenAPI document, so that it cannot say anything else."""

from __future__ import annotations

from typing import Any

_PAGE = "reference/rest.md"


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """The REST page's text, followed by every route."""
    return markdown + _routes() if page.file.src_uri == _PAGE else markdown


def _routes() -> str:
    from service import Settings, create_app

    document = create_app(Settings(use_registry=False)).openapi()
    routes = sorted(
        (path, method, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    )
    return "".join(_route(path, method, operation) for path, method, operation in routes) + _schemas(document)


def _route(path: str, method: str, operation: dict[str, Any]) -> str:
    answers = "\n".join(f"| {status} | {answer['description']} |" for status, answer in operation["responses"].items())
    parameters = "\n".join(
        f"| `{parameter['name']}` | {parameter['in']} | {parameter.get('description', '')} |"
        for parameter in operation.get("parameters", [])
    )
    table = f"\n| parameter | in | what |\n|---|---|---|\n{parameters}\n" if parameters else ""
    about = operation.get("description") or ""
    summary = operation.get("summary", "")
    return f"\n## {method.upper()} `{path}`\n\n{summary}. {about}\n{table}\n| status | answer |\n|---|---|\n{answers}\n"


def _schemas(document: dict[str, Any]) -> str:
    out = "\n## Bodies\n"
    for name, schema in sorted(document["components"]["schemas"].items()):
        fields = schema.get("properties")
        if not fields:
            continue
        rows = "\n".join(f"| `{field}` | {_type_of(told)} |" for field, told in fields.items())
        out += f"\n### {name}\n\n{schema.get('description', '')}\n\n| field | type |\n|---|---|\n{rows}\n"
    return out


def _type_of(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        return str(schema["$ref"]).rsplit("/", 1)[-1]
    for key in ("anyOf", "oneOf"):
        if key in schema:
            return " or ".join(_type_of(option) for option in schema[key])
    if schema.get("type") == "array":
        return f"list of {_type_of(schema.get('items', {}))}"
    if "enum" in schema:
        return " or ".join(f"`{value}`" for value in schema["enum"])
    return str(schema.get("type", "anything"))
