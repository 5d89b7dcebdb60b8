// One binary decision of a sample: logits of distributions and of adaptive counters, mixed by weights of two contexts.
// Defined in FORMAT.md.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "../mixing.hpp"

namespace recodec::lossless {

inline constexpr std::size_t kDistributions = 3, kCounters = 5, kLogits = kDistributions + kCounters + 1;
inline constexpr std::size_t kSelectors = 24;

// What a sample's decisions have in common.
struct Contexts {
    std::array<std::uint32_t, kCounters> counters;  // rows of each table
    std::array<std::uint32_t, 2> mixers;            // 0..kSelectors - 1
};

class Decisions {
public:
    // Of `nodes` kinds, with tables of so many rows for each counter.
    Decisions(std::size_t nodes, const std::array<std::size_t, kCounters>& rows)
        : nodes_(nodes), final_(2 * nodes, kHalf) {
        for (std::size_t i = 0; i < kCounters; ++i) counters_[i].resize(rows[i] * nodes);
        std::array<std::int32_t, kLogits> start{};
        std::fill_n(start.begin(), kDistributions, kDistributionWeight);
        std::fill_n(start.begin() + kDistributions, kCounters, kCounterWeight);
        for (auto& weights : mixers_) {
            weights.reserve(nodes * kSelectors * kLogits);
            for (std::size_t i = 0; i < nodes * kSelectors; ++i) weights.insert(weights.end(), start.begin(), start.end());
        }
    }

    template <class Bits>
    bool code(Bits& bits, bool bit, std::size_t node, const std::array<std::int32_t, kDistributions>& distributions,
              const Contexts& contexts) {
        Mixture<kLogits> mixture;
        std::ranges::copy(distributions, mixture.logits.begin());
        std::array<RowCounter*, kCounters> counters;
        for (std::size_t i = 0; i < kCounters; ++i) {
            counters[i] = &counters_[i][contexts.counters[i] * nodes_ + node];
            mixture.logits[kDistributions + i] = logit(counters[i]->probability);
        }
        mixture.logits[kLogits - 1] = kConstantInput;

        std::array<std::int32_t*, 2> weights;
        Mixture<2> last;
        for (std::size_t i = 0; i < 2; ++i) {
            weights[i] = mixers_[i].data() + (node * kSelectors + contexts.mixers[i]) * kLogits;
            last.logits[i] = mixture.logit(weights[i]);
        }
        const Probability p = last.probability(&final_[2 * node]);
        bit = bits.put(bit, p);
        const std::int32_t truth = bit ? 65536 : 0;
        for (std::size_t i = 0; i < 2; ++i) mixture.learn(weights[i], truth - logistic(last.logits[i]), kMixerRate);
        last.learn(&final_[2 * node], truth - p, kFinalRate);
        for (RowCounter* counter : counters) counter->learn(bit);
        return bit;
    }

private:
    using RowCounter = Counter<250>;
    // Q16: 0.9 of three distributions, 0.1 of five counters.
    static constexpr std::int32_t kDistributionWeight = 19661, kCounterWeight = 1311, kHalf = 32768;
    static constexpr std::int32_t kMixerRate = 524, kFinalRate = 131;

    std::size_t nodes_;
    std::array<std::vector<RowCounter>, kCounters> counters_;
    std::array<std::vector<std::int32_t>, 2> mixers_;
    std::vector<std::int32_t> final_;
};

}  // namespace recodec::lossless
