// Adaptive predictions of one bit, and their mixture in the logit domain.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "logistic.hpp"
#include "range_coder.hpp"

namespace recodec {

inline constexpr std::int32_t kLeastProbability = 32;
inline constexpr std::int32_t kWeightLimit = 1 << 20;  // Q16, so 16.0

inline std::int32_t round_shift(std::int64_t value, int shift) {
    return static_cast<std::int32_t>((value + (std::int64_t{1} << (shift - 1))) >> shift);
}

// An adaptive probability, which moves by 1 / (n + 1.6) of what it missed at its n-th bit, n at most Limit.
template <std::uint16_t Limit>
struct Counter {
    std::uint16_t probability = 32768;
    std::uint16_t count = 0;

    void learn(bool bit) {
        static constexpr auto rates = [] {
            std::array<std::int32_t, Limit + 1> values{};
            for (std::int32_t n = 0; n <= Limit; ++n) {
                values[static_cast<std::size_t>(n)] = 655360 / (10 * n + 16);
            }
            return values;
        }();
        const std::int32_t now = probability;
        const std::int32_t next = now + (((bit ? 65536 : 0) - now) * rates[count] >> 16);
        probability =
            static_cast<std::uint16_t>(std::clamp(next, kLeastProbability, 65535 - kLeastProbability));
        if (count < Limit) ++count;
    }
};

// What several predictions make of one bit: logits Q12 weighted by Q16 weights that learn as they go.
template <std::size_t N>
struct Mixture {
    std::array<std::int32_t, N> logits{};

    Probability probability(const std::int32_t* weights) const {
        std::int64_t mixed = 0;
        for (std::size_t j = 0; j < N; ++j) mixed += std::int64_t{weights[j]} * logits[j];
        mixed = std::clamp<std::int64_t>(mixed >> 16, -kLogitLimit, kLogitLimit);
        const std::int32_t p = logistic(static_cast<std::int32_t>(mixed));
        return static_cast<Probability>(std::clamp(p, kLeastProbability, 65536 - kLeastProbability));
    }

    void learn(std::int32_t* weights, std::int64_t error, std::int32_t rate) const {
        for (std::size_t j = 0; j < N; ++j) {
            const std::int64_t gradient = error * logits[j] >> 12;
            weights[j] = std::clamp(weights[j] + round_shift(gradient * rate, 16), -kWeightLimit, kWeightLimit);
        }
    }
};

}  // namespace recodec
