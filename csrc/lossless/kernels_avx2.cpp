// Compiled for AVX2; nothing inline is shared with other files, or the linker might keep this copy for all.
#include <immintrin.h>

#include <algorithm>
#include <cstdlib>

#include "kernels.hpp"
#include "mixers.hpp"
#include "solution.hpp"

namespace recodec::lossless {

namespace {

__m256i load(const void* from) { return _mm256_loadu_si256(static_cast<const __m256i*>(from)); }
void store(void* to, __m256i values) { _mm256_storeu_si256(static_cast<__m256i*>(to), values); }

std::int64_t total(__m256i values) {
    const __m128i pairs = _mm_add_epi64(_mm256_castsi256_si128(values), _mm256_extracti128_si256(values, 1));
    return _mm_cvtsi128_si64(_mm_add_epi64(pairs, _mm_unpackhi_epi64(pairs, pairs)));
}

std::array<std::int32_t, 2> mix(std::size_t lanes, const std::int32_t* logits, const Mixers& mixers) {
    __m256i first = _mm256_setzero_si256(), second = first;
    for (std::size_t i = 0; i < lanes; i += 8) {
        const __m256i values = load(logits + i), odd = _mm256_srli_epi64(values, 32);
        const auto add = [&](__m256i& sum, __m256i weights) {
            sum = _mm256_add_epi64(sum, _mm256_mul_epi32(weights, values));
            sum = _mm256_add_epi64(sum, _mm256_mul_epi32(_mm256_srli_epi64(weights, 32), odd));
        };
        add(first, load(mixers.first + i));
        add(second, load(mixers.second + i));
    }
    return {mixed_logit(total(first)), mixed_logit(total(second))};
}

void adapt(std::size_t lanes, const std::int32_t* logits, const Mixers& mixers,
           const std::array<std::int32_t, 2>& errors, std::int32_t rate) {
    const __m256i by_rate = _mm256_set1_epi32(rate), half = _mm256_set1_epi32(32768);
    const __m256i most = _mm256_set1_epi32(kMostMixerWeight), least = _mm256_set1_epi32(-kMostMixerWeight);
    const __m256i by_first = _mm256_set1_epi32(errors[0]), by_second = _mm256_set1_epi32(errors[1]);
    for (std::size_t i = 0; i < lanes; i += 8) {
        const __m256i values = load(logits + i);
        const auto learn = [&](std::int32_t* weights, __m256i error) {
            const __m256i gradient = _mm256_srai_epi32(_mm256_mullo_epi32(error, values), 12);
            const __m256i change = _mm256_srai_epi32(_mm256_add_epi32(_mm256_mullo_epi32(gradient, by_rate), half), 16);
            const __m256i sum = _mm256_add_epi32(load(weights), change);
            store(weights, _mm256_max_epi32(least, _mm256_min_epi32(most, sum)));
        };
        learn(mixers.first + i, by_first);
        learn(mixers.second + i, by_second);
    }
}

class Fade {
public:
    explicit Fade(const std::array<int, 2>& shifts)
        : first_(_mm_cvtsi32_si128(shifts[0])),
          second_(_mm_cvtsi32_si128(shifts[1])),
          first_half_(_mm256_set1_epi32(1 << (shifts[0] - 1))),
          second_half_(_mm256_set1_epi32(1 << (shifts[1] - 1))) {}

