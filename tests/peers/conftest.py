"""Cases of other projects, read from their installed wheels when the tests run; none of their code is kept here.

They are no part of the ordinary run, and each file skips with a reason where its peer is not installed:

    pip install ".[peers]" && pytest tests/peers
"""
