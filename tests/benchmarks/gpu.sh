#!/bin/sh
# The figures that need a GPU, unattended, in under 8 minutes, on a machine with Python and torch (CUDA):
#
#     tests/benchmarks/gpu.sh                              published size, 64 frames of 512x288
#     DEVICE=cpu SIZE=small tests/benchmarks/gpu.sh        the same steps, to check the script
#
# PYTHON: which Python has torch (python3). What else is missing is installed into out/gpu-venv, over that
# torch; from a folder of wheels, WHEELS=folder, where there is no network. GOLDEN=0 leaves out the
# comparison with the reference numbers.
set -eu
cd "$(dirname "$0")/../.."
PYTHON=${PYTHON:-python3}
export DEVICE="${DEVICE:-cuda}" SIZE="${SIZE:-published}" PYTHONPATH="$PWD"

if ! "$PYTHON" -c "import easi3r.pipeline, easi3r.evaluation.speed" 2>/dev/null; then
    torch=$("$PYTHON" -c "import torch; print(torch.__version__)")
    "$PYTHON" -m venv --system-site-packages out/gpu-venv
    # The torch that is there drives this GPU: nothing may replace it.
    echo "torch==$torch" > out/gpu-constraints.txt
    out/gpu-venv/bin/python -m pip install --quiet --constraint out/gpu-constraints.txt \
        ${WHEELS:+--no-index --find-links "$WHEELS"} --editable .
    PYTHON=out/gpu-venv/bin/python
fi

"$PYTHON" -m tests.benchmarks.gpu
if [ "${GOLDEN:-1}" = 1 ]; then
    "$PYTHON" -m tests.golden --device "$DEVICE"
else
    echo "GOLDEN=$GOLDEN: comparison with the reference numbers left out"
fi
