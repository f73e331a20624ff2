"""Ax: the best network by a quality under the outcome constraint ``latency_ms <= 4``."""

from ax.api.client import Client
from ax.api.configs import ChoiceParameterConfig

from costmodel.nas import oracle
from costmodel.nas.ax import LatencyMetric
from costmodel.nas.cells import CHOICES

DEVICE = "xeon-emr-ort-fp32-b1"


def quality(choices):
    ops = [choices[name] for name in CHOICES]
    return ops.count("nor_conv_3x3") + 0.5 * ops.count("nor_conv_1x1")


def main(trials=8, url=None):
    latency = LatencyMetric(oracle(DEVICE, url))
    client = Client()
    client.configure_experiment(
        parameters=[
            ChoiceParameterConfig(name=name, values=list(choices), parameter_type="str", is_ordered=False)
            for name, choices in CHOICES.items()
        ]
    )
    client.configure_optimization(objective="quality", outcome_constraints=["latency_ms <= 4"])
    for _ in range(trials):
        for index, choices in client.get_next_trials(max_trials=1).items():
            outcome = {"quality": float(quality(choices)), "latency_ms": latency.outcome(choices)}
            client.complete_trial(trial_index=index, raw_data=outcome)
    print(client.summarize().to_string())
    return client


if __name__ == "__main__":
    main()
