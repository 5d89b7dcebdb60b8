// A linear prediction whose weights follow the gradient of its squared error, normalised (NLMS). FORMAT.md, section
// 14.6.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <vector>

#include "kernels.hpp"

namespace recodec::lossless {

// Of inputs below 2^8, or with Deep below 2^16.
template <bool Deep>
class GradientPredictor {
public:
    using Sum = std::conditional_t<Deep, std::int64_t, std::int32_t>;

    // `rate` in 1/1024. One input may begin with the weight 1, beside a quarter for each of the first four. Inputs are
    // thought of as 2^noise times as large as they are with 0.
    GradientPredictor(std::size_t inputs, std::int32_t rate, std::size_t whole, int noise)
        : rate_(rate), noise_(noise), weights_(inputs) {
        std::fill_n(weights_.begin(), std::min<std::size_t>(inputs, 4), kOne / 4);
        if (whole < inputs) weights_[whole] = kOne;
    }

    // Q6.
    template <class Values>
    std::int32_t predict(const Values& inputs) const {
        Sum sum = 0;
        for (std::size_t i = 0; i < weights_.size(); ++i) sum += static_cast<Sum>(weights_[i]) * inputs[i];
        return static_cast<std::int32_t>(std::clamp<Sum>(sum >> 10, -kMostSum, kMostSum));
    }

    // After an error in Q6; `energy` is a quarter of the sum of the inputs' squares.
    template <class Values>
    void learn(const Values& inputs, std::int32_t error, std::int64_t energy) {
        const std::int64_t step = (std::int64_t{error} * rate_ * 16 << noise_) / (energy + (std::int64_t{64} << 2 * noise_));
        const Sum bounded = static_cast<Sum>(std::clamp<std::int64_t>(step, -kMostStep, kMostStep));
        const int shift = 10 + noise_;
        for (std::size_t i = 0; i < weights_.size(); ++i) {
            const Sum change = std::clamp<Sum>((bounded * inputs[i] + (Sum{1} << (shift - 1))) >> shift, -kMostChange, kMostChange);
            weights_[i] = std::clamp(weights_[i] + static_cast<std::int32_t>(change), -kMostWeight, kMostWeight);
        }
    }

private:
    // Q16. 39 inputs of 255 times the largest weights are less than 2^31.
    static constexpr std::int32_t kOne = 1 << 16, kMostWeight = 3 << 16, kMostStep = 1 << 22, kMostChange = 1 << 20;
    // Far beyond any sample in Q6.
    static constexpr std::int32_t kMostSum = 1 << 25;

    std::int32_t rate_;
    int noise_;
    std::vector<std::int32_t> weights_;
};

}  // namespace recodec::lossless
