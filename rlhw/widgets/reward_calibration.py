"""Do a reward model's probabilities mean what they say? Reliability on held-out votes of the small forum (chapter 5)."""

from typing import ClassVar

import traitlets

from rlhw.widgets.base import Widget, choice, javascript, slider, stored

DATA = stored("reward_calibration")


class RewardCalibration(Widget):
    """Predicted probability against observed share of votes, in `bins` equal bins of [1/2, 1], with the calibration error.

    `reward_model` is "overfit" (few votes learned by heart), "many", or "annotator" (the votes' own law: what is left is luck).
    `temperature` divides the score differences. The mean loss stands beside ln 2. The differences and votes of 400 held-out
    pairs are computed beforehand (benchmarks/reward_calibration.py, card reward_calibration).
    """

    TWIN: ClassVar[dict[str, str]] = {
        "calibration": "rlhw.calibration:calibration",
        "pairAccuracy": "rlhw.calibration:pair_accuracy",
        "meanLoss": "rlhw.reward_model:pairwise_loss",
        "bradleyTerryLoss": "rlhw.reward_model:bradley_terry_loss",
        "sigmoid": "scipy.special:expit",
        "mean": "numpy:mean",
        "cumulativeSum": "numpy:cumsum",
        "dot": "numpy:dot",
    }
    CARD: ClassVar[str] = "reward_calibration"
    _esm = javascript("sums", "logistic", "reward_calibration")

    reward_model = choice("overfit", ("overfit", "many", "annotator"), "model")
    bins = slider(10, 2, 20, 1, "bins")
    temperature = slider(1.0, 0.25, 60, 0.25, "divide the margins by")
    data = traitlets.Dict(DATA, read_only=True).tag(sync=True)
