"""syne-tune: the latency of NAS-Bench-201 cells as a blackbox, here with a random search over it."""

from costmodel.nas import oracle
from costmodel.nas.syne_tune import LATENCY, QUALITY, LatencyBlackbox

DEVICE = "xeon-emr-ort-fp32-b1"


def main(trials=20, url=None):
    blackbox = LatencyBlackbox(oracle(DEVICE, url), quality=lambda raw: float(raw["nasbench201"].count("conv")))
    found = []
    for _ in range(trials):
        configuration = {name: domain.sample() for name, domain in blackbox.configuration_space.items()}
        found.append(blackbox(configuration))
    for answer in sorted(found, key=lambda answer: answer[LATENCY]):
        print(f"quality {answer[QUALITY]:.0f}  latency {answer[LATENCY]:.3f} ms")
    return found


if __name__ == "__main__":
    main()
