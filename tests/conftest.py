"""Programs that tests start import the convsym that is tested, not the source tree that they happen to stand in."""

import os
from pathlib import Path

import convsym

_PLACE = str(Path(convsym.__file__).parents[1])
os.environ["PYTHONSAFEPATH"] = "1"
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (_PLACE, os.environ.get("PYTHONPATH"))))
