"""NSGA-II in Optuna over NAS-Bench-201: size of the network against predicted latency, under a latency limit."""

import optuna

from costmodel.nas import oracle
from costmodel.nas.optuna import LatencyObjective

DEVICE = "xeon-emr-ort-fp32-b1"  # or one that you added: costmodel devices add ...


def quality(raw):
    """A stand-in for accuracy; put your own here (a trained network, a table, a zero-cost score)."""
    return raw["nasbench201"].count("conv_3x3") + 0.5 * raw["nasbench201"].count("conv_1x1")


def main(trials=200, url=None):
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        directions=["maximize", "minimize"], sampler=optuna.samplers.NSGAIISampler(population_size=20, seed=0)
    )
    study.optimize(LatencyObjective(oracle(DEVICE, url), quality, limit_ms=4.0), n_trials=trials)
    for trial in sorted(study.best_trials, key=lambda t: t.values[1]):
        print(f"quality {trial.values[0]:4.1f}  latency {trial.values[1]:6.3f} ms")
    return study


if __name__ == "__main__":
    main()
