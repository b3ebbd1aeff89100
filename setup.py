"""Build the kernels: a table of CPU levels and a loop.

One body (`convsym/kernels/_generated/kernels.pxi`) is compiled once for each level; the kernels of every dtype
(`plain.pxi` there) are compiled once in all. What was built, and why a level is missing, is written to
`convsym/kernels/_build.json` in the built package. Nothing of convsym is imported here.
"""

import json
import os
import subprocess
import sysconfig
import tempfile
from pathlib import Path

from Cython import __version__ as cython_version
from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.errors import CompileError, LinkError

PACKAGE = "convsym.kernels"
RECORD = "convsym/kernels/_build.json"
ON_X86_64 = sysconfig.get_platform().endswith(("x86_64", "amd64"))

# The CPU levels, slowest first: the flag that selects the level for compilers like gcc, and for MSVC.
LEVELS = {
    "baseline": ([], []),
    "v3": (["-march=x86-64-v3"], ["/arch:AVX2"]),
    "v4": (["-march=x86-64-v4"], ["/arch:AVX512"]),
}
PLAIN = "plain"  # kernels of every dtype, compiled once, with the flags of the first level
# Never -ffast-math, at no stage: linked in, it turns off denormals in the whole process. -g0, because
# Python's own flags carry -g and debug information would be four fifths of the wheel.
OPTIMIZE = (["-O3", "-g0", "-fno-math-errno", "-fno-trapping-math"], ["/O2"])
OPENMP = (["-fopenmp"], ["/openmp"])
DIRECTIVES = {
    "language_level": 3,
    "boundscheck": False,
    "wraparound": False,
    "initializedcheck": False,
    "cdivision": True,  # truncates: kernels divide only through _index.pxd
    "embedsignature": True,
    "autotestdict": False,
    "binding": True,
    "freethreading_compatible": True,
}
PROBE = "int main(void) { return 0; }\n"
OPENMP_PROBE = "#include <omp.h>\nint main(void) { return omp_get_max_threads() < 1; }\n"
# The limited API of 3.11 is the first one with memoryviews; free-threaded builds have none.
ABI3 = not sysconfig.get_config_var("Py_GIL_DISABLED")


def extension(name, sources, flags=(), link_flags=()):
    macros = [("Py_LIMITED_API", "0x030B0000")] if ABI3 else []
    depends = sorted(
        str(p) for pattern in ("*.pxd", "*.pxi", "_generated/*.pxi") for p in Path("convsym/kernels").glob(pattern)
    )
    return Extension(
        f"{PACKAGE}.{name}",
        sources,
        define_macros=macros,
        py_limited_api=ABI3,
        depends=depends,
        extra_compile_args=list(flags),
        extra_link_args=list(link_flags),
    )


def extensions():
    """The extensions of every level, before the compiler has been asked what it can do."""
    names = ["_cpu", "_door", PLAIN, *(LEVELS if ON_X86_64 else ["baseline"])]
    return [
        extension("_cyutility", ["convsym/kernels/_cyutility.c"]),
        *(extension(name, [f"convsym/kernels/{name}.pyx"]) for name in names),
    ]


class BuildKernels(build_ext):
    """Ask the compiler which flags it takes, leave out the levels it cannot build, record what was built."""

    def build_extensions(self):
        self.parallel = self.parallel or os.cpu_count()
        record, flags_of = self.probe()
        self.extensions = [e for e in self.extensions if e.name.rpartition(".")[2] not in record["missing"]]
        for e in self.extensions:
            name = e.name.rpartition(".")[2]
            level = "baseline" if name == PLAIN else name
            e.extra_compile_args, e.extra_link_args = flags_of.get(level, (record["flags"], []))
        # The C files go to the build directory, and memoryview code that all levels share into one module.
        translated = cythonize(
            self.extensions,
            build_dir=self.build_temp,
            nthreads=self.parallel,
            force=self.force,
            compiler_directives=DIRECTIVES,
            shared_utility_qualified_name=f"{PACKAGE}._cyutility",
        )
        c_files = {e.name: e.sources for e in translated}
        for e in self.extensions:
            e.sources = c_files[e.name]
        super().build_extensions()
        target = Path(self.build_lib, RECORD)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")

    def probe(self):
        """What is to be recorded, and for each level that can be built its compile and link flags."""
        msvc = self.compiler.compiler_type == "msvc"
        common, openmp = OPTIMIZE[msvc], []
        if os.environ.get("CONVSYM_OPENMP") != "0" and self.accepts(OPENMP_PROBE, OPENMP[msvc]):
            openmp = OPENMP[msvc]
        built, missing = {}, {}
        for level, flags in LEVELS.items():
            if not ON_X86_64 and level != "baseline":
                missing[level] = f"not a level of this platform ({sysconfig.get_platform()})"
            elif not self.accepts(PROBE, flags[msvc]):
                missing[level] = f"the compiler does not accept {' '.join(flags[msvc])}"
            else:
                built[level] = ([*common, *flags[msvc], *openmp], [] if msvc else openmp)
        record = {
            "levels": {level: compile_flags for level, (compile_flags, _) in built.items()},
            "missing": missing,
            "compiler": self.compiler_version(),
            "cython": cython_version,
            "openmp": bool(openmp),
            "flags": common,
            "abi3": ABI3,
        }
        return record, built

    def accepts(self, program, flags):
        """Whether a program compiles and links with these flags."""
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder, "probe.c")
            source.write_text(program, encoding="ascii")
            try:
                objects = self.compiler.compile([str(source)], output_dir=folder, extra_postargs=list(flags))
                self.compiler.link_executable(objects, "probe", output_dir=folder, extra_postargs=list(flags))
            except (CompileError, LinkError):
                return False
        return True

    def compiler_version(self):
        command = getattr(self.compiler, "compiler_so", None)
        if not command:
            return self.compiler.compiler_type
        answer = subprocess.run([command[0], "--version"], capture_output=True, text=True, check=False)
        return answer.stdout.partition("\n")[0] or command[0]

    def copy_extensions_to_source(self):
        super().copy_extensions_to_source()
        self.copy_file(os.path.join(self.build_lib, RECORD), RECORD)

    def get_outputs(self):
        return [*super().get_outputs(), os.path.join(self.build_lib, RECORD)]

    def get_output_mapping(self):
        in_place = {os.path.join(self.build_lib, RECORD): RECORD} if self.inplace else {}
        return {**super().get_output_mapping(), **in_place}


if __name__ == "__main__":  # Cython's worker processes may import this file
    setup(
        ext_modules=extensions(),
        cmdclass={"build_ext": BuildKernels},
        options={"bdist_wheel": {"py_limited_api": "cp311"}} if ABI3 else {},
    )
