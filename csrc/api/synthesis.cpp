#include "synthesis.hpp"

#include <algorithm>
#include <cmath>

#include "../error.hpp"
#include "../sizes.hpp"
#include "in_parts.hpp"

namespace recodec {

namespace {

constexpr std::size_t kBranchStride = 8;
constexpr float kSlope = 0.1f, kGateRange = 1.5f, kPixelScale = 2.0f;

const std::vector<float>& tensor(const FloatTensors& tensors, const std::string& name, const Shape& shape) {
    const auto found = tensors.find(name);
    if (found == tensors.end()) reject_tensor(name, "is missing");
    if (found->second.shape != shape) {
        reject_tensor(name, "has shape " + shape_text(found->second.shape) + ", not " + shape_text(shape));
    }
    return found->second.values;
}

Convolution convolution(const FloatTensors& tensors, const std::string& name, std::size_t inputs, std::size_t outputs,
                        std::size_t side) {
    return {tensor(tensors, name + ".weight", {outputs, inputs, side, side}), tensor(tensors, name + ".bias", {outputs}),
            inputs, side};
}

// Of a layer with `parts` times as many outputs.
std::size_t width_of(const FloatTensors& tensors, const std::string& name, std::size_t parts) {
    const auto found = tensors.find(name + ".bias");
    const std::size_t outputs = found == tensors.end() || found->second.shape.size() != 1 ? 0 : found->second.shape[0];
    if (outputs == 0 || outputs % parts != 0 || outputs / parts > kMostWidth) {
        reject_tensor(name + ".bias", "is missing or of no width up to " + std::to_string(kMostWidth));
    }
    return outputs / parts;
}

float gate(float strength) { return std::exp(kGateRange * std::tanh(strength)); }

// Calls work(y, x) for every position.
template <class Work>
void at_positions(const FeatureMap& map, std::size_t threads, const Work& work) {
    in_parts(map.rows, threads, [&](std::size_t begin, std::size_t end) {
        for (std::size_t y = begin; y < end; ++y) {
            for (std::size_t x = 0; x < map.columns; ++x) {
                work(static_cast<std::ptrdiff_t>(y), static_cast<std::ptrdiff_t>(x));
            }
        }
    });
}

// Block-major: feature (dy·f + dx)·C + c goes to (f·y + dy, f·x + dx), c.
FeatureMap depth_to_space(const FeatureMap& from, std::size_t factor, std::size_t threads) {
    FeatureMap to(from.rows * factor, from.columns * factor, from.width / (factor * factor));
    at_positions(from, threads, [&](std::ptrdiff_t y, std::ptrdiff_t x) {
        const float* block = from.at(y, x);
        const std::size_t row = factor * to.width;
        for (std::size_t dy = 0; dy < factor; ++dy) {
            const auto f = static_cast<std::ptrdiff_t>(factor);
            std::copy_n(block + dy * row, row, to.at(f * y + static_cast<std::ptrdiff_t>(dy), f * x));
        }
    });
    return to;
}

// The linear path with the gates of its biases, and the mean over each block of 8x8 pixels instead of those.
Convolution draft_of(const std::vector<float>& weights, const std::vector<float>& bias, const std::vector<float>& strength) {
    constexpr std::size_t kSide = Synthesis::kStride / Synthesis::kDraftStride, kOutputs = 3 * kSide * kSide;
    constexpr auto kShare = 1.0f / (Synthesis::kDraftStride * Synthesis::kDraftStride);
    const std::size_t channels = strength.size();
    std::vector<float> means(kOutputs * channels), mean_bias(kOutputs);
    for (std::size_t from = 0; from < bias.size(); ++from) {
        const std::size_t colour = from % 3, x = from / 3 % Synthesis::kStride, y = from / 3 / Synthesis::kStride;
        const std::size_t to = (y / Synthesis::kDraftStride * kSide + x / Synthesis::kDraftStride) * 3 + colour;
        mean_bias[to] += kShare * bias[from];
        for (std::size_t c = 0; c < channels; ++c) {
            means[to * channels + c] += kShare * gate(strength[c]) * weights[from * channels + c];
        }
    }
    return {means, mean_bias, channels, 1};
}

}  // namespace

Synthesis::Synthesis(const FloatTensors& tensors, std::span<const std::uint8_t> chunk_of, std::size_t channels,
                     std::size_t planes, std::size_t chunks)
    : channels_(channels) {
    threshold_ = tensor(tensors, "threshold", {channels});
    scale_ = tensor(tensors, "scale", {channels});
    const auto& points = tensor(tensors, "point", {2, channels, planes});
    const auto& log_gain = tensor(tensors, "log_gain", {chunks, channels});
    for (const float gain : log_gain) gain_.push_back(std::exp(gain));
    const std::string synthesis = "synthesis.";
    const std::size_t inner_width = width_of(tensors, synthesis + "head", 1);
    offset_ = tensor(tensors, "offset", {chunks, inner_width});
    head_ = convolution(tensors, synthesis + "head", channels, inner_width, 3);
    strength_ = convolution(tensors, synthesis + "strength", inner_width, channels, 1);
    linear_ = convolution(tensors, synthesis + "linear", channels, 3 * kStride * kStride, 1);
    draft_ = draft_of(tensors.at(synthesis + "linear.weight").values, tensors.at(synthesis + "linear.bias").values,
                      tensors.at(synthesis + "strength.bias").values);
    const auto blocks = [&](const std::string& name, std::size_t width) {
        std::vector<Block> found;
        for (std::size_t i = 0; tensors.contains(name + "." + std::to_string(i) + ".inner.weight"); ++i) {
            const std::string block = name + "." + std::to_string(i);
            found.push_back({convolution(tensors, block + ".inner", width, width, 3),
                             convolution(tensors, block + ".outer", width, width, 3)});
        }
        return found;
    };
    inner_blocks_ = blocks(synthesis + "inner_blocks", inner_width);
    // Its outputs become twice as many positions along each side.
    const std::size_t width = width_of(tensors, synthesis + "grow.mix", 4);
    grow_ = convolution(tensors, synthesis + "grow.mix", inner_width, 4 * width, 1);
    blocks_ = blocks(synthesis + "blocks", width);
    output_ = convolution(tensors, synthesis + "output", width, 3 * kBranchStride * kBranchStride, 3);

    for (std::size_t known = 0; known <= chunks; ++known) {
        for (std::size_t c = 0; c < channels; ++c) {
            const std::uint8_t* own = chunk_of.data() + c * planes;
            const auto plane = static_cast<std::size_t>(
                std::find_if(own, own + planes, [&](std::uint8_t chunk) { return chunk < known; }) - own);
            const std::size_t place = std::min(plane, planes - 1);
            const auto unit = static_cast<float>(std::uint32_t{1} << plane);
            unit_.push_back(std::uint32_t{1} << plane);
            first_.push_back(std::clamp(points[c * planes + place], 0.0f, 1.0f) * unit);
            others_.push_back(std::clamp(points[(channels + c) * planes + place], 0.0f, 1.0f) * unit);
        }
    }
}

std::uint64_t Synthesis::bytes(std::uint64_t positions) const {
    // Three maps at 1/8 live at once, and the pixels of both paths, before and after they are put in place.
    const std::uint64_t branch = 4 * (3 * grow_.outputs / 4 + 2 * output_.outputs), pixels = 2 * 3 * kStride * kStride;
    return 4 * positions * (branch + pixels + 3 * channels_);
}

FeatureMap Synthesis::values(std::span<const std::int32_t> indices, std::size_t rows, std::size_t columns,
                             std::size_t chunks) const {
    FeatureMap found(rows, columns, channels_);
    const std::size_t plane = rows * columns, first = chunks * channels_;
    for (std::size_t c = 0; c < channels_; ++c) {
        const std::uint32_t unit = unit_[first + c];
        const float factor = threshold_[c] * gain_[(chunks - 1) * channels_ + c];
        for (std::size_t i = 0; i < plane; ++i) {
            const std::int32_t index = indices[c * plane + i];
            if (index == 0) continue;
            const auto size = static_cast<std::uint32_t>(index < 0 ? -index : index);
            const float known = static_cast<float>(size) + (size > unit ? others_ : first_)[first + c];
            found.at(static_cast<std::ptrdiff_t>(i / columns), static_cast<std::ptrdiff_t>(i % columns))[c] =
                (index < 0 ? -known : known) * factor;
        }
    }
    return found;
}

void Synthesis::add_residuals(const std::vector<Block>& blocks, FeatureMap& x, std::size_t threads) {
    for (const Block& block : blocks) {
        FeatureMap inner = block.inner(x, threads);
        at_positions(inner, threads, [&](std::ptrdiff_t row, std::ptrdiff_t column) {
            float* at = inner.at(row, column);
            for (std::size_t i = 0; i < inner.width; ++i) at[i] = at[i] > 0 ? at[i] : kSlope * at[i];
        });
        const FeatureMap outer = block.outer(inner, threads);
        at_positions(x, threads, [&](std::ptrdiff_t row, std::ptrdiff_t column) {
            float* at = x.at(row, column);
            const float* addition = outer.at(row, column);
            for (std::size_t i = 0; i < x.width; ++i) at[i] += addition[i];
        });
    }
}

FeatureMap Synthesis::operator()(std::span<const std::int32_t> indices, std::size_t rows, std::size_t columns,
                                 std::size_t chunks, std::size_t threads) const {
    FeatureMap latents = values(indices, rows, columns, chunks);
    FeatureMap x(rows, columns, channels_);
    at_positions(latents, threads, [&](std::ptrdiff_t row, std::ptrdiff_t column) {
        const float* from = latents.at(row, column);
        float* to = x.at(row, column);
        for (std::size_t c = 0; c < channels_; ++c) to[c] = std::asinh(from[c] / scale_[c]);
    });
    x = head_(x, threads);
    const float* offset = offset_.data() + (chunks - 1) * x.width;
    at_positions(x, threads, [&](std::ptrdiff_t row, std::ptrdiff_t column) {
        float* at = x.at(row, column);
        for (std::size_t i = 0; i < x.width; ++i) at[i] += offset[i];
    });
    add_residuals(inner_blocks_, x, threads);
    const FeatureMap strength = strength_(x, threads);
    at_positions(latents, threads, [&](std::ptrdiff_t row, std::ptrdiff_t column) {
        float* at = latents.at(row, column);
        const float* by = strength.at(row, column);
        for (std::size_t c = 0; c < channels_; ++c) at[c] *= gate(by[c]);
    });
    FeatureMap pixels = depth_to_space(linear_(latents, threads), kStride, threads);
    x = depth_to_space(grow_(x, threads), kStride / kBranchStride, threads);
    add_residuals(blocks_, x, threads);
    const FeatureMap branch = depth_to_space(output_(x, threads), kBranchStride, threads);
    at_positions(pixels, threads, [&](std::ptrdiff_t row, std::ptrdiff_t column) {
        float* at = pixels.at(row, column);
        const float* addition = branch.at(row, column);
        for (std::size_t i = 0; i < pixels.width; ++i) at[i] += addition[i] / kPixelScale;
    });
    return pixels;
}

FeatureMap Synthesis::draft(std::span<const std::int32_t> indices, std::size_t rows, std::size_t columns,
                            std::size_t chunks) const {
    return depth_to_space(draft_(values(indices, rows, columns, chunks), 1), kStride / kDraftStride, 1);
}

}  // namespace recodec
