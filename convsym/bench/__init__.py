"""Measuring speed side by side; `convsym bench` and `benchmarks/run.py` are its two doors.

    layers → peers → timing, roof → worker (one process for a set and a number of threads) → running → summary
    → tables, charts → command

Nothing of it is loaded by `import convsym`.
"""
