"""Programs that tests start import the convsym that is tested, and no test leaves its number of threads to the next."""

import os
from pathlib import Path

import pytest

import convsym

_PLACE = str(Path(convsym.__file__).parents[1])
os.environ["PYTHONSAFEPATH"] = "1"
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (_PLACE, os.environ.get("PYTHONPATH"))))


@pytest.fixture(autouse=True)
def threads():
    """Sets the number of threads for one test."""
    yield convsym.set_num_threads
    convsym.set_num_threads(None)
