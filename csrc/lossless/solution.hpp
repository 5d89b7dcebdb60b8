// The numbers of a solution by Cholesky's factors, which all sets of instructions share. FORMAT.md, section 14.5.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace recodec::lossless {
namespace {

// Sums are brought below 2^28, and factors are Q14: their squares are sums in Q28.
constexpr int kSumBits = 28;
// More would let sums of nothing but rounding pass 32 bits.
constexpr int kMostShift = 20;
// What is added to the diagonal, so that inputs that never moved get no weight.
constexpr std::int64_t kRidge = 320;
// Of a pivot; rounding could leave less.
constexpr std::int64_t kLeastPivot = std::int64_t{1} << 40;
constexpr int kReciprocalBits = 44;
// Of weights in Q16, a little below 8.
constexpr std::int64_t kMostWeight = (1 << 19) - 16;

// floor(sqrt(value)) for values below 2^58.
inline std::int64_t square_root(std::int64_t value) {
    auto root = static_cast<std::int64_t>(std::sqrt(static_cast<double>(value)));
    while (root * root > value) --root;
    while ((root + 1) * (root + 1) <= value) ++root;
    return root;
}

// floor(2^44 / value) for values from 2^20 on.
inline std::int64_t reciprocal(std::int64_t value) {
    constexpr std::int64_t one = std::int64_t{1} << kReciprocalBits;
    auto found = static_cast<std::int64_t>(static_cast<double>(one) / static_cast<double>(value));
    while (found * value > one) --found;
    while ((found + 1) * value <= one) ++found;
    return found;
}

// How far sums are shifted to the left, of which `most` is the largest but for what rounding adds.
inline int shift_of(std::int32_t most) {
    int bits = 0;
    for (; most > 0; most >>= 1) ++bits;
    return std::min(kSumBits - bits, kMostShift);
}

inline std::int64_t shifted(std::int64_t value, int shift) { return shift >= 0 ? value << shift : value >> -shift; }

// A factor or weight: dividend / divisor, with the reciprocal of the divisor.
inline std::int64_t factor(std::int64_t dividend, std::int64_t divisor, std::int64_t reciprocal) {
    const std::int64_t most = divisor << kSumBits;
    return ((std::clamp(dividend, -most, most) >> 14) * reciprocal) >> 30;
}

inline std::int64_t weight(std::int64_t dividend, std::int64_t divisor, std::int64_t reciprocal) {
    const std::int64_t most = divisor * kMostWeight;
    return ((std::clamp(dividend, -most, most) >> 4) * reciprocal) >> 40;
}

inline std::int16_t to_q12(std::int64_t weight) {
    return static_cast<std::int16_t>(std::clamp<std::int64_t>((weight + 8) >> 4, -32767, 32767));
}

}  // namespace
}  // namespace recodec::lossless