    __m256i operator()(__m256i sums) const {
        const __m256i first = _mm256_sra_epi32(_mm256_add_epi32(sums, first_half_), first_);
        const __m256i second = _mm256_sra_epi32(_mm256_add_epi32(sums, second_half_), second_);
        return _mm256_sub_epi32(_mm256_sub_epi32(sums, first), second);
    }

private:
    __m128i first_, second_;
    __m256i first_half_, second_half_;
};

std::int32_t pair(int low, int high) {
    return static_cast<std::int32_t>((static_cast<std::uint32_t>(low) & 0xFFFF) | static_cast<std::uint32_t>(high) << 16);
}

void add(const Layout& layout, const Fading& fading, const Samples& samples, std::int32_t* down, std::int32_t* here) {
    const Fade fade_down(fading.down), fade_across(fading.across);
    constexpr std::size_t pairs = kGroup / 2;
    alignas(32) std::int32_t sides[pairs][kPlaces];
    for (std::size_t p = 0; p < pairs; ++p) {
        const auto &even = samples.values[2 * p], &odd = samples.values[2 * p + 1];
        for (std::size_t i = 0; i < layout.rows; ++i) sides[p][i] = pair(even[i], odd[i]);
    }
    for (std::size_t j = 0; j < layout.inputs; ++j) {
        __m256i by[pairs];
        for (std::size_t p = 0; p < pairs; ++p) {
            by[p] = _mm256_set1_epi32(pair(samples.values[2 * p][j] * samples.trust[2 * p],
                                           samples.values[2 * p + 1][j] * samples.trust[2 * p + 1]));
        }
        std::int32_t *below = down + layout.origin[j], *now = here + layout.origin[j];
        for (std::size_t i = j / 8 * 8; i < layout.rows; i += 8) {
            __m256i sum = _mm256_madd_epi16(by[0], load(sides[0] + i));
            for (std::size_t p = 1; p < pairs; ++p) sum = _mm256_add_epi32(sum, _mm256_madd_epi16(by[p], load(sides[p] + i)));
            store(below + i, _mm256_add_epi32(fade_down(load(below + i)), sum));
            store(now + i, _mm256_add_epi32(fade_across(load(now + i)), sum));
        }
    }
}

void spread_right(const Layout& layout, const Fading& fading, const std::int32_t* down, std::int32_t* passing,
                  std::int32_t* around) {
    const Fade fade(fading.across);
    for (std::size_t i = 0; i < layout.size; i += 8) {
        const __m256i sum = _mm256_add_epi32(fade(load(passing + i)), load(down + i));
        store(passing + i, sum);
        store(around + i, sum);
    }
}

void spread_left(const Layout& layout, const Fading& fading, const std::int32_t* down, std::int32_t* passing,
                 std::int32_t* around) {
    const Fade fade(fading.across);
    for (std::size_t i = 0; i < layout.size; i += 8) {
        const __m256i sum = fade(load(passing + i));
        store(around + i, _mm256_add_epi32(load(around + i), sum));
        store(passing + i, _mm256_add_epi32(sum, load(down + i)));
    }
}

// Values above -2^62 to the right by Shift; AVX2 shifts 64 bits as unsigned numbers only.
template <int Shift>
__m256i shift_right(__m256i values) {
    const __m256i offset = _mm256_set1_epi64x(std::int64_t{1} << 62);
    return _mm256_sub_epi64(_mm256_srli_epi64(_mm256_add_epi64(values, offset), Shift),
                            _mm256_set1_epi64x(std::int64_t{1} << (62 - Shift)));
}

// Products modulo 2^64 with a number below 2^32.
__m256i multiply(__m256i values, __m256i by) {
    const __m256i high = _mm256_mul_epu32(_mm256_srli_epi64(values, 32), by);
    return _mm256_add_epi64(_mm256_mul_epu32(values, by), _mm256_slli_epi64(high, 32));
}

__m256i clamp(__m256i values, __m256i most) {
    const __m256i least = _mm256_sub_epi64(_mm256_setzero_si256(), most);
    values = _mm256_blendv_epi8(values, most, _mm256_cmpgt_epi64(values, most));
    return _mm256_blendv_epi8(values, least, _mm256_cmpgt_epi64(least, values));
}

struct alignas(32) Column {
    std::int64_t values[kPlaces];
};

// Sums shifted, in Q28, less what the columns before say.
template <std::size_t Count>
void eliminate(const Layout& layout, const std::int32_t* around, const std::int32_t* here, int shift,
               const Column* factors, std::size_t j, std::size_t i, std::int64_t* left) {
    __m256i sums[Count];
    const __m128i up = _mm_cvtsi32_si128(std::max(shift, 0)), down = _mm_cvtsi32_si128(std::max(-shift, 0));
    for (std::size_t c = 0; c < Count; ++c) {
        const auto* one = reinterpret_cast<const __m128i*>(around + layout.origin[j] + i + 4 * c);
        const auto* other = reinterpret_cast<const __m128i*>(here + layout.origin[j] + i + 4 * c);
        const __m128i sum = _mm_add_epi32(_mm_loadu_si128(one), _mm_loadu_si128(other));
        sums[c] = _mm256_slli_epi64(_mm256_cvtepi32_epi64(_mm_sra_epi32(_mm_sll_epi32(sum, up), down)), kSumBits);
    }
    for (std::size_t k = 0; k < j; ++k) {
        const __m256i by = _mm256_set1_epi64x(factors[k].values[j]);
        for (std::size_t c = 0; c < Count; ++c) {
            sums[c] = _mm256_sub_epi64(sums[c], _mm256_mul_epi32(by, load(factors[k].values + i + 4 * c)));
        }
    }
    for (std::size_t c = 0; c < Count; ++c) store(left + i + 4 * c, sums[c]);
}

std::size_t at(const Layout& layout, std::size_t j, std::size_t i) {
    return static_cast<std::size_t>(layout.origin[j] + static_cast<std::ptrdiff_t>(i));
}

void solve(const Layout& layout, const std::int32_t* around, const std::int32_t* here, Weights& weights) {
    const std::size_t inputs = layout.inputs, rows = layout.rows;
    std::int32_t most = 0;
    const auto sum = [&](std::size_t j, std::size_t i) { return around[at(layout, j, i)] + here[at(layout, j, i)]; };
    for (std::size_t j = 0; j < inputs; ++j) most = std::max({most, sum(j, j), std::abs(sum(j, inputs))});
    const int shift = shift_of(most);
    const std::int64_t ridge = std::max<std::int64_t>(shifted(kRidge, shift), 1) << kSumBits;

    Column factors[kMostInputs], left{};
    std::int64_t reciprocals[kMostInputs];
    for (std::size_t j = 0; j < inputs; ++j) {
        std::size_t i = j / 8 * 8;
        for (; i + 16 <= rows; i += 16) eliminate<4>(layout, around, here, shift, factors, j, i, left.values);
        if (i < rows) eliminate<2>(layout, around, here, shift, factors, j, i, left.values);
        const std::int64_t pivot = square_root(std::max(left.values[j] + ridge, kLeastPivot));
        reciprocals[j] = reciprocal(pivot);
        const __m256i limit = _mm256_set1_epi64x(pivot << kSumBits), by = _mm256_set1_epi64x(reciprocals[j]);
        for (i = j / 8 * 8; i < rows; i += 4) {
            const __m256i dividend = shift_right<14>(clamp(load(left.values + i), limit));
            store(factors[j].values + i, shift_right<30>(multiply(dividend, by)));
        }
        factors[j].values[j] = pivot;
    }
    Column found{};
    for (std::size_t i = inputs; i-- > 0;) {
        __m256i known = _mm256_setzero_si256();
        for (std::size_t k = (i + 1) / 4 * 4; k < inputs; k += 4) {
            known = _mm256_add_epi64(known, _mm256_mul_epi32(load(factors[i].values + k), load(found.values + k)));
        }
        const std::int64_t dividend = (factors[i].values[inputs] << 16) - total(known);
        found.values[i] = weight(dividend, factors[i].values[i], reciprocals[i]);
        weights[i] = to_q12(found.values[i]);
    }
}

}  // namespace

const Kernels kAvx2Kernels = {mix, adapt, add, spread_right, spread_left, solve};

}  // namespace recodec::lossless
