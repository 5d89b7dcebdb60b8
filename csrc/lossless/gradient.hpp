// A linear prediction whose weights follow the gradient of its squared error, normalised (NLMS). Defined in FORMAT.md.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "kernels.hpp"

namespace recodec::lossless {

class GradientPredictor {
public:
    // `rate` in 1/1024. One input may begin with the weight 1, beside a quarter for each of the first four.
    GradientPredictor(std::size_t inputs, std::int32_t rate, std::size_t whole) : rate_(rate), weights_(inputs) {
        std::fill_n(weights_.begin(), std::min<std::size_t>(inputs, 4), kOne / 4);
        if (whole < inputs) weights_[whole] = kOne;
    }

    // Q6.
    std::int32_t predict(const Inputs& inputs) const {
        std::int32_t sum = 0;
        for (std::size_t i = 0; i < weights_.size(); ++i) sum += weights_[i] * inputs[i];
        return sum >> 10;
    }

    // After an error in Q6; `energy` is a quarter of the sum of the inputs' squares.
    void learn(const Inputs& inputs, std::int32_t error, std::int32_t energy) {
        const std::int64_t step = std::int64_t{error} * rate_ * 16 / (energy + 64);
        const auto bounded = static_cast<std::int32_t>(std::clamp<std::int64_t>(step, -kMostStep, kMostStep));
        for (std::size_t i = 0; i < weights_.size(); ++i) {
            const std::int32_t change = (bounded * inputs[i] + 512) >> 10;
            weights_[i] = std::clamp(weights_[i] + change, -kMostWeight, kMostWeight);
        }
    }

private:
    // Q16. 39 inputs of 255 times the largest weights are less than 2^31.
    static constexpr std::int32_t kOne = 1 << 16, kMostWeight = 3 << 16, kMostStep = 1 << 22;

    std::int32_t rate_;
    std::vector<std::int32_t> weights_;
};

}  // namespace recodec::lossless
