"""What all tests share: the option that rewrites golden files, and that no property is a matter of time."""

import gc
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings
from trials import trials


def pytest_configure() -> None:
    """Properties hold on a busy machine too."""
    settings.register_profile(
        "isthmus", max_examples=trials(100), deadline=None, suppress_health_check=[HealthCheck.too_slow]
    )
    settings.load_profile("isthmus")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """What is collected lasts as long as the run, so that looking for garbage in it is a waste of time."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.freeze()


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--update-golden` rewrites the golden outputs and deletes those no input makes any more."""
    parser.addoption("--update-golden", action="store_true", help="rewrite golden files instead of comparing with them")


@pytest.fixture
def update_golden(request: pytest.FixtureRequest) -> bool:
    """Whether golden files are to be rewritten."""
    return bool(request.config.getoption("--update-golden"))
