"""NASLib's fit/query: ten measured cells of a device in, the latency of others out."""

import numpy as np

from costmodel.nas.naslib import LatencyPredictor

MEASURED_MS = {
    "|nor_conv_3x3~0|+|nor_conv_3x3~0|skip_connect~1|+|nor_conv_1x1~0|none~1|nor_conv_3x3~2|": 11.2,
    "|nor_conv_1x1~0|+|skip_connect~0|nor_conv_1x1~1|+|avg_pool_3x3~0|none~1|skip_connect~2|": 5.1,
    "|skip_connect~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|none~2|": 7.4,
    "|avg_pool_3x3~0|+|nor_conv_3x3~0|none~1|+|none~0|nor_conv_1x1~1|nor_conv_1x1~2|": 8.3,
}


def main():
    predictor = LatencyPredictor()
    print(predictor.fit(list(MEASURED_MS), list(MEASURED_MS.values())))
    asked = ["|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_3x3~2|"]
    latency_ms = predictor.query(asked)
    print(np.round(latency_ms, 2))
    return latency_ms


if __name__ == "__main__":
    main()
