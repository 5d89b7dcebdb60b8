#include "features.hpp"

namespace recodec {

namespace {

using Vector = float __attribute__((vector_size(16)));
constexpr std::size_t kLanes = 4, kPositions = 3;

#include "convolve_rows.inc"

}  // namespace

void convolve_rows_portable(const ConvolvedRows& work) { convolve(work); }

}  // namespace recodec
