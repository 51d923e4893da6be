"""The quarantine of rejected contents."""

from controlplane.model.resource import CLUSTER, ENDPOINTS
from controlplane.snapshot.snapshot import Resource
from controlplane.xds.quarantine import Quarantine


def content(body: str, type_url: str = CLUSTER) -> Resource:
    """One content of the resource "a"."""
    return Resource.of(type_url, "a", body.encode())


def test_only_the_rejected_content_is_quarantined() -> None:
    """Other content of the name, and the same content under another type, are not."""
    quarantine = Quarantine()
    quarantine.reject(content("bad"), "reason", None)

    assert "reason" == quarantine.find(content("bad")).reason
    assert (None, None) == (quarantine.find(content("good")), quarantine.find(content("bad", ENDPOINTS)))


def test_last_good_content_is_served_instead() -> None:
    """Who asks for rejected content gets what was held before, or nothing."""
    quarantine = Quarantine()
    good = content("good")
    quarantine.reject(content("bad"), "reason", good)
    quarantine.reject(content("never good"), "reason", None)

    assert (good, None) == (quarantine.servable(content("bad")), quarantine.servable(content("never good")))


def test_rejected_last_good_is_not_served() -> None:
    """What was good for one Envoy and is rejected by another is not handed on."""
    quarantine = Quarantine()
    good = content("good")
    quarantine.reject(content("bad"), "reason", good)
    quarantine.reject(good, "reason", None)

    assert quarantine.servable(content("bad")) is None


def test_content_is_no_last_good_of_itself() -> None:
    """A client that rejects what it was known to hold leaves nothing to fall back to."""
    quarantine = Quarantine()
    quarantine.reject(content("bad"), "reason", content("bad"))

    assert quarantine.servable(content("bad")) is None


def test_newer_good_content_replaces_the_last_good() -> None:
    """When bad content comes back, what clients held by then is what others get."""
    quarantine = Quarantine()
    better = content("better")
    quarantine.reject(content("bad"), "reason", content("good"))

    assert (better, better) == (quarantine.servable(content("bad"), better), quarantine.servable(content("bad")))


def test_first_reason_is_kept() -> None:
    """The same content rejected by a second Envoy changes nothing."""
    quarantine = Quarantine()
    quarantine.reject(content("bad"), "first", content("good"))
    quarantine.reject(content("bad"), "second", None)

    assert ["first"] == [rejection.reason for rejection in quarantine]


def test_oldest_is_forgotten_past_the_limit() -> None:
    """Memory is bounded whatever is registered."""
    quarantine = Quarantine(limit=2)
    for body in ("1", "2", "3"):
        quarantine.reject(content(body), body, None)

    assert ["2", "3"] == [rejection.reason for rejection in quarantine]
