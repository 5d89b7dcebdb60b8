// The planes of a strip that a coder knows.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "samples.hpp"

namespace recodec::lossless {

// Of predictions, Q6.
inline constexpr std::int32_t kUnit = 64;

// A plane and what was missed of it.
struct PlanePair {
    PlanePair(std::uint32_t height, std::uint32_t width, std::uint16_t outside)
        : samples(height, width, outside), errors(height, width, std::int16_t{0}) {}

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

    std::vector<const SamplePlane*> samples() const {
        std::vector<const SamplePlane*> found;
        for (const PlanePair* plane : planes_) found.push_back(&plane->samples);
        return found;
    }

private:
    std::vector<PlanePair*> planes_;
};

}  // namespace recodec::lossless
