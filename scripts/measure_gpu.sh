#!/bin/sh
# Checks and measures Neuroglot on a machine with an NVIDIA GPU, and writes everything it prints to a report.
#
#     scripts/measure_gpu.sh PEER.py [REPORT]
#
# PEER.py is an implementation in PyTorch to compare with (benches/compare_gpu.py says what it must offer).
# NEUROGLOT names a binary to use instead of building one, PYTHON the interpreter that has PyTorch, and COMPARE holds
# further options of benches/compare_gpu.py, such as "--batches 16 --rounds 3".
set -eu

if [ $# -lt 1 ] || [ $# -gt 2 ]; then
    sed -n '2,8s/^# \{0,1\}//p' "$0" >&2
    exit 2
fi
peer=$1
report=${2:-gpu-report.txt}
python=${PYTHON:-python3}
cd "$(dirname "$0")/.."
case $peer in /*) ;; *) peer=$OLDPWD/$peer ;; esac
case $report in /*) ;; *) report=$OLDPWD/$report ;; esac
case ${NEUROGLOT:-/} in /*) ;; *) NEUROGLOT=$OLDPWD/$NEUROGLOT ;; esac

if [ -z "${NEUROGLOT:-}" ]; then
    cargo build --release --package neuroglot-cli
    NEUROGLOT=$PWD/target/release/neuroglot
fi

# A part's heading and output go to the screen and to the report; a part that fails ends the script.
part() {
    heading=$1
    shift
    printf '\n== %s\n' "$heading" | tee -a "$report"
    status=$(mktemp)
    { "$@" 2>&1 || echo $? >"$status"; } | tee -a "$report"
    code=$(cat "$status")
    rm -f "$status"
    if [ -n "$code" ]; then
        echo "$heading: failed with status $code, see $report" >&2
        exit "$code"
    fi
}

: >"$report"
part "machine" nvidia-smi
# Every operation, and a training step of every masking scheme, on the GPU against the processor.
part "correctness" "$NEUROGLOT" doctor --device cuda
# shellcheck disable=SC2086 # COMPARE holds several options.
part "speed" "$python" benches/compare_gpu.py "$peer" --neuroglot "$NEUROGLOT" ${COMPARE:-}
