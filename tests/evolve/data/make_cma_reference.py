"""Writes cma_reference.json: constants of pycma, and generations replayed through it.

Run with pycma 4.5.0 installed: python make_cma_reference.py > cma_reference.json
Each replay holds the state before, the solutions best first, which of them count as injected, and
the state after.
"""

import json
import warnings

import cma
import numpy as np


# The tutorial's approximation of the expected length of a normal vector, which galapagos uses;
# pycma's own value is exact (relative difference below 1e-3).
cma.utilities.math.Mh.chiN = staticmethod(lambda n: n**0.5 * (1 - 1 / (4 * n) + 1 / (21 * n**2)))


def strategy(n, **options):
    options = {"verbose": -9, "seed": 12345 + n, **options}
    return cma.CMAEvolutionStrategy(np.linspace(-1, 2, n), 0.7, options)


def constants(n):
    es = strategy(n)
    rates = es.sm.parameters(mueff=es.sp.weights.mueff, lam=es.sp.weights.lambda_)
    return {
        "n": n,
        "population": es.popsize,
        "mu_eff": es.sp.weights.mueff,
        "c_sigma": es.adapt_sigma.compute_cs(n, es.sp.weights.mueff),
        "d_sigma": es.adapt_sigma.compute_damps(n, es.sp.weights.mueff, es.popsize, es.sp.lam_mirr),
        "c_c": es.sp.cc,
        "c_1": rates["c1"],
        "c_mu": rates["cmu"],
        "chi_n": float(cma.utilities.math.Mh.chiN(n)),
        "weights": list(es.sp.weights),
    }


def state(es):
    return {
        "mean": es.mean.tolist(),
        "sigma": float(es.sigma),
        "covariance": es.sm.C.tolist(),
        "path_sigma": es.adapt_sigma.ps.tolist() if es.adapt_sigma.is_initialized else [0.0] * es.N,
        "path_c": es.pc.tolist(),
        "axes": es.sm.B.tolist(),
        "lengths": es.sm.D.tolist(),
        "generation": int(es.countiter),
    }


def replay(n, generations, record, inject=False):
    es = strategy(n)

    def function(x):
        squares = sum(1e3 ** (i / (n - 1)) * v * v for i, v in enumerate(x))
        return squares + 0.3 * x[0] * x[-1]

    records = []
    for generation in range(generations):
        injected = inject and generation in record
        if injected:
            # A poor solution: as the worst of its generation it would have had a negative weight.
            es.inject([es.mean + 5.0])
        solutions = es.ask()
        values = [function(x) for x in solutions]
        order = np.argsort(values)
        before = state(es)  # after ask: pycma decomposes C when it samples
        es.tell(solutions, values)
        if generation in record:
            after = {k: v for k, v in state(es).items() if k not in ("axes", "lengths")}
            records.append({
                "before": before,
                "ranked": np.asarray(es.pop_sorted).tolist(),
                "injected": [bool(injected and i == 0) for i in order],
                "after": after,
            })
    return {"n": n, "population": es.popsize, "records": records}


def main():
    warnings.simplefilter("ignore")
    reference = {
        "pycma": cma.__version__,
        "constants": [constants(n) for n in (2, 10, 40)],
        "replays": [replay(2, 6, {0, 1, 5}), replay(5, 12, {0, 3, 11}), replay(10, 30, {0, 29})],
        "injections": [replay(5, 12, {3, 7, 11}, inject=True)],
    }
    print(json.dumps(reference))


if __name__ == "__main__":
    main()
