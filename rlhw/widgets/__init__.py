"""Widgets that run in Jupyter, in Colab and on a static page: JavaScript computes, Python only hands over values.

One file a widget: `softmax_policy` (chapter 1), `baseline_estimates` (chapter 2). A widget's `TWIN` names, for each
formula written in JavaScript, the function that the tests hold it against. Import a widget from its own file:

    from rlhw.widgets.softmax_policy import SoftmaxPolicy
"""
