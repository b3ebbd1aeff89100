"""The generated pages under ``docs/``: text made from the objects of the package, compared with what is committed."""

from __future__ import annotations

from pathlib import Path

from convsym.documents.automatic import autograd_page
from convsym.documents.claims import needs_prover
from convsym.documents.drawings import figure_files
from convsym.documents.operators import op_pages
from convsym.documents.performance import performance_pages
from convsym.documents.seeds import seed_pages

__all__ = ["pages", "stale", "write"]

FOLDERS = ("ops", "seeds")  # wholly generated


def pages() -> dict[str, str]:
    """Make every page and figure.

    Returns
    -------
    dict
        Text by path below the directory of documents; the same bytes on every machine.

    Raises
    ------
    ProofError
        The prover is not installed: pages state verdicts.
    """
    needs_prover()
    return seed_pages() | op_pages() | autograd_page() | figure_files()


def write(directory: str | Path) -> list[str]:
    """Write the pages that are stale, and remove what no page is any more.

    Beside `pages()` this is the page on speed, made from the newest measurement in ``../benchmarks/results``.

    Parameters
    ----------
    directory : str or Path
        The directory of documents, such as ``docs``.

    Returns
    -------
    list of str
        The paths that were written or removed, below the directory.
    """
    made = pages() | performance_pages(Path(directory))
    changed = _differing(Path(directory), made)
    for path in changed:
        target = Path(directory, path)
        if path in made:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(made[path], encoding="utf-8", newline="\n")
        else:
            target.unlink()
    return changed


def stale(directory: str | Path) -> list[str]:
    """Name the pages that are missing, differ from what would be written now, or should not be there.

    Parameters
    ----------
    directory : str or Path

    Returns
    -------
    list of str
        Paths below the directory, sorted; empty if everything is fresh.
    """
    return _differing(Path(directory), pages() | performance_pages(Path(directory)))


def _differing(directory: Path, made: dict[str, str]) -> list[str]:
    there = {path.relative_to(directory).as_posix()
             for folder in FOLDERS for path in directory.glob(f"{folder}/**/*") if path.is_file()}  # fmt: skip
    differing = {path for path, text in made.items()
                 if not (directory / path).is_file() or (directory / path).read_bytes() != text.encode()}  # fmt: skip
    return sorted(differing | (there - made.keys()))
