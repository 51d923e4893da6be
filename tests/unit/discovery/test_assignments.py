"""Which group-versions each backend is asked for."""

from collections.abc import Callable
from dataclasses import replace

from controlplane.discovery.assignments import Assignments
from controlplane.model.apiservice import Condition, GroupVersion
from controlplane.model.credentials import Credentials, KeyPair, Secret
from controlplane.model.topology import Api, Backend, Endpoint, Topology, Touched

AnApi = Callable[..., Api]

_EVERYTHING = Touched(all=True)


def _topology(generation: int, *apis: Api, touched: Touched = _EVERYTHING, port: int = 443) -> Topology:
    backends = {
        api.backend: Backend(api.backend, "web.default.svc", (Endpoint("127.0.0.1", port),), dns=False)
        for api in apis
        if api.backend
    }
    return Topology(generation, {api.service.group_version: api for api in apis}, backends, touched=touched)


def test_a_new_registration_has_its_backend_asked(an_api: AnApi) -> None:
    """Group-versions of one backend are asked for together; Local ones are nobody's."""
    first, second = an_api("v1.a.io"), an_api("v2.a.io")
    assignments = Assignments()

    assert assignments.advance(_topology(1, first, second, an_api("v1.b.io", service=""))) == {first.backend}
    assert assignments.wanted(first.backend) == {GroupVersion("a.io", "v1"), GroupVersion("a.io", "v2")}


def test_what_was_not_touched_is_not_looked_at(an_api: AnApi) -> None:
    """One change among many costs one comparison: what else differs is not even seen."""
    first, second = an_api("v1.a.io", service="first"), an_api("v1.b.io", service="second")
    assignments = Assignments()
    before = _topology(1, first, second)
    assignments.advance(before)
    touched = Touched(apis=frozenset({first.service.group_version}))
    changed = {first.service.group_version: replace(first, condition=Condition()), second.service.group_version: None}

    assert assignments.advance(replace(before, generation=2, apis=changed, touched=touched)) == {first.backend}


def test_a_missed_generation_has_everything_compared(an_api: AnApi) -> None:
    """`touched` tells the difference from the generation before only."""
    first, second = an_api("v1.a.io", service="first"), an_api("v1.b.io", service="second")
    assignments = Assignments()
    assignments.advance(_topology(1, first))

    changed = assignments.advance(_topology(3, second, touched=Touched()))

    assert (changed, assignments.wanted(first.backend)) == ({first.backend, second.backend}, frozenset())


def test_an_api_that_moved_has_both_backends_looked_at(an_api: AnApi) -> None:
    """The old backend is asked for less, the new one for more."""
    before, after = an_api("v1.a.io", service="old"), an_api("v1.a.io", service="new")
    assignments = Assignments()
    assignments.advance(_topology(1, before))

    changed = assignments.advance(_topology(2, after, touched=Touched(apis=frozenset({after.service.group_version}))))

    assert changed == {before.backend, after.backend}
    assert (assignments.wanted(before.backend), assignments.wanted(after.backend)) == (
        frozenset(),
        {after.service.group_version},
    )


def test_a_backend_with_other_endpoints_is_asked_anew(an_api: AnApi) -> None:
    """New endpoints may say something else."""
    api = an_api("v1.a.io")
    assignments = Assignments()
    assignments.advance(_topology(1, api))

    assert assignments.advance(_topology(2, api, touched=Touched(backends=frozenset({api.backend})), port=8443)) == {
        api.backend
    }


def test_only_credentials_that_backends_see_have_them_asked_anew(an_api: AnApi) -> None:
    """A new serving certificate is no backend's business; a new front-proxy certificate is every one's."""
    api = an_api("v1.a.io")
    shown = KeyPair(b"certificate", Secret(b"key"))
    base = replace(_topology(1, api), touched=Touched(credentials=True))
    assignments = Assignments()
    credentials = Credentials(KeyPair(b"1", Secret(b"1")), front_proxy=shown)
    assignments.advance(replace(base, credentials=credentials, touched=_EVERYTHING))

    other_serving = Credentials(KeyPair(b"2", Secret(b"2")), front_proxy=shown)
    other_shown = replace(other_serving, front_proxy=KeyPair(b"renewed", Secret(b"key")))
    assert assignments.advance(replace(base, generation=2, credentials=other_serving)) == frozenset()
    assert assignments.advance(replace(base, generation=3, credentials=other_shown)) == {api.backend}
