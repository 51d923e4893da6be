"""The discovery documents: which groups, versions and resources are served.

In goes the resource table; out come the legacy documents, the aggregated one (v2), and version information.
The law: all of them are made from `RESOURCES`, so they always agree.
"""

from servicecatalog.resources import (
    CATEGORY,
    GROUP,
    GROUP_VERSION,
    OBJECT_VERBS,
    RESOURCES,
    STATUS_VERBS,
    VERSION,
    Resource,
)
from servicecatalog.schemas import JsonObject


def api_group() -> JsonObject:
    """The `APIGroup` of the one group served here."""
    version = {"groupVersion": GROUP_VERSION, "version": VERSION}
    return {"kind": "APIGroup", "apiVersion": "v1", "name": GROUP, "versions": [version], "preferredVersion": version}


def api_group_list() -> JsonObject:
    """The `APIGroupList` answered at /apis."""
    group = {key: value for key, value in api_group().items() if key not in ("kind", "apiVersion")}
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [group]}


def api_resource_list() -> JsonObject:
    """The `APIResourceList` of the one group-version served here."""
    listed: list[JsonObject] = []
    for resource in RESOURCES:
        entry = {"kind": resource.kind, "namespaced": resource.namespaced}
        names = {"shortNames": list(resource.short_names), "categories": [CATEGORY]}
        listed.append(
            {
                "name": resource.plural,
                "singularName": resource.singular,
                **entry,
                "verbs": list(OBJECT_VERBS),
                **names,
            }
        )
        status = {"name": f"{resource.plural}/status", "singularName": "", **entry, "verbs": list(STATUS_VERBS)}
        listed.append(status)
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": GROUP_VERSION, "resources": listed}


def api_group_discovery_list() -> JsonObject:
    """The aggregated document, `apidiscovery.k8s.io/v2` APIGroupDiscoveryList."""
    version = {"version": VERSION, "resources": [_discovered(one) for one in RESOURCES], "freshness": "Current"}
    group = {"metadata": {"name": GROUP, "creationTimestamp": None}, "versions": [version]}
    body = {"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}}
    return {**body, "items": [group]}


def version_info(python_version: str) -> JsonObject:
    """The `/version` document; the version is this program's, not that of any Kubernetes release."""
    built = {"gitCommit": "", "gitTreeState": "clean", "buildDate": "1970-01-01T00:00:00Z"}
    made_with = {"goVersion": "", "compiler": f"CPython {python_version}", "platform": "any"}
    return {"major": "0", "minor": "1", "gitVersion": "v0.1.0", **built, **made_with}


def _discovered(resource: Resource) -> JsonObject:
    kind = {"group": GROUP, "version": VERSION, "kind": resource.kind}
    status = {"subresource": "status", "responseKind": kind, "verbs": list(STATUS_VERBS)}
    return {
        "resource": resource.plural,
        "responseKind": kind,
        "scope": "Namespaced" if resource.namespaced else "Cluster",
        "singularResource": resource.singular,
        "verbs": list(OBJECT_VERBS),
        "shortNames": list(resource.short_names),
        "categories": [CATEGORY],
        "subresources": [status],
    }
