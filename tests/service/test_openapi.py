"""The OpenAPI document is complete and true: schemathesis finds no 5xx and no undocumented answer."""

from __future__ import annotations

from collections import Counter

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
QUICK = settings(
    max_examples=8,
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
PATHS = {
    "/v1/predict/{kind}",
    "/v1/rank/{kind}",
    "/v1/explain/{kind}",
    "/v1/saw/box",
    "/v1/devices",
    "/v1/models",
    "/v1/models/{name}",
    "/v1/models/{name}/points",
    "/v1/models/{name}/importance",
    "/v1/models/{name}/versions",
    "/healthz",
    "/readyz",
    "/metrics",
    "/v1/measurements",
    "/v1/models/{name}/health",
    "/v2",
    "/v2/health/live",
    "/v2/health/ready",
    "/v2/models/{name}",
    "/v2/models/{name}/ready",
    "/v2/models/{name}/infer",
    "/v2/models/{name}/versions/{version}",
    "/v2/models/{name}/versions/{version}/ready",
    "/v2/models/{name}/versions/{version}/infer",
    "/ping",
    "/version",
    "/invocations",
}


def test_every_route_is_told_with_an_operation_id_of_its_own(client):
    document = client.get("/openapi.json").json()
    assert document["paths"].keys() == PATHS
    operations = [operation for path in document["paths"].values() for operation in path.values()]
    assert (
        len({operation["operationId"] for operation in operations}) == len(operations) == len(PATHS) + 1
    )  # measurements: told and listed
    assert client.get("/docs").status_code == 200


def test_every_reference_leads_somewhere(client):
    document = client.get("/openapi.json").json()
    references = []

    def walk(node):
        if isinstance(node, dict):
            references.extend(value for key, value in node.items() if key == "$ref")
            node = list(node.values())
        if isinstance(node, list):
            for child in node:
                walk(child)

    walk(document)
    assert set(references) <= {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}


@pytest.mark.parametrize("mode", list(GenerationMode))
@pytest.mark.parametrize("device", ["as generated", "oak"])
def test_schemathesis_finds_nothing(app, mode, device):
    schema = schemathesis.openapi.from_asgi("/openapi.json", app)
    seen = Counter()
    for result in schema.get_all_operations():
        operation = result.ok()
        if mode is GenerationMode.NEGATIVE and not operation.body:
            continue  # Nothing in a bare path can be generated wrong.

        @QUICK
        @given(case=operation.as_strategy(generation_mode=mode))
        def check(case):
            if device == "oak" and isinstance(case.body, dict):
                case.body = {**case.body, "device": device, "devices": None, "target": None, "targets": None}
            response = case.call()
            seen[response.status_code] += 1
            case.validate_response(response, checks=CHECKS)

        check()
    assert seen.total() >= 24
    if device == "oak" and mode is GenerationMode.POSITIVE:
        assert seen[200] >= 12
