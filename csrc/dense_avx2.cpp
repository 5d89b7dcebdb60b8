// Compiled for AVX2; nothing inline is shared with other files, or the linker might keep this copy for all.
#include <immintrin.h>

#include "dense.hpp"

namespace recodec {

namespace {

__m256i add_pairs(__m256i sums, __m256i x, __m256i w) { return _mm256_add_epi32(sums, _mm256_madd_epi16(x, w)); }

#include "dense_256.inc"

}  // namespace

const Instructions kAvx2 = {"avx2", add_product, add_rows, activate, add_scaled};

}  // namespace recodec
