// One plane of samples, each predicted from those that are known, and what was missed coded in binary decisions. Defined in
// FORMAT.md.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "decisions.hpp"
#include "distribution.hpp"
#include "gradient.hpp"
#include "least_squares.hpp"
#include "neighbourhood.hpp"
#include "samples.hpp"

namespace recodec::lossless {

// A plane and what was missed of it.
struct PlanePair {
    PlanePair(std::uint32_t height, std::uint32_t width)
        : samples(height, width, std::uint16_t{128}), errors(height, width, std::int16_t{0}) {}

    SamplePlane samples;
    ErrorPlane errors;
};

class PlaneCoder {
public:
    // The last of `planes` is coded, with those before it known some rows ahead.
    PlaneCoder(const std::vector<PlanePair*>& planes, std::uint32_t width, Reach reach, const Kernels& kernels);

    // Row y; what `bits` makes of the samples takes their place.
    template <class Bits>
    void code_row(Bits& bits, std::uint32_t y);

private:
    // Least squares, two gradients of different rates, the median of neighbours and their sum.
    static constexpr std::size_t kPredictors = 4;
    static constexpr std::int32_t kMost = 255;

    struct Prediction {
        std::array<std::int32_t, kPredictors> each;  // Q6
        std::int32_t blend, centre;                  // Q6; the centre is the blend less its bias
    };
    // What distributions, counters and mixers are chosen by, and the entries that learn.
    struct Scene;
    // A mean that follows what it is told, faster the less it has been told.
    struct Mean {
        std::int32_t value, count;
    };

    std::int32_t median(std::uint32_t y, std::uint32_t x) const;
    std::int32_t blend(std::uint32_t x, const std::array<std::int32_t, kPredictors>& each) const;
    Scene look(std::uint32_t y, std::uint32_t x, Prediction& prediction);
    template <class Bits>
    std::int32_t code_sample(Bits& bits, std::int32_t sample, const Prediction& prediction, const Scene& scene);
    void learn(std::uint32_t y, std::uint32_t x, std::int32_t sample, const Prediction& prediction, Scene& scene);

    std::vector<PlanePair*> planes_;
    PlanePair* plane_;
    std::uint32_t width_;
    Neighbourhood neighbourhood_;
    LeastSquares squares_;
    std::array<GradientPredictor, 2> gradients_;
    Inputs inputs_{};
    std::int32_t mean_ = 0, energy_ = 0;
    std::array<std::int32_t, 2> by_gradient_{};
    // What each predictor missed in the row above and, as far as it is coded, in this one; one beyond either end.
    std::array<std::vector<std::int32_t>, kPredictors> above_, here_;
    std::array<std::int32_t, kPredictors> left_{};
    std::vector<Mean> biases_;
    std::array<std::vector<Mean>, kDistributions> scales_;
    Decisions decisions_;
};

}  // namespace recodec::lossless
