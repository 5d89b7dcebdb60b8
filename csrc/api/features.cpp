#include "features.hpp"

#include <algorithm>

#include "../sizes.hpp"
#include "in_parts.hpp"

namespace recodec {

namespace {

ConvolveRows chosen_rows() {
#ifdef RECODEC_X86
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return convolve_rows_avx2;
#endif
    return convolve_rows_portable;
}

}  // namespace

FeatureMap::FeatureMap(std::size_t rows_, std::size_t columns_, std::size_t width_)
    : rows(rows_), columns(columns_), width(width_), values_(size_product({rows + 2, columns + 2, width})) {}

Convolution::Convolution(const std::vector<float>& weights, const std::vector<float>& bias, std::size_t inputs_,
                         std::size_t side_)
    : inputs(inputs_), outputs(bias.size()), side(side_) {
    const std::size_t blocks = (outputs + kBlock - 1) / kBlock, taps = side * side;
    weights_.resize(blocks * taps * inputs * kBlock);
    bias_.resize(blocks * kBlock);
    std::copy(bias.begin(), bias.end(), bias_.begin());
    for (std::size_t o = 0; o < outputs; ++o) {
        for (std::size_t i = 0; i < inputs; ++i) {
            for (std::size_t tap = 0; tap < taps; ++tap) {
                weights_[((o / kBlock * taps + tap) * inputs + i) * kBlock + o % kBlock] =
                    weights[(o * inputs + i) * taps + tap];
            }
        }
    }
}

FeatureMap Convolution::operator()(const FeatureMap& x, std::size_t threads) const {
    FeatureMap y(x.rows, x.columns, outputs);
    static const ConvolveRows convolve_rows = chosen_rows();
    const auto stride = [](const FeatureMap& map) { return static_cast<std::ptrdiff_t>((map.columns + 2) * map.width); };
    in_parts(x.rows, threads, [&](std::size_t begin, std::size_t end) {
        const auto first = static_cast<std::ptrdiff_t>(begin);
        convolve_rows({weights_.data(), bias_.data(), inputs, outputs, side, x.at(first, 0), y.at(first, 0), end - begin,
                       x.columns, stride(x), stride(y)});
    });
    return y;
}

}  // namespace recodec
