"""The CPU features that decide which level of kernels this machine can run. Built with baseline flags only."""

# Compilers like gcc answer for most features themselves, and ask the system whether it saves the wide registers;
# f16c, lzcnt and movbe are read from cpuid because not every version knows their names.
cdef extern from *:
    """
    #if defined(_MSC_VER) && defined(_M_X64)
    #include <immintrin.h>
    #include <intrin.h>
    static int convsym_bit(int leaf, int reg, int bit) {
        int r[4];
        __cpuid(r, leaf & 0x80000000);
        if ((unsigned)r[0] < (unsigned)leaf) return 0;
        __cpuidex(r, leaf, 0);
        return (r[reg] >> bit) & 1;
    }
    static int convsym_saved(unsigned long long mask) {
        return convsym_bit(1, 2, 27) && (_xgetbv(0) & mask) == mask;
    }
    #define AVX(leaf, reg, bit) (convsym_saved(0x06) && convsym_bit(leaf, reg, bit))
    #define AVX512(bit) (convsym_saved(0xe6) && convsym_bit(7, 1, bit))
    static unsigned convsym_features(void) {
        return (unsigned)(AVX(7, 1, 5) | AVX(1, 2, 12) << 1 | convsym_bit(7, 1, 3) << 2 | convsym_bit(7, 1, 8) << 3
            | AVX(1, 2, 29) << 4 | convsym_bit((int)0x80000001, 2, 5) << 5 | convsym_bit(1, 2, 22) << 6
            | AVX512(16) << 7 | AVX512(30) << 8 | AVX512(28) << 9 | AVX512(17) << 10 | AVX512(31) << 11);
    }
    #elif defined(__x86_64__)
    #include <cpuid.h>
    static unsigned convsym_bit(unsigned leaf, unsigned bit) {
        unsigned a, b, c = 0, d;
        return __get_cpuid(leaf, &a, &b, &c, &d) ? (c >> bit) & 1u : 0u;
    }
    #define HAS(name, place) ((__builtin_cpu_supports(name) ? 1u : 0u) << place)
    static unsigned convsym_features(void) {
        __builtin_cpu_init();
        return HAS("avx2", 0) | HAS("fma", 1) | HAS("bmi", 2) | HAS("bmi2", 3)
            | convsym_bit(1, 29) << 4 | convsym_bit(0x80000001u, 5) << 5 | convsym_bit(1, 22) << 6
            | HAS("avx512f", 7) | HAS("avx512bw", 8) | HAS("avx512cd", 9) | HAS("avx512dq", 10) | HAS("avx512vl", 11);
    }
    #else
    static unsigned convsym_features(void) { return 0; }
    #endif
    """
    unsigned int convsym_features() noexcept nogil

_NAMES = ("avx2", "fma", "bmi", "bmi2", "f16c", "lzcnt", "movbe",
          "avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl")


def features():
    """Names of the features among those the levels v3 and v4 need that this CPU and its system have."""
    cdef unsigned int found = convsym_features()
    return frozenset([name for place, name in enumerate(_NAMES) if found >> place & 1])
