#!/bin/sh
# Checks and measures Neuroglot on a machine with an NVIDIA GPU in less than four minutes, and writes all of it to a report.
#
#     scripts/measure_gpu.sh [PEER.py [REPORT]]
#
# PEER.py is an implementation in PyTorch to compare with (benches/compare_gpu.py says what it must offer); without one, or
# with -, the times are Neuroglot's alone. Every part has a limit, and the report has all parts that were done, whatever
# becomes of the others. These variables change what is done:
#
#     NEUROGLOT      a binary to use instead of building one
#     PYTHON         the interpreter that has PyTorch (python3)
#     TESTS          test binaries to run on the GPU, such as those of the engine and the command, separated by spaces
#     SESSION        the folder of a session to train on, instead of a simulated one
#     LIMIT          seconds for everything (230), of which each part may take the same share at most, whatever it is
#     PRECISIONS     of products (tf32 bf16 f32)
#     SIZES          of models (paper small)
#     BATCHES        trials of a batch (16 256)
#     COMPARE        further options of benches/compare_gpu.py
#     MANY           options of the bench beside one session (--sessions 4 --accumulate 4 --join-sessions --evaluation)
#     REPETITIONS    of what is timed in a profile (8)
#     SIMULATE       options of the simulated session (--units 300 --trials 400 --bins 100)
#     TRAIN          further options of neuroglot train, of which the model is of the paper's size otherwise
#     TRAIN_SECONDS  how long it trains (60)
set -u

if [ $# -gt 2 ]; then
    sed -n '2,24s/^# \{0,1\}//p' "$0" >&2
    exit 2
fi
absolute() {
    case $1 in
    - | /*) echo "$1" ;;
    *) echo "$PWD/$1" ;;
    esac
}
peer=$(absolute "${1:--}")
report=$(absolute "${2:-gpu-report.txt}")
SESSION=${SESSION:+$(absolute "$SESSION")}
NEUROGLOT=${NEUROGLOT:+$(absolute "$NEUROGLOT")}
python=${PYTHON:-python3}
limit=${LIMIT:-230}
precisions=${PRECISIONS:-tf32 bf16 f32}
sizes=${SIZES:-paper small}
batches=${BATCHES:-16 256}
cd "$(dirname "$0")/.." || exit

if [ -z "$NEUROGLOT" ]; then
    cargo build --release --package neuroglot-cli || exit
    NEUROGLOT=$PWD/target/release/neuroglot
fi
work=$(mktemp -d) || exit
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
: >"$report" || exit
began=$(date +%s)
failed=

say() {
    printf '%s\n' "$1" | tee -a "$report"
}

# part SECONDS HEADING COMMAND...: heading and output go to the screen and to the report. It may take so many of 230 seconds.
# What fails is named at the end, and what is cut off too, unless it goes on for as long as it is let.
part() {
    seconds=$(($1 * limit / 230))
    heading=$2
    shift 2
    say "
== $heading"
    left=$((limit - $(date +%s) + began))
    if [ "$left" -lt "$seconds" ]; then
        seconds=$left
    fi
    if [ "$seconds" -le 0 ]; then
        say "left out: the time is up"
        failed="$failed; $heading"
        return
    fi
    rm -f "$work/status"
    { timeout -k 5 "$seconds" "$@" 2>&1 || echo $? >"$work/status"; } | tee -a "$report"
    [ -e "$work/status" ] || return
    code=$(cat "$work/status")
    if [ "$code" -eq 124 ]; then
        say "ended after $seconds s"
    else
        say "failed with status $code"
    fi
    case $code,$heading in
    124,training | "124,memory accesses") ;;
    *) failed="$failed; $heading" ;;
    esac
}

# The first number of a name in a file of JSON or TOML.
number() {
    sed -n "s/^ *\"\{0,1\}$1\"\{0,1\} *[:=] *\([0-9.]*\).*/\1/p" "$2" | head -n 1
}

part 10 "machine" nvidia-smi

# Every operation, and a training step of every masking scheme, on the GPU against the processor.
for precision in $precisions; do
    part 30 "correctness, $precision" "$NEUROGLOT" doctor --device cuda --precision "$precision"
done
for binary in ${TESTS:-}; do
    part 30 "tests, ${binary##*/}" "$binary"
done

if [ "$peer" != - ]; then
    # shellcheck disable=SC2086 # COMPARE holds several options.
    part 90 "speed beside PyTorch" "$python" benches/compare_gpu.py "$peer" --neuroglot "$NEUROGLOT" \
        --sizes "$(echo "$sizes" | tr ' ' ,)" --batches "$(echo "$batches" | tr ' ' ,)" \
        --precisions tf32,bf16 --modes tf32-eager --rounds 2 --repetitions 10 ${COMPARE:-}
else
    for size in $sizes; do
        for batch in $batches; do
            part 15 "speed, $size, batch $batch" "$NEUROGLOT" bench --device cuda --size "$size" --batch "$batch"
        done
    done
fi

# Where the time of a step goes, at the largest batch.
size=${sizes%% *}
batch=${batches##* }
for precision in $precisions; do
    part 15 "profile, $size, batch $batch, $precision" "$NEUROGLOT" bench --device cuda --size "$size" \
        --batch "$batch" --precision "$precision" --profile --repetitions "${REPETITIONS:-8}"
done
# shellcheck disable=SC2086 # Several options, here and below.
part 15 "many sessions and evaluation, $size" "$NEUROGLOT" bench --device cuda --size "$size" \
    --batch "${batches%% *}" --repetitions "${REPETITIONS:-8}" ${MANY:---sessions 4 --accumulate 4 --join-sessions --evaluation}

# Training as it is done: with validation and checkpoints.
if [ -z "$SESSION" ]; then
    # shellcheck disable=SC2086
    part 20 "session" "$NEUROGLOT" simulate "$work/data" --sessions 1 ${SIMULATE:---units 300 --trials 400 --bins 100}
    for SESSION in "$work"/data/*_aligned; do :; done
fi
# shellcheck disable=SC2086
part "${TRAIN_SECONDS:-60}" "training" "$NEUROGLOT" --quiet train "$SESSION" --out "$work/run" --device cuda \
    --set train.checkpoint_seconds=10 ${TRAIN:-}
if [ -e "$work/run/last/progress.json" ]; then
    steps=$(number step "$work/run/last/progress.json")
    batch=$(number batch "$work/run/config.toml")
    seconds=$(number seconds "$work/run/run.json")
    say "$(awk -v n="$steps" -v batch="$batch" -v s="$seconds" 'BEGIN {
        printf "%d steps of %d trials in %.1f s: %.2f ms a step, %.0f trials/s", n, batch, s, 1e3 * s / n, n * batch / s
    }')"
else
    say "no checkpoint was written"
fi

# It takes minutes: last, and for as long as there is time.
if command -v compute-sanitizer >/dev/null 2>&1; then
    part 999 "memory accesses" compute-sanitizer --error-exitcode 9 "$NEUROGLOT" doctor --device cuda
fi

if [ -n "$failed" ]; then
    verdict="failed: ${failed#; }"
else
    verdict="nothing failed"
fi
say "
== $(($(date +%s) - began)) s, $verdict"
[ -z "$failed" ]
