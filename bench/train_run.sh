#!/usr/bin/env bash
# A whole training run on a machine that has torch and nothing of ours, without a network: builds recodec
# from this checkout, checks it, trains for some minutes and leaves fp16 weights in pieces of 16 MB at most.
# Called again with the same work folder, it goes on from the checkpoint there, with whatever shards came
# in the meantime. Needs Python with torch, numpy, pillow, safetensors, click, rich, scikit-build-core,
# pybind11, cmake, ninja, pytest, hypothesis and a C++ compiler.
#
#     bench/train_run.sh RECIPE --data SHARDS --minutes N --out OUT [--valid FILE] [--work WORK] [--no-build] [-- OPTIONS]
#
# SHARDS is a folder of tar shards, copied into WORK so that they may travel in several calls; without
# --minutes it only takes them in. OUT gets log, pictures and <model>.safetensors.part00, .part01, ...;
# "cat" joins them. OPTIONS go to "recodec train". --no-build takes the recodec that is installed.
set -euo pipefail

usage() { sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "$0"; }

here=$(cd "$(dirname "$0")/.." && pwd)
work=${TMPDIR:-/tmp}/recodec-train
recipe='' data='' minutes='' out='' valid='' build=yes
while [ $# -gt 0 ]; do
    case $1 in
        --data) data=$2; shift 2 ;;
        --minutes) minutes=$2; shift 2 ;;
        --out) out=$2; shift 2 ;;
        --valid) valid=$2; shift 2 ;;
        --work) work=$2; shift 2 ;;
        --no-build) build=no; shift ;;
        --) shift; break ;;
        -h | --help) usage; exit ;;
        -*) echo "unknown option $1; see --help" >&2; exit 2 ;;
        *) recipe=$1; shift ;;
    esac
done
if [ -z "$recipe" ] || [ -z "$data" ] || { [ -n "$minutes" ] && [ -z "$out" ]; }; then
    usage >&2
    exit 2
fi
python=${PYTHON:-python3}
mkdir -p "$work/shards"
step() { printf '== %s (after %d s)\n' "$1" "$SECONDS"; }

step "shards"
for shard in "$data"/*.tar; do
    [ -f "$shard" ] || continue
    kept=$work/shards/$(basename "$shard")
    cmp -s "$shard" "$kept" && continue
    [ ! -e "$kept" ] || { echo "$kept is another shard of the same name; rename one" >&2; exit 1; }
    # Whole or not at all.
    cp "$shard" "$kept.part" && mv "$kept.part" "$kept"
done
if [ -n "$valid" ]; then cp "$valid" "$work/valid.tar"; fi
shards=$(find "$work/shards" -name '*.tar' | wc -l)
echo "$shards"
if [ "$shards" -eq 0 ]; then
    echo "there is no shard in $data, nor from before" >&2
    exit 1
fi
[ -n "$minutes" ] || exit 0

if [ "$build" = yes ]; then
    # Anything that changes what is built makes a new build.
    state=$(cd "$here" && cat CMakeLists.txt pyproject.toml $(find csrc python kernels -type f ! -name '*.pyc' | sort) | sha256sum | cut -c1-16)
    site=$work/site-$state
    if [ ! -d "$site" ]; then
        step "build"
        rm -rf "$site.new"
        "$python" -m pip install --quiet --no-index --no-deps --no-build-isolation --no-cache-dir --target "$site.new" "$here"
        step "check"
        # From outside the checkout, so that what was built is what is tested.
        (cd "$work" && PYTHONPATH=$site.new "$python" -m pytest -q -p no:cacheprovider -c "$here/pyproject.toml" --rootdir "$here" \
            "$here"/tests/networks/test_{cells,layers,steps}.py "$here"/tests/families/test_range_coder.py "$here"/tests/train/test_recipe.py)
        mv "$site.new" "$site"
    fi
    export PYTHONPATH=$site${PYTHONPATH:+:$PYTHONPATH}
fi

step "train"
arguments=(train "$recipe" --out "$work/run" --minutes "$minutes")
for shard in "$work"/shards/*.tar; do arguments+=(--data "$shard"); done
if [ -f "$work/valid.tar" ]; then arguments+=(--valid "$work/valid.tar"); fi
gpus=$("$python" -c 'import torch; print(torch.cuda.device_count())')
if [ "$gpus" -gt 1 ]; then
    "$python" -m torch.distributed.run --standalone --nproc-per-node "$gpus" -m recodec "${arguments[@]}" "$@"
else
    "$python" -m recodec "${arguments[@]}" "$@"
fi

step "weights"
mkdir -p "$out"
rm -f "$out"/*.part[0-9][0-9]
for weights in "$work"/run/*.safetensors; do
    split -b 16000000 -d -a 2 "$weights" "$out/$(basename "$weights").part"
done
cp "$work/run/log.jsonl" "$out/"
if [ -d "$work/run/pictures" ]; then
    latest=$(find "$work/run/pictures" -mindepth 1 -maxdepth 1 | sort | tail -n 1)
    cp "$latest"/*.png "$out/"
fi
ls -l "$out"
step "done"
