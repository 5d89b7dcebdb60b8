// Adaptive predictions of one bit, their mixture in the logit domain, and what they learn from the bit.
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

inline constexpr std::int32_t kConstantInput = 1229;  // Q12, 0.3

// What several predictions make of one bit: logits Q12 weighted by Q16 weights that learn as they go.
template <std::size_t N>
struct Mixture {
    std::array<std::int32_t, N> logits{};

    // Q12, within the limits of logistic().
    std::int32_t logit(const std::int32_t* weights) const {
        std::int64_t mixed = 0;
        for (std::size_t j = 0; j < N; ++j) mixed += std::int64_t{weights[j]} * logits[j];
        return static_cast<std::int32_t>(std::clamp<std::int64_t>(mixed >> 16, -kLogitLimit, kLogitLimit));
    }

    Probability probability(const std::int32_t* weights) const {
        return static_cast<Probability>(
            std::clamp(logistic(logit(weights)), kLeastProbability, 65536 - kLeastProbability));
    }

    void learn(std::int32_t* weights, std::int64_t error, std::int32_t rate) const {
        for (std::size_t j = 0; j < N; ++j) {
            const std::int64_t gradient = error * logits[j] >> 12;
            weights[j] = std::clamp(weights[j] + round_shift(gradient * rate, 16), -kWeightLimit, kWeightLimit);
        }
    }
};

// Learning rates of a regression and a mixer, Q16.
struct Rates {
    std::int32_t regression, mixer;
};

// Codes a bit by the mixture of a regression's row, some counters and a constant; all of them learn from it.
template <class Bits, class Regression, std::uint16_t Limit, std::size_t N>
bool code_mixed(Bits& bits, bool bit, Regression& regression, std::size_t row,
                const std::array<Counter<Limit>*, N>& counters, std::int32_t* weights, Rates rates) {
    Mixture<N + 2> mixture;
    mixture.logits[0] = std::clamp(regression.sum(row) >> 4, -kLogitLimit, kLogitLimit);
    for (std::size_t j = 0; j < N; ++j) mixture.logits[j + 1] = logit(counters[j]->probability);
    mixture.logits[N + 1] = kConstantInput;

    const Probability p = mixture.probability(weights);
    bit = bits.put(bit, p);
    const std::int32_t truth = bit ? 65536 : 0;
    regression.learn(row, round_shift(std::int64_t{truth - logistic(mixture.logits[0])} * rates.regression, 16));
    mixture.learn(weights, truth - p, rates.mixer);
    for (Counter<Limit>* counter : counters) counter->learn(bit);
    return bit;
}

}  // namespace recodec
