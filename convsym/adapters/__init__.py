"""The ops inside of other frameworks: differentiable to any order there, by the gathers of `convsym.multilinear`.

Each module needs its framework and is imported by its own name, never by `import convsym`:

    convsym.adapters.torch      pip install "convsym[torch]"
    convsym.adapters.jax        pip install "convsym[jax]"
    convsym.adapters.autograd   pip install "convsym[autograd]"

Each offers the same names, made in `convsym.adapters.functions`.
"""
