#!/usr/bin/env bash
# Everything a fresh machine with a GPU is asked for, in less than ten minutes and without a network: builds, holds the
# kernels to their definitions, tunes them, measures them.
#
#     OUT=folder bash bench/gpu.sh
#
# Run it in the repository's root. Logs and JSON go to $OUT, build/gpu if it is not set. PYTHON names the interpreter
# that has PyTorch and Triton. RECODEC_BUILD is pip, cmake, compiler or none instead of the first that works.
# RECODEC_REHEARSE=1 goes through all steps on a CPU, installs nothing and measures nothing.
set -uo pipefail

total=585
python=${PYTHON:-python3}
rehearse=${RECODEC_REHEARSE:-}
out=${OUT:-build/gpu}
mkdir -p "$out"
out=$(cd "$out" && pwd)
root=$PWD
export PYTHONUNBUFFERED=1 TRITON_CACHE_DIR=${TRITON_CACHE_DIR:-${TMPDIR:-/tmp}/recodec-triton}
export TORCHINDUCTOR_CACHE_DIR=${TORCHINDUCTOR_CACHE_DIR:-${TMPDIR:-/tmp}/recodec-inductor}
failed=()

has() { "$python" -c "import $1" 2>/dev/null; }
left() { echo $((total - SECONDS)); }

# step NAME SECONDS COMMAND…: with a log of its own, never past the end of all.
step() {
    local name=$1 limit=$2 status
    shift 2
    if ((limit > $(left))); then limit=$(left); fi
    if ((limit < 5)); then
        echo "== $name: left out, the time is over"
        return 124
    fi
    echo "== $name (after $SECONDS s, at most $limit s)"
    timeout --kill-after=5 "$limit" "$@" 2>&1 | tee "$out/$name.log"
    status=${PIPESTATUS[0]}
    ((status == 0)) || echo "== $name: exit code $status"
    return "$status"
}

with_pip() {
    has scikit_build_core && has pybind11 || return 1
    step build-pip 120 "$python" -m pip install --quiet --no-build-isolation --no-deps --no-index -e .
}

# The package from its sources: links, what is compiled, and the few lines that say its version.
site=$root/build/gpu-site
make_site() {
    rm -rf "$site"
    local version
    version=$(sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
    mkdir -p "$site/recodec" "$site/recodec-$version.dist-info"
    ln -s "$root"/python/recodec/* "$site/recodec/"
    ln -s "$root/kernels" "$site/recodec/kernels"
    printf 'Metadata-Version: 2.1\nName: recodec\nVersion: %s\n' "$version" >"$site/recodec-$version.dist-info/METADATA"
    export PYTHONPATH=$site${PYTHONPATH:+:$PYTHONPATH}
}

with_cmake() {
    has pybind11 && command -v cmake >/dev/null || return 1
    step build-configure 60 cmake -S . -B build/gpu-cmake -DCMAKE_BUILD_TYPE=Release \
        -DPython_EXECUTABLE="$(command -v "$python")" -Dpybind11_DIR="$("$python" -m pybind11 --cmakedir)" &&
        step build-cmake 120 cmake --build build/gpu-cmake --parallel --target _core &&
        make_site && cp build/gpu-cmake/_core*.so "$site/recodec/"
}

with_compiler() {
    has pybind11 && command -v "${CXX:-g++}" >/dev/null || return 1
    local objects=build/gpu-objects source flags name
    mkdir -p "$objects"
    name=_core$("$python" -c 'import sysconfig; print(sysconfig.get_config_var("EXT_SUFFIX"))')
    local common="-std=c++20 -O3 -DNDEBUG -fPIC -fvisibility=hidden -Icsrc"
    case $(uname -m) in x86_64) common+=" -DRECODEC_X86" ;; esac
    {
        echo 'set -e'
        for source in csrc/*.cpp; do
            flags=$common
            case $source in
                *_avx2.cpp) flags+=" -mavx2" ;;
                *_vnni.cpp) flags+=" -mavx512f -mavx512vl -mavx512vnni" ;;
                */module.cpp) flags+=" $("$python" -m pybind11 --includes) -DRECODEC_COMPILER='\"${CXX:-g++}\"'" ;;
            esac
            case $(uname -m)$source in
                x86_64* | *csrc/[!d]*.cpp | *csrc/dense.cpp)
                    echo "${CXX:-g++} $flags -c $source -o $objects/$(basename "$source" .cpp).o &" ;;
            esac
        done
        # Each of them may have failed.
        echo 'for job in $(jobs -p); do wait "$job"; done'
        echo "${CXX:-g++} -shared $objects/*.o -pthread -o $objects/$name"
    } >"$objects/build.sh"
    step build-compiler 150 bash "$objects/build.sh" && make_site && cp "$objects/$name" "$site/recodec/"
}

build() {
    local ways=("${RECODEC_BUILD:-}")
    [ -n "${ways[0]}" ] || ways=(pip cmake compiler)
    # A rehearsal leaves the environment alone.
    if [ -n "$rehearse" ] && [ -z "${RECODEC_BUILD:-}" ]; then ways=(cmake compiler); fi
    for way in "${ways[@]}"; do
        if [ "$way" != none ] && "with_$way" && has recodec._core; then
            echo "== built with $way"
            return
        fi
    done
    echo "== recodec._core could not be built: only operators and kernels are tried"
    failed+=(build)
    make_site
}

build
where='import recodec.ops, recodec.kernels as k, torch, triton; print(k.__file__, torch.__version__, triton.__version__)'
step imports 60 "$python" -c "$where" || exit 1

# One after the other they would take longer than there is.
if has pytest && { [ -n "$rehearse" ] || has xdist; }; then
    tests=(tests/ops tests/kernels)
    if [ -n "$rehearse" ]; then tests=(tests/ops/test_backend.py tests/kernels/test_trials.py); fi
    workers=()
    if [ -z "$rehearse" ]; then workers=(-n "$(nproc)"); fi
    # A warning of another version of PyTorch says nothing about kernels.
    step tests 130 "$python" -m pytest -q -W default -p no:cacheprovider "${workers[@]}" "${tests[@]}"
    status=$?
else
    status=127
fi
if ((status > 1 && status != 124)); then
    echo "== no tests without pytest, pytest-xdist and what they need; the benchmark compares by itself"
    step check 100 "$python" bench/kernels.py ${rehearse:+--rehearse} --check
    status=$?
fi
((status == 0)) || failed+=(tests)

step tune 115 "$python" -m recodec.kernels.tuner.tune --budget-seconds 95 --dtype bfloat16
status=$?
# There is nothing to tune on in a rehearsal, and it must say that.
if ((status != 0)) && ! { [ -n "$rehearse" ] && ((status == 3)); }; then failed+=(tune); fi
if [ -d kernels/configs ]; then tar -C kernels -czf "$out/configs.tar.gz" configs; fi

seconds=$(($(left) - 20))
if ((seconds > 460)); then seconds=460; fi
step kernels $((seconds + 15)) "$python" bench/kernels.py --core ${rehearse:+--rehearse} \
    --budget-seconds "$seconds" --out "$out/kernels.json" || failed+=(kernels)

cat "$out"/build-*.log "$out/imports.log" >"$out/build.log" 2>/dev/null
rm -f "$out"/build-*.log "$out/imports.log"
echo "== $SECONDS s, failed: ${failed[*]:-nothing}"
((${#failed[@]} == 0))
