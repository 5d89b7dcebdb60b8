#include "features.hpp"

namespace recodec {

namespace {

using Vector = float __attribute__((vector_size(16)));
#ifdef __wasm__
// What V8 keeps in registers; with 3 it takes 1.6 times as long.
constexpr std::size_t kLanes = 4, kPositions = 2;
#else
constexpr std::size_t kLanes = 4, kPositions = 3;
#endif

#include "convolve_rows.inc"

}  // namespace

void convolve_rows_portable(const ConvolvedRows& work) { convolve(work); }

}  // namespace recodec
