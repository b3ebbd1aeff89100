"""Names of the registry for tests that look at every op; those of more than two spatial axes take long."""

import pytest

from convsym import registry


def names(ops=registry):
    """Parameters for `pytest.mark.parametrize`."""
    return [pytest.param(n, marks=pytest.mark.slow) if (registry[n].rank or 0) > 2 else n for n in ops]
