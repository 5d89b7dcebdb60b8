// Integer logistic function and its inverse: the only link between logits and probabilities.
//
// Logits are Q12 (4096 is 1.0), probabilities Q16. The table is part of the file format; no
// floating-point arithmetic is allowed anywhere near it.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

namespace recodec {

inline constexpr int kLogitLimit = 40959;  // just below 10.0

// 65536 / (1 + exp(-k / 4)) for k = -40..40, rounded to nearest.
inline constexpr std::array<std::int32_t, 81> kLogisticTable = {
    3, 4, 5, 6, 8, 10, 13, 17, 22, 28, 36, 47,
    60, 77, 98, 126, 162, 208, 267, 342, 439, 562, 720, 922,
    1179, 1506, 1921, 2446, 3108, 3938, 4971, 6249, 7812, 9702, 11955, 14595,
    17625, 21025, 24743, 28693, 32768, 36843, 40793, 44511, 47911, 50941, 53581, 55834,
    57724, 59287, 60565, 61598, 62428, 63090, 63615, 64030, 64357, 64614, 64816, 64974,
    65097, 65194, 65269, 65328, 65374, 65410, 65438, 65459, 65476, 65489, 65500, 65508,
    65514, 65519, 65523, 65526, 65528, 65530, 65531, 65532, 65533,
};

namespace detail {

// What a segment of the table begins with and by how much it grows, side by side.
struct Segment {
    std::int32_t low, growth;
};

inline constexpr auto kSegments = [] {
    std::array<Segment, kLogisticTable.size() - 1> segments{};
    for (std::size_t i = 0; i < segments.size(); ++i) {
        segments[i] = {kLogisticTable[i], kLogisticTable[i + 1] - kLogisticTable[i]};
    }
    return segments;
}();

}  // namespace detail

// Where the table begins: logits that count from there are 0..81919.
inline constexpr std::int32_t kLogitOrigin = 40960;

// Probability of a logit that counts from the table's origin.
constexpr std::int32_t logistic_from_origin(std::int32_t logit) {
    const detail::Segment segment = detail::kSegments[static_cast<std::size_t>(logit >> 10)];
    return segment.low + (segment.growth * (logit & 1023) >> 10);
}

// Probability in 3..65533 for any logit; beyond the limits it stays flat.
constexpr std::int32_t logistic(std::int32_t logit) {
    return logistic_from_origin(std::clamp(logit, -kLogitLimit, kLogitLimit) + kLogitOrigin);
}

// Sums of bits, Q14, are kept so that a shift alone makes them logits that count from the table's origin.
inline constexpr std::int32_t kSumOffset = 4 * kLogitOrigin + 2;

namespace detail {

// The logits at which probabilities of sums reach their limits.
inline constexpr std::int32_t kLeastLogit = kLogitOrigin - 31232, kMostLogit = kLogitOrigin + 31232;
static_assert(logistic_from_origin(kLeastLogit) == 32 && logistic_from_origin(kMostLogit) == 65536 - 32);

}  // namespace detail

// Of a Q14 sum with kSumOffset; in 32..65504.
constexpr std::uint32_t probability_of_sum(std::int32_t sum) {
    return static_cast<std::uint32_t>(
        logistic_from_origin(std::clamp(sum, 4 * detail::kLeastLogit, 4 * detail::kMostLogit) >> 2));
}

namespace detail {

constexpr std::array<std::int16_t, 4096> make_logit_table() {
    std::array<std::int16_t, 4096> table{};
    std::int32_t logit = -kLogitLimit;
    for (std::int32_t i = 0; i < 4096; ++i) {
        while (logit < kLogitLimit && logistic(logit) < 16 * i + 8) ++logit;
        table[static_cast<std::size_t>(i)] = static_cast<std::int16_t>(std::clamp(logit, -32768, 32767));
    }
    return table;
}

}  // namespace detail

// Entry i is the smallest logit whose probability reaches 16 i + 8, clamped to 16 bits.
inline const std::array<std::int16_t, 4096> kLogitTable = detail::make_logit_table();

// Inverse of logistic() at 12 bits of precision; `probability` is Q16 in 0..65535.
inline std::int32_t logit(std::int32_t probability) {
    return kLogitTable[static_cast<std::size_t>(probability >> 4)];
}

}  // namespace recodec
