// Compiled for AVX-512 VNNI; nothing inline is shared with other files, or the linker might keep this copy for all.
// vpdpwssd does not saturate, so its sums are those of the others.
#include <immintrin.h>

#include "dense.hpp"

namespace recodec {

namespace {

__m256i add_pairs(__m256i sums, __m256i x, __m256i w) { return _mm256_dpwssd_epi32(sums, x, w); }

#include "dense_256.inc"

}  // namespace

const Instructions kVnni = {"vnni", add_product, add_rows, activate, add_scaled};

}  // namespace recodec
