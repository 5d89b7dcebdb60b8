// Compiled for AVX2; nothing inline is shared with other files, or the linker might keep this copy for all.
#include <immintrin.h>

#include "dense.hpp"

namespace recodec {

namespace {

// Sums of 8 · Blocks outputs stay in registers over all inputs.
template <std::size_t Blocks>
void add_blocks(const std::int16_t* x, const std::int16_t* weights, std::size_t inputs, std::size_t outputs,
                std::int32_t* sums) {
    __m256i kept[Blocks];
    for (std::size_t b = 0; b < Blocks; ++b) kept[b] = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(sums + 8 * b));
    for (std::size_t i = 0; i < inputs; i += 2, weights += 2 * outputs) {
        std::int32_t pair;
        __builtin_memcpy(&pair, x + i, sizeof pair);
        const __m256i both = _mm256_set1_epi32(pair);
        for (std::size_t b = 0; b < Blocks; ++b) {
            const __m256i w = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(weights + 16 * b));
            kept[b] = _mm256_add_epi32(kept[b], _mm256_madd_epi16(both, w));
        }
    }
    for (std::size_t b = 0; b < Blocks; ++b) _mm256_storeu_si256(reinterpret_cast<__m256i*>(sums + 8 * b), kept[b]);
}

void add_product(const std::int16_t* x, const std::int16_t* weights, std::size_t inputs, std::size_t outputs,
                 std::int32_t* sums) {
    std::size_t o = 0;
    for (; o + 64 <= outputs; o += 64) add_blocks<8>(x, weights + 2 * o, inputs, outputs, sums + o);
    for (; o + 32 <= outputs; o += 32) add_blocks<4>(x, weights + 2 * o, inputs, outputs, sums + o);
    for (; o < outputs; o += 8) add_blocks<1>(x, weights + 2 * o, inputs, outputs, sums + o);
}

void add_row(const std::int16_t* row, std::size_t count, std::int16_t* sums) {
    std::size_t i = 0;
    for (; i + 16 <= count; i += 16) {
        const __m256i sum = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(sums + i));
        const __m256i add = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(row + i));
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(sums + i), _mm256_add_epi16(sum, add));
    }
    if (i < count) {
        const __m128i sum = _mm_loadu_si128(reinterpret_cast<const __m128i*>(sums + i));
        const __m128i add = _mm_loadu_si128(reinterpret_cast<const __m128i*>(row + i));
        _mm_storeu_si128(reinterpret_cast<__m128i*>(sums + i), _mm_add_epi16(sum, add));
    }
}

void activate(const std::int32_t* sums, const std::int16_t* said, std::size_t count, Activation how,
              std::int16_t* to) {
    const __m128i said_shift = _mm_cvtsi32_si128(how.said_shift), shift = _mm_cvtsi32_si128(how.shift);
    const __m256i half = _mm256_set1_epi32(1 << (how.shift - 1));
    const __m256i least = _mm256_set1_epi32(how.least), most = _mm256_set1_epi32(kActivationLimit);
    for (std::size_t i = 0; i < count; i += 8) {
        const __m256i rows = _mm256_cvtepi16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(said + i)));
        __m256i sum = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(sums + i));
        sum = _mm256_add_epi32(_mm256_add_epi32(sum, _mm256_sll_epi32(rows, said_shift)), half);
        sum = _mm256_sra_epi32(sum, shift);
        sum = _mm256_min_epi32(_mm256_max_epi32(sum, least), most);
        const __m128i low = _mm256_castsi256_si128(sum), high = _mm256_extracti128_si256(sum, 1);
        _mm_storeu_si128(reinterpret_cast<__m128i*>(to + i), _mm_packs_epi32(low, high));
    }
}

}  // namespace

const Instructions kAvx2 = {"avx2", add_product, add_row, activate};

}  // namespace recodec
