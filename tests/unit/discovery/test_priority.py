"""The order of groups and versions."""

import itertools

import pytest

from controlplane.discovery.priority import by_version, core_group_priority, interleaved, standing


def test_versions_sort_as_kubernetes_documents() -> None:
    """GA before beta before alpha, then major, then minor, then everything of another form by alphabet."""
    documented = ["v10", "v2", "v1", "v11beta2", "v10beta3", "v3beta1", "v12alpha1", "v11alpha2", "foo1", "foo10"]

    assert documented == sorted(sorted(documented), key=by_version)


@pytest.mark.parametrize("version", ["v1gamma1", "v1beta", "1", "v", "v1beta1x", "V1", "v1\n", "v" + "9" * 5000])
def test_a_version_of_another_form_stands_after_every_kubernetes_version(version: str) -> None:
    """What Kubernetes' parser does not take sorts last."""
    assert by_version("v1alpha1") < by_version(version)


def test_a_group_that_no_table_names_has_the_priority_of_a_custom_resource() -> None:
    """Unknown groups are most likely CustomResourceDefinitions."""
    assert (core_group_priority("example.com"), core_group_priority("apps")) == (1000, 17800)


def test_a_given_order_lifts_what_stands_before_something_higher() -> None:
    """Guessed priorities never contradict the order that was given."""
    assert standing([(-1, "a"), (-9, "b"), (-2, "c")]) == [(-9, "b"), (-9, "b"), (-2, "c")]


def test_what_is_listed_keeps_its_order_wherever_the_rest_is_placed() -> None:
    """Registrations move nothing that the core has put in order."""
    listed = [((-5, "x"), "first"), ((-9, "y"), "second"), ((-1, "z"), "third")]
    placed = [((-7, "p"), "seven"), ((-20, "q"), "twenty"), ((0, "r"), "none")]

    for arrangement in itertools.permutations(placed):
        assert interleaved(arrangement, listed) == ["twenty", "first", "second", "seven", "third", "none"]
