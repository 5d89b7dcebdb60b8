// A sample as binary decisions: on which side of the centre it lies, in which bucket of distances, where in the bucket.
// FORMAT.md, section 14.8.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "distribution.hpp"
#include "planes.hpp"

namespace recodec::lossless {

// Where buckets begin: one value, one, two, two, four and so on.
template <std::size_t Buckets>
inline constexpr auto kBounds = [] {
    std::array<std::int32_t, Buckets + 1> bounds{};
    for (std::size_t i = 0; i < Buckets; ++i) bounds[i + 1] = bounds[i] + (1 << i / 2);
    return bounds;
}();

// Buckets reach from any sample of 8 bits, or with Deep of 16, to any other.
template <bool Deep, std::size_t Distributions>
struct ErrorCoder {
    static constexpr std::size_t kBuckets = Deep ? 31 : 15;
    static constexpr std::size_t kUp = 1, kDown = kUp + kBuckets, kInside = kDown + kBuckets, kNodes = kInside + kBuckets;

    // `decide(bit, node, said, logits)` codes a decision and returns it; `said` is 0, or one more than what it is for the
    // `expected` sample, if there is one (not -1) and it would come to the decision.
    template <class Decide>
    static std::int32_t code(std::int32_t sample, std::int32_t centre, std::int32_t most_sample,
                             const std::array<Logistic, Distributions>& distributions, std::int32_t expected,
                             const Decide& decide) {
        constexpr const auto& bounds = kBounds<kBuckets>;
        std::array<std::int32_t, Distributions> logits, near, far{};
        const std::int32_t floor = centre / kUnit;
        for (std::size_t i = 0; i < Distributions; ++i) {
            near[i] = distributions[i].distance(floor * kUnit + kUnit / 2);
            logits[i] = std::clamp(-near[i], -kMostLogit, kMostLogit);
        }
        const bool up = floor < most_sample && decide(sample > floor, 0, expected < 0 ? 0u : 1u + (expected > floor), logits);
        // From here on outwards, so that all distances grow.
        const std::int32_t nearest = up ? floor + 1 : floor, most = up ? most_sample - nearest : nearest;
        const std::int32_t outward = up ? 1 : -1;
        const auto beyond = [&](std::int32_t magnitude, std::array<std::int32_t, Distributions>& shares) {
            const std::int32_t edge = (nearest + outward * magnitude) * kUnit - outward * kUnit / 2;
            for (std::size_t i = 0; i < Distributions; ++i) shares[i] = softplus(outward * distributions[i].distance(edge));
        };
        const std::int32_t magnitude = outward * (sample - nearest);
        const std::int32_t likely = expected < 0 ? -1 : outward * (expected - nearest);
        const auto said = [&](std::int32_t low, std::int32_t high, std::int32_t bound) {
            return likely < low || likely >= high ? 0u : 1u + (likely < bound);
        };
        for (std::size_t i = 0; i < Distributions; ++i) near[i] = softplus(outward * near[i]);

        std::size_t bucket = 0;
        bool within = false;
        for (; !within && bounds[bucket + 1] <= most; bucket += !within) {
            beyond(bounds[bucket + 1], far);
            for (std::size_t i = 0; i < Distributions; ++i) logits[i] = logit_of_share(far[i] - near[i]);
            const std::uint32_t hint = said(bounds[bucket], most + 1, bounds[bucket + 1]);
            within = decide(magnitude < bounds[bucket + 1], (up ? kUp : kDown) + bucket, hint, logits);
            if (!within) near = far;
        }
        std::int32_t low = bounds[bucket], high = std::min(bounds[bucket + 1], most + 1);
        if (!within) beyond(high, far);
        while (high - low > 1) {
            const std::int32_t middle = (low + high) / 2;
            std::array<std::int32_t, Distributions> between;
            beyond(middle, between);
            for (std::size_t i = 0; i < Distributions; ++i) {
                const std::int32_t rest = far[i] - between[i];
                const std::int32_t logit = logit_of_share(between[i] - near[i]) - logit_of_share(rest) + (rest >> 4);
                logits[i] = std::clamp(logit, -kMostLogit, kMostLogit);
            }
            if (decide(magnitude < middle, kInside + bucket, said(low, high, middle), logits)) {
                high = middle;
                far = between;
            } else {
                low = middle;
                near = between;
            }
        }
        return nearest + outward * low;
    }
};

}  // namespace recodec::lossless
