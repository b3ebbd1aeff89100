"""Calls that take room: memory beside their arrays, for all threads or for each, where they lay what they read anew."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from convsym import kernels, scratch
from convsym.gate import Array
from convsym.kernels.tables import Course, Driver, Step


def follow(course: Course, operands: Mapping[str, Array], out: Array) -> None:
    """Do the steps of a call, in the threads that there are now."""
    threads, char = kernels.get_num_threads(), out.dtype.char
    arrays = {"out": out.reshape(-1), **{name: array.reshape(-1) for name, array in operands.items()}}
    if course.cleared:
        arrays["out"][...] = 0
    with scratch.borrowed((course.room + threads * course.each,), out.dtype) as (arrays["room"],):
        arrays["room"][course.room - course.zeros : course.room] = 0
        for step in course.steps:
            parts = [arrays[name][first:] for name, first in step.arrays]
            kernels.drive(step.driver, parts, step.samples, step.work, char, threads)


def following(course: Callable[[], Course]) -> Callable[[Mapping[str, Array], Array], None]:
    """What does the steps of a call, which are asked for each time: they depend on the threads that there are."""

    def run(operands: Mapping[str, Array], out: Array) -> None:
        follow(course(), operands, out)

    return run


@dataclass(frozen=True)
class Roomed:
    """A rule as jobs that take a room.

    Attributes
    ----------
    driver : Driver
    samples : int
        How often its jobs are there.
    room : int
        Elements that a thread takes.
    work : int
        Multiply-adds of all jobs.
    cleared : bool
        Whether jobs leave out some of the result, which is zero.
    """

    driver: Driver
    samples: int
    room: int
    work: int
    cleared: bool = False

    @property
    def elements(self) -> int:
        """Elements of the rooms of all threads."""
        return self.room * kernels.get_num_threads()

    def run(self, out: Array, operands: Sequence[Array]) -> None:
        """Do all jobs, in the threads that there are now."""
        threads = kernels.get_num_threads()
        if self.cleared:
            out[...] = 0
        with scratch.borrowed((threads * self.room,), out.dtype) as (kept,):
            arrays = [out.reshape(-1), kept, *[operand.reshape(-1) for operand in operands]]
            kernels.drive(self.driver, arrays, self.samples, self.work, out.dtype.char, threads)

    def bound(self, names: tuple[str, str]) -> Callable[[Mapping[str, Array], Array], None]:
        """What writes the rule into an array, from operands by name."""
        first, second = names

        def run(operands: Mapping[str, Array], out: Array) -> None:
            self.run(out, (operands[first], operands[second]))

        return run

    def course(self, names: tuple[str, str]) -> Course:
        """The same as a step of a call."""
        arrays = (("out", 0), ("room", 0), *((name, 0) for name in names))
        step = Step(self.driver, self.samples, self.work, arrays)
        return Course((step,), each=self.room, cleared=self.cleared)
