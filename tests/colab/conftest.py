"""The stub is a foreign package that only the imitated kernels import: pytest must not."""

collect_ignore = ["stub", "run_notebook.py"]
