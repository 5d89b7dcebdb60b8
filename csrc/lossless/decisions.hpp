// One binary decision of a sample: logits of distributions and of adaptive counters, mixed by weights of two contexts.
// FORMAT.md, section 14.9.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "../mixing.hpp"
#include "kernels.hpp"

namespace recodec::lossless {

inline constexpr std::size_t kSelectors = 24;

using RowCounter = Counter<250>;

template <std::size_t Distributions, std::size_t Counters>
class Decisions {
public:
    Decisions(std::size_t nodes, const Kernels& kernels) : kernels_(&kernels), final_(2 * nodes, kHalf) {
        std::array<std::int32_t, kLogits> start{};
        std::fill_n(start.begin(), Distributions, kDistributionsWeight / static_cast<std::int32_t>(Distributions));
        std::fill_n(start.begin() + Distributions, Counters, kCountersWeight / static_cast<std::int32_t>(Counters));
        for (auto& weights : mixers_) {
            weights.reserve(nodes * kSelectors * kLogits);
            for (std::size_t i = 0; i < nodes * kSelectors; ++i) weights.insert(weights.end(), start.begin(), start.end());
        }
    }

    // Mixers learn fast at first.
    void begin_row(std::uint32_t y) {
        rate_ = kRate + static_cast<std::int32_t>(kFirstRate * kRows / (kRows + y));
    }

    // `node` is the decision's kind, `selectors` below kSelectors choose weights.
    template <class Bits>
    bool code(Bits& bits, bool bit, std::size_t node, const std::array<std::int32_t, Distributions>& distributions,
              const std::array<RowCounter*, Counters>& counters, const std::array<std::uint32_t, 2>& selectors) {
        std::array<std::int32_t, kLogits> logits{};
        std::ranges::copy(distributions, logits.begin());
        for (std::size_t i = 0; i < Counters; ++i) logits[Distributions + i] = logit(counters[i]->probability);
        const auto weights = [&](std::size_t i) {
            return mixers_[i].data() + (node * kSelectors + selectors[i]) * kLogits;
        };
        const Mixers mixers{weights(0), weights(1)};
        const Mixture<2> last{kernels_->mix(kLogits, logits.data(), mixers)};
        const Probability p = last.probability(&final_[2 * node]);
        bit = bits.put(bit, p);
        const std::int32_t truth = bit ? 65536 : 0;
        kernels_->adapt(kLogits, logits.data(), mixers,
                        {truth - logistic(last.logits[0]), truth - logistic(last.logits[1])}, rate_);
        last.learn(&final_[2 * node], truth - p, kFinalRate);
        for (RowCounter* counter : counters) counter->learn(bit);
        return bit;
    }

private:
    // Places beyond the last are 0 and stay without a weight.
    static constexpr std::size_t kLogits = (Distributions + Counters + kLanes - 1) / kLanes * kLanes;
    // Q16: 0.9 and 0.1.
    static constexpr std::int32_t kDistributionsWeight = 58982, kCountersWeight = 6554, kHalf = 32768;
    static constexpr std::int32_t kFinalRate = 131, kRate = 200;
    static constexpr std::uint32_t kFirstRate = 1200, kRows = 32;

    const Kernels* kernels_;
    std::int32_t rate_ = 0;
    std::array<std::vector<std::int32_t>, 2> mixers_;
    std::vector<std::int32_t> final_;
};

}  // namespace recodec::lossless
