// Maps of features, and the convolutions between them, in float32.
#pragma once

#include <cstddef>
#include <vector>

namespace recodec {

// rows x columns x width, features of a position together, with a border of zeros one position wide.
class FeatureMap {
public:
    FeatureMap() = default;
    // Throws Error (limit) for more than can be addressed.
    FeatureMap(std::size_t rows, std::size_t columns, std::size_t width);

    std::size_t rows = 0, columns = 0, width = 0;

    // Of the position (y, x); y from -1 to rows, x from -1 to columns. Positions of a row follow each other.
    float* at(std::ptrdiff_t y, std::ptrdiff_t x) { return values_.data() + place(y, x); }
    const float* at(std::ptrdiff_t y, std::ptrdiff_t x) const { return values_.data() + place(y, x); }

private:
    std::size_t place(std::ptrdiff_t y, std::ptrdiff_t x) const {
        return (static_cast<std::size_t>(y + 1) * (columns + 2) + static_cast<std::size_t>(x + 1)) * width;
    }

    std::vector<float> values_;
};

// A convolution of 1x1 or 3x3, whose weights are laid out for blocks of outputs.
class Convolution {
public:
    static constexpr std::size_t kBlock = 16;

    Convolution() = default;
    // `weights` are outputs x inputs x side x side; `bias` has as many as outputs.
    Convolution(const std::vector<float>& weights, const std::vector<float>& bias, std::size_t inputs, std::size_t side);

    std::size_t inputs = 0, outputs = 0, side = 0;

    // Of a map of `inputs` features, which has zeros around.
    FeatureMap operator()(const FeatureMap& x, std::size_t threads) const;

private:
    // Block by block, tap by tap, input by input: kBlock outputs, zeros beyond the last.
    std::vector<float> weights_, bias_;
};

// Rows of a convolution, as plain numbers: files for single sets of instructions share no code with others.
struct ConvolvedRows {
    const float *weights, *bias;          // as of Convolution
    std::size_t inputs, outputs, side;
    const float* x;                       // of the first row's first position
    float* y;
    std::size_t rows, columns;
    std::ptrdiff_t x_stride, y_stride;    // numbers from a row to the next
};
using ConvolveRows = void (*)(const ConvolvedRows& work);
void convolve_rows_portable(const ConvolvedRows& work);
void convolve_rows_avx2(const ConvolvedRows& work);

}  // namespace recodec
