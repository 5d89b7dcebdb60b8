// What several linear predictors make of a sample, and their blend by what each missed nearby. FORMAT.md, sections 14.4
// to 14.6.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <type_traits>
#include <vector>

#include "gradient.hpp"
#include "least_squares.hpp"
#include "neighbourhood.hpp"
#include "planes.hpp"
#include "settings.hpp"

namespace recodec::lossless {

// The median of left, above and their sum less the corner.
constexpr std::int32_t median_of(std::int32_t left, std::int32_t above, std::int32_t corner) {
    if (corner >= std::max(left, above)) return std::min(left, above);
    if (corner <= std::min(left, above)) return std::max(left, above);
    return left + above - corner;
}

template <class Setting, bool Deep>
class Predictors {
public:
    // By least squares in each window, two that follow gradients, quickly and slowly, and the median of neighbours.
    static constexpr std::size_t kWindows = Setting::kWindows.size(), kQuick = kWindows, kMedian = kWindows + 2,
                                 kCount = kWindows + 3;

    struct Prediction {
        std::array<std::int32_t, kCount> each;  // Q6
        std::int32_t blend;                     // Q6
    };

    // The last of `planes` is predicted.
    Predictors(const PlanesSoFar& planes, std::uint32_t width, const SampleRange& range, const Kernels& kernels)
        : planes_(planes),
          range_(range),
          width_(width),
          neighbourhood_(planes.samples(), planes.size() == 1 ? Setting::kAlone : Setting::kAfter),
          gradients_{Gradient(neighbourhood_.size(), 480, neighbourhood_.same_place(), range.noise),
                     Gradient(neighbourhood_.size(), 48, neighbourhood_.same_place(), range.noise)} {
        for (const Window& window : Setting::kWindows) {
            squares_.emplace_back(std::min(window.inputs, neighbourhood_.size()), width, window.fading, kernels);
        }
        for (auto* rows : {&above_, &here_}) {
            for (auto& row : *rows) row.assign(std::size_t{width} + 2, first_error());
        }
    }

    void begin_row() {
        for (LeastSquares& window : squares_) window.begin_row();
        left_.fill(first_error());
    }

    Prediction predict(std::uint32_t y, std::uint32_t x) {
        mean_ = neighbourhood_.take(y, x, values_);
        if constexpr (Deep) {
            for (std::size_t i = 0; i < neighbourhood_.size(); ++i) inputs_[i] = coarse(values_[i]);
        }
        Prediction prediction;
        for (std::size_t w = 0; w < kWindows; ++w) {
            if (x % kGroup == 0) squares_[w].solve(x);
            Sum linear = 0;
            for (std::size_t i = 0; i < squares_[w].inputs(); ++i) linear += Sum{squares_[w].weights()[i]} * values_[i];
            prediction.each[w] = within(mean_ * kUnit + ((linear + 32) >> 6));
        }
        for (std::size_t i = 0; i < 2; ++i) {
            by_gradient_[i] = gradients_[i].predict(values_);
            prediction.each[kQuick + i] = within(mean_ * kUnit + by_gradient_[i]);
        }
        prediction.each[kMedian] = within(median(y, x) * kUnit);
        prediction.blend = blend(x, prediction.each);
        return prediction;
    }

    // What predictor i missed to the left and above, six times, Q6.
    std::int32_t missed_near(std::size_t i, std::uint32_t x) const {
        const std::int32_t* above = &above_[i][x + 1];
        return 2 * left_[i] + 2 * above[0] + above[1] + above[-1];
    }

    // What came; `activity` as of `Surroundings`.
    void learn(std::uint32_t x, std::int32_t sample, const Prediction& prediction, std::int32_t activity) {
        for (std::size_t i = 0; i < kCount; ++i) {
            left_[i] = here_[i][x + 1] = std::abs(sample * kUnit - prediction.each[i]);
        }
        const std::int32_t difference = sample - mean_;
        std::int16_t target;
        if constexpr (Deep) target = coarse(difference);
        else target = static_cast<std::int16_t>(difference);
        for (std::size_t w = 0; w < kWindows; ++w) {
            const std::int32_t trust = std::max(Setting::kWindows[w].trust / (16 + activity), 1);
            squares_[w].learn(x, Deep ? inputs_ : values_as_inputs(), target, static_cast<std::int16_t>(trust));
        }
        std::int64_t energy = 0;
        for (std::size_t i = 0; i < neighbourhood_.size(); ++i) energy += Sum{values_[i]} * values_[i];
        for (std::size_t i = 0; i < 2; ++i) {
            gradients_[i].learn(values_, difference * kUnit - by_gradient_[i], energy / 4);
        }
    }

    void end_row() {
        for (LeastSquares& window : squares_) window.end_row();
        for (std::size_t i = 0; i < kCount; ++i) {
            here_[i].front() = here_[i][1];
            here_[i].back() = here_[i][width_];
            std::swap(here_[i], above_[i]);
        }
    }

private:
    using Gradient = GradientPredictor<Deep>;
    using Sum = typename Gradient::Sum;
    using Values = std::conditional_t<Deep, std::array<std::int32_t, kPlaces>, Inputs>;

    const Inputs& values_as_inputs() const {
        if constexpr (Deep) return inputs_;
        else return values_;
    }

    std::int32_t first_error() const { return 4 * kUnit << range_.noise; }

    std::int16_t coarse(std::int32_t difference) const {
        const std::int32_t half = range_.noise == 0 ? 0 : 1 << (range_.noise - 1);
        return static_cast<std::int16_t>(std::clamp((difference + half) >> range_.noise, -255, 255));
    }

    std::int32_t within(Sum value) const {
        return static_cast<std::int32_t>(std::clamp<Sum>(value, 0, Sum{range_.most} * kUnit));
    }

    std::int32_t median(std::uint32_t y, std::uint32_t x) const {
        const std::uint16_t* at = planes_.at_work().samples.at(y, x);
        const std::ptrdiff_t up = -planes_.at_work().samples.stride();
        if (planes_.size() == 1) return median_of(at[-1], at[up], at[up - 1]);
        const std::uint16_t* other = planes_.before().samples.at(y, x);
        return other[0] + median_of(at[-1] - other[-1], at[up] - other[up], at[up - 1] - other[up - 1]);
    }

    std::int32_t blend(std::uint32_t x, const std::array<std::int32_t, kCount>& each) const {
        std::array<std::int32_t, kCount> errors;
        for (std::size_t i = 0; i < kCount; ++i) errors[i] = missed_near(i, x) + (20 << range_.noise);
        const std::int32_t least = std::ranges::min(errors);
        std::int64_t total = 0, sum = 0;
        for (std::size_t i = 0; i < kCount; ++i) {
            // (least / error)^4 in Q20.
            const std::int64_t ratio = (std::int64_t{least} << 16) / errors[i], squared = ratio * ratio >> 16;
            const std::int64_t weight = squared * squared >> 12;
            total += weight;
            sum += weight * each[i];
        }
        return static_cast<std::int32_t>(sum / total);
    }

    PlanesSoFar planes_;
    SampleRange range_;
    std::uint32_t width_;
    Neighbourhood neighbourhood_;
    std::vector<LeastSquares> squares_;
    std::array<Gradient, 2> gradients_;
    Values values_{};
    Inputs inputs_{};
    std::int32_t mean_ = 0;
    std::array<std::int32_t, 2> by_gradient_{};
    // What each predictor missed in the row above and, as far as it is coded, in this one; one beyond either end.
    std::array<std::vector<std::int32_t>, kCount> above_, here_;
    std::array<std::int32_t, kCount> left_{};
};

}  // namespace recodec::lossless
