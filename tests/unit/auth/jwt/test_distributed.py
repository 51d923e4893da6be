from __future__ import annotations

from typing import Any

import pytest

from controlplane.auth.evidence import Failed
from controlplane.auth.jwt.distributed import Source, defect_of_sources, source_of
from controlplane.model.credentials import Secret

URL = "https://claims.example.org/groups"


def claims(**sources: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON
    """Claims whose groups are at the source "one"."""
    return {"sub": "jane", "_claim_names": {"groups": "one"}, "_claim_sources": sources}


def test_a_claim_is_where_its_source_says() -> None:
    """With the access token that is to be shown there, which no repr shows."""
    found = source_of(claims(one={"endpoint": URL, "access_token": "s3cr3t"}), "groups")

    assert found == Source(URL, Secret(b"s3cr3t"))
    assert "s3cr3t" not in repr(found)
    assert Source(URL) == source_of(claims(one={"endpoint": URL, "access_token": None}), "groups")


@pytest.mark.parametrize(
    "given",
    [
        {"sub": "jane"},
        {"sub": "jane", "groups": ["dev"], "_claim_names": {"groups": "one"}},
        {"sub": "jane", "groups": None, "_claim_names": {"groups": "one"}},
        {"sub": "jane", "_claim_names": {"address": "one"}, "_claim_sources": {"one": {"endpoint": URL}}},
        {"sub": "jane", "_claim_names": None, "_claim_sources": None},
        {"sub": "jane", "_claim_names": {}, "_claim_sources": {}},
        claims(one={"JWT": "aggregated"}),
        claims(one=None),
    ],
)
def test_a_claim_that_is_there_or_nowhere_has_no_source(given: dict[str, Any]) -> None:
    """A claim in the token itself counts, and an aggregated one is not read, as in kube-apiserver."""
    assert source_of(given, "groups") is None


@pytest.mark.parametrize("names", [None, {}, {"groups": "one"}])
def test_names_without_sources_are_refused(names: object) -> None:
    """Whatever they name."""
    assert isinstance(source_of({"_claim_names": names}, "groups"), Failed)


@pytest.mark.parametrize(
    "given",
    [
        {"_claim_names": "groups"},
        {"_claim_names": ["groups"]},
        {"_claim_names": {"groups": 1}},
        {"_claim_names": {"groups": ""}, "_claim_sources": {"": {"endpoint": URL}}},
        {"_claim_names": {"groups": None}, "_claim_sources": {"": {"endpoint": URL}}},
        {"_claim_names": {"address": "two"}, "_claim_sources": {"one": {"endpoint": URL}}},
        {"_claim_names": {"groups": "one"}},
        {"_claim_sources": []},
        {"_claim_sources": {"one": URL}},
        {"_claim_sources": {"one": {"endpoint": 1}}},
        {"_claim_sources": {"one": {"access_token": ["a"]}}},
    ],
)
def test_sources_that_are_not_so_made_refuse_the_token(given: dict[str, Any]) -> None:
    """Whichever claim they are for, as with the library that kube-apiserver verifies tokens by."""
    assert isinstance(defect_of_sources(given), Failed)


@pytest.mark.parametrize("given", [{}, {"_claim_names": None}, {"_claim_sources": None}, claims(one={})])
def test_sources_that_are_so_made_are_no_defect(given: dict[str, Any]) -> None:
    """Nor is it one that there are none."""
    assert defect_of_sources(given) is None
