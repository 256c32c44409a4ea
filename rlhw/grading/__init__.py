"""The grader: its own trust boundary. Nothing that a student wrote runs in a process that judges.

A submission is read as data (`submission`), its answer cells are put into a pristine notebook (`rebuild`), and nbval runs
that notebook in a kernel of ours (`run`, `trusted`). There each check calls the student's function in a sandboxed process
(`remote`, `worker`, `sandbox`) and judges the replies. `batch` does so for a folder; `report` writes what comes of it.
"""
