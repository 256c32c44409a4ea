"""A stand-in for Colab's own package: the few names that rlhw and anywidget use."""
