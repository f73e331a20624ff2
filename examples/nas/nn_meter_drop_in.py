"""In nn-Meter's place: the same two calls, an ONNX file in, milliseconds out."""

from pathlib import Path

from costmodel.nas.nn_meter import load_latency_predictor

MODEL = Path(__file__).parents[1] / "resnet.onnx"


def main(url=None):
    predictor = load_latency_predictor("xeon-emr-ort-fp32-b1", url=url)
    latency_ms = predictor.predict(str(MODEL), model_type="onnx")
    print(f"{latency_ms:.3f} ms")
    return latency_ms


if __name__ == "__main__":
    main()
