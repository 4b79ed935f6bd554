"""One embedded cluster and one editable checkout for all end-to-end tests, in the order in which they stand."""

import shutil
from collections.abc import Iterator

import pytest

from local import cluster
from local.places import state_dir
from local.problem import Problem
from tests.e2e.checkout import Checkout, Result
from tests.e2e.cluster_view import ClusterView


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "/e2e/" in item.path.as_posix():
            item.add_marker(pytest.mark.e2e)
            if item.get_closest_marker("timeout") is None:
                item.add_marker(pytest.mark.timeout(900))


def clear() -> None:
    """Stop the embedded cluster and forget the stack that was on it."""
    cluster.down()
    shutil.rmtree(state_dir() / "pulumi", ignore_errors=True)


@pytest.fixture(scope="session")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    try:
        cluster.check_machine()
    except Problem as problem:
        pytest.skip(str(problem))
    clear()
    yield Checkout(tmp_path_factory.mktemp("checkout") / "muster")
    clear()


@pytest.fixture(scope="session")
def first_up(checkout: Checkout) -> Result:
    """What `make up` did on a machine where nothing ran."""
    return checkout.local("up")


@pytest.fixture
def view(checkout: Checkout) -> ClusterView:
    return ClusterView(checkout)


@pytest.fixture(scope="module")
def alone() -> Iterator[None]:
    """The embedded cluster belongs to these tests while they run, and dates are judged as of the stacks' own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MUSTER_NOW", "2026-11-23T00:00:00Z")
        clear()
        yield
        clear()
