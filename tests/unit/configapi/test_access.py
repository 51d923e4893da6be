from __future__ import annotations

import pytest

from controlplane.auth.requestinfo import request_info
from controlplane.configapi.access import Caller, collection, item
from controlplane.model.identity import RequestInfo
from controlplane.resources.kinds import KINDS, Kind


@pytest.mark.parametrize("kind", KINDS.values(), ids=list(KINDS))
@pytest.mark.parametrize("name", ["a", "system:node", "a b", "ä?&=#"])
def test_targets_mean_what_they_were_made_of(kind: Kind, name: str) -> None:
    """RequestInfo reads group, resource, namespace and name out of them again."""
    namespace = "n" if kind.namespaced else ""
    read = request_info("GET", item(kind, namespace, name))

    assert isinstance(read, RequestInfo)
    assert (kind.group, kind.version, namespace, kind.plural, name, "get") == (
        read.api_group,
        read.api_version,
        read.namespace,
        read.resource,
        read.name,
        read.verb,
    )


def test_a_query_is_that_of_a_list_or_watch() -> None:
    """Selectors narrow what is asked for; what is empty is left out."""
    target = collection(KINDS["Role"], "", watch="1", labelSelector="a in (b,c)", fieldSelector="")
    read = request_info("GET", target)

    assert "/apis/rbac.authorization.k8s.io/v1/roles?watch=1&labelSelector=a%20in%20%28b%2Cc%29" == target
    assert isinstance(read, RequestInfo)
    assert ("watch", "a in (b,c)", "") == (read.verb, read.label_selector, read.field_selector)


def test_a_caller_shows_no_metadata() -> None:
    """There are tokens in it."""
    assert "t0ken" not in repr(Caller("unix:", metadata=(("authorization", "Bearer t0ken"),)))
