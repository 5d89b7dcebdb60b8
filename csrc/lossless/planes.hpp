// The planes of a strip that a coder knows.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "samples.hpp"

namespace recodec::lossless {

// Of predictions, Q6.
inline constexpr std::int32_t kUnit = 64;

// A plane of samples of 0..most, and what was missed of it.
struct PlanePair {
    PlanePair(std::uint32_t height, std::uint32_t width, std::int32_t most_sample)
        : most(most_sample),
          samples(height, width, static_cast<std::uint16_t>((most + 1) / 2)),
          errors(height, width, std::int16_t{0}) {}

    std::int32_t most;
    SamplePlane samples;
    ErrorPlane errors;
};

// Planes that are known some rows ahead, and the one at work behind them.
class PlanesSoFar {
public:
    explicit PlanesSoFar(std::vector<PlanePair*> planes) : planes_(std::move(planes)) {}

    std::size_t size() const { return planes_.size(); }
    PlanePair& at_work() const { return *planes_.back(); }
    PlanePair& before() const { return *planes_[planes_.size() - 2]; }
    PlanePair& first() const { return *planes_.front(); }

    // Whether samples of any of them take more than 8 bits, whatever those of the one at work take.
    bool deep() const {
        return std::ranges::any_of(planes_, [](const PlanePair* plane) { return plane->most > 255; });
    }

    std::vector<const SamplePlane*> samples() const {
        std::vector<const SamplePlane*> found;
        for (const PlanePair* plane : planes_) found.push_back(&plane->samples);
        return found;
    }

private:
    std::vector<PlanePair*> planes_;
};

}  // namespace recodec::lossless
