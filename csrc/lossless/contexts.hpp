// Which statistics a sample's decisions are made by. FORMAT.md, section 14.7.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "decisions.hpp"
#include "distribution.hpp"
#include "measures.hpp"
#include "planes.hpp"
#include "predictors.hpp"

namespace recodec::lossless {

// Rows of the tables of counters and of scales, by number.
inline constexpr std::array<std::size_t, 8> kCounterRows = {16 * 13, 9 * 9 * 9, 256 * 4, 256, 9 * 9 * 9, 16 * 16 * 9, 32 * 24, 24 * 4};
inline constexpr std::array<std::size_t, 8> kScaleRows = {24 * 24, 40, 40, 30 * 20, 30 * 24, 30 * 24, 30 * 24, 30 * 24};

// What lies around a sample, and what that says about errors to expect. Magnitudes are Q6 of 2^noise.
struct Surroundings {
    std::int32_t near;      // twice the weighed errors around, in whole units: what trust is told
    std::int32_t activity;  // the same
    std::int32_t spread;    // of predictions
    std::int32_t beside;    // left, above and right of above, plainly
    std::int32_t other_error, other_activity;
    std::uint32_t left_size, above_size, other_size;

    Surroundings(const PlanesSoFar& planes, std::uint32_t y, std::uint32_t x) {
        const std::int16_t* errors = planes.at_work().errors.at(y, x);
        const std::ptrdiff_t up = -planes.at_work().errors.stride();
        const auto missed = [&](std::ptrdiff_t offset) { return std::abs(std::int32_t{errors[offset]}); };
        near = 4 * missed(-1) + 4 * missed(up) + 2 * missed(up - 1) + 2 * missed(up + 1) + missed(-2) + missed(2 * up);
        activity = near * (kUnit / 2);
        beside = (missed(-1) + missed(up) + missed(up + 1)) * kUnit;
        spread = other_error = other_activity = 0;
        if (planes.size() > 1) {
            const ErrorPlane& before = planes.before().errors;
            const std::int16_t* there = before.at(y, x);
            other_error = there[0];
            other_activity = 2 * std::abs(there[0]) + std::abs(there[1]) + std::abs(there[before.stride()]);
            if (planes.size() > 2) other_activity += std::abs(planes.first().errors.at(y, x)[0]);
            other_activity *= kUnit;
        }
        left_size = size_of(errors[-1]);
        above_size = size_of(errors[up]);
        other_size = size_of(other_error);
    }
};

// Samples around one.
struct Neighbours {
    std::int32_t left, left2, above, above2, corner, right;

    Neighbours(const SamplePlane& samples, std::uint32_t y, std::uint32_t x) {
        const std::uint16_t* at = samples.at(y, x);
        const std::ptrdiff_t up = -samples.stride();
        left = at[-1], left2 = at[-2], above = at[up], above2 = at[2 * up], corner = at[up - 1], right = at[up + 1];
    }

    // Which of them, and of what continues them, lie above a prediction, which is Q6: 8 bits.
    std::uint32_t pattern(std::int32_t prediction) const {
        std::uint32_t bits = 0;
        for (const std::int32_t value : {2 * above - above2, 2 * left - left2, above2, left2, right, corner, above, left}) {
            bits = 2 * bits + (value * kUnit > prediction);
        }
        return bits;
    }
};

}  // namespace recodec::lossless
