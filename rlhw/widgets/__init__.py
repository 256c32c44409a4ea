"""Widgets that run in Jupyter, in Colab and on a static page: JavaScript computes, Python only hands over values.

One file a widget: `softmax_policy` (chapter 1), `baseline_estimates` (2), `token_by_token` (3), `bradley_terry` (4),
`reward_calibration` (5), `clipped_surrogate`, `gae_weights` and `tilted_policy` (6), `dpo_loss` (7), `bandit_race` (B1),
`gridworld` (B2), `walk` (B3), `importance_weights` (B4). A widget's `TWIN` names, for each formula written in JavaScript,
the function that the tests hold it against; what a widget shows of trained models is computed beforehand and stands in
the JSON file of its name. Import a widget from its own file:

    from rlhw.widgets.softmax_policy import SoftmaxPolicy
"""
