"""Rules and proofs as JSON-able dicts, with a schema number."""

SCHEMA = 1


def rule_record(rule):
    """A derived rule as plain data."""
    return {
        "schema": SCHEMA,
        "kind": "rule",
        "formula": str(rule.parent),
        "wrt": rule.wrt,
        "gather": str(rule.gather),
        "scatter": str(rule.scatter),
        "indices": list(rule.indices),
        "parameters": list(rule.parameters),
        "steps": [{"lemma": s.lemma, "text": s.text, "latex": s.latex} for s in rule.steps],
    }


def proof_record(proof):
    """A proof as plain data."""
    found = proof.counterexample
    return {
        "schema": SCHEMA,
        "kind": "proof",
        "statement": proof.statement,
        "status": proof.status,
        "reason": proof.reason,
        "seconds": round(proof.seconds, 4),
        "geometries": proof.geometries,
        "obligations": [{"name": o.name, "status": o.status, "seconds": round(o.seconds, 4)}
                        for o in proof.obligations],
        "counterexample": found and {
            "sizes": {name: list(shape) for name, shape in found.sizes.items()},
            "params": dict(found.params),
            "index": list(found.index),
            "expected": _plain(found.expected),
            "claimed": _plain(found.claimed),
            "fill": found.fill,
        },
    }  # fmt: skip


def _plain(value):
    return value if isinstance(value, int) else str(value)
