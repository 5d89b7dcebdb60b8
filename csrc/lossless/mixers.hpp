// The numbers of mixers, which all sets of instructions share. FORMAT.md, section 14.9.
#pragma once

#include <algorithm>
#include <cstdint>

namespace recodec::lossless {
namespace {

// Q16. Errors are below 2^16 and logits below 2^15, so that all products stay within 31 bits.
constexpr std::int32_t kMostMixerWeight = 1 << 20;
// Q12, just below 10.
constexpr std::int32_t kMostMixed = 40959;

inline std::int32_t mixed_logit(std::int64_t sum) {
    return static_cast<std::int32_t>(std::clamp<std::int64_t>(sum >> 16, -kMostMixed, kMostMixed));
}

}  // namespace
}  // namespace recodec::lossless
