#!/usr/bin/env bash
# Run once by Gradescope, as root, while it builds the image. It stops at the first command that fails.
set -euo pipefail
umask 022
source="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)"
root="$(dirname "$source")"

export DEBIAN_FRONTEND=noninteractive
apt-get update
apt-get install -y --no-install-recommends bubblewrap util-linux python3 python3-venv
fits() { command -v "$1" > /dev/null && "$1" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))'; }
python=python3
if ! fits "$python"; then
  # Ubuntu 22.04's own Python is too old; this one is beside it.
  apt-get install -y --no-install-recommends python3.11 python3.11-venv
  python=python3.11
fi
fits "$python"

# The libraries are for everybody: a sandboxed answer needs numpy. The course's own code holds the answers, and is for root.
"$python" -m venv "$root/venv"
"$root/venv/bin/python" -m pip install --no-cache-dir --only-binary :all: -r "$source/requirements.txt"
"$root/venv/bin/python" -m pip install --no-cache-dir --no-deps --no-compile --target "$root/private" "$source"/rlhw-*.whl
packages="$("$root/venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')"
echo "$root/private" > "$packages/rlhw-private.pth"

# Closed at its folder: what stands inside keeps its mode, because a sandbox is shown the one file of it that is the worker.
chown -R root:root "$source" "$root/private"
chmod 700 "$source" "$root/private"
chmod 600 "$source/secret"
# Ends the build here, where an instructor sees it, rather than with the first submission.
"$root/venv/bin/python" -m rlhw --version
