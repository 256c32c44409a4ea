"""Colab's kernel has imported google.colab before the first cell runs; packages look for it in sys.modules."""

import google.colab.output  # noqa: F401
