"""convsym among the libraries that threadpoolctl lists and limits.

The OpenMP runtime that the kernels use is known to threadpoolctl, and its limits are kept (`convsym.kernels.threads`).
Registered, convsym has a line of its own in `threadpool_info`, and can be limited alone.
"""

from functools import cache

from convsym._version import __version__
from convsym.kernels import threads
from convsym.kernels.levels import load


@cache
def register_threadpoolctl() -> None:
    """Let threadpoolctl list convsym, and limit its threads by name: ``threadpool_limits({"convsym": 2})``.

    Without this, limits for all libraries or for OpenMP hold too, once a call has loaded the OpenMP runtime:
    threadpoolctl limits what is loaded, and this loads it. A limit lowers the number of threads of calls in the context
    (`contextvars`) that sets it, and never raises it.

    Raises
    ------
    ImportError
        threadpoolctl is not installed.
    KernelError
        Nothing is compiled.

    Examples
    --------
    >>> import convsym
    >>> from threadpoolctl import threadpool_info  # doctest: +SKIP
    >>> convsym.register_threadpoolctl()  # doctest: +SKIP
    >>> [library["user_api"] for library in threadpool_info()]  # doctest: +SKIP
    ['openblas', 'openmp', 'convsym']
    """
    from threadpoolctl import LibController, register

    load("plain")  # only libraries that are loaded are listed

    class Controller(LibController):  # type: ignore[misc]
        """What threadpoolctl asks of a library."""

        user_api = internal_api = "convsym"
        filename_prefixes = ("plain.",)
        check_symbols = ("convsym_openmp_threads",)

        def get_num_threads(self) -> int:
            return threads.get_num_threads()

        def set_num_threads(self, num_threads: int) -> None:
            threads.limit(num_threads)

        def get_version(self) -> str:
            return __version__

    register(Controller)
