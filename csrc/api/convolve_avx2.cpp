#include "features.hpp"

namespace recodec {

namespace {

using Vector = float __attribute__((vector_size(32)));
constexpr std::size_t kLanes = 8, kPositions = 6;

#include "convolve_rows.inc"

}  // namespace

void convolve_rows_avx2(const ConvolvedRows& work) { convolve(work); }

}  // namespace recodec
