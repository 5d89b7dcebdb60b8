// The decoder network of the latent codec, from indices to pixels: networks/latent/transform.py in C++.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "../integer_tensors.hpp"
#include "features.hpp"

namespace recodec {

struct FloatTensor {
    Shape shape;
    std::vector<float> values;
};
using FloatTensors = std::map<std::string, FloatTensor>;

class Synthesis {
public:
    // `chunk_of` is that of the order of planes, channels x planes. Throws Error (format) where a tensor is missing or
    // has a wrong shape.
    Synthesis(const FloatTensors& tensors, std::span<const std::uint8_t> chunk_of, std::size_t channels, std::size_t planes,
              std::size_t chunks);

    static constexpr std::size_t kStride = 16;

    // Pixels of channels x rows x columns indices after so many chunks: a map of 16·rows x 16·columns x 3, in -0.5 to 0.5
    // and not clamped.
    FeatureMap operator()(std::span<const std::int32_t> indices, std::size_t rows, std::size_t columns, std::size_t chunks,
                          std::size_t threads) const;

    // The linear path of the same, as it is where no layer says otherwise, in means of 8x8 pixels: 2·rows x 2·columns x 3.
    // Rough, in a thousandth of the time.
    static constexpr std::size_t kDraftStride = 8;
    FeatureMap draft(std::span<const std::int32_t> indices, std::size_t rows, std::size_t columns,
                     std::size_t chunks) const;

    // About the bytes that this takes for so many positions.
    std::uint64_t bytes(std::uint64_t positions) const;

private:
    struct Block {
        Convolution inner, outer;
    };

    FeatureMap values(std::span<const std::int32_t> indices, std::size_t rows, std::size_t columns,
                      std::size_t chunks) const;
    static void add_residuals(const std::vector<Block>& blocks, FeatureMap& x, std::size_t threads);

    std::size_t channels_;
    // By chunks known and channel: lowest bit that is known, and what is added to a magnitude of one such bit, and of more.
    std::vector<std::uint32_t> unit_;
    std::vector<float> first_, others_;
    std::vector<float> threshold_, scale_, gain_, offset_;
    Convolution head_, strength_, grow_, output_, linear_, draft_;
    std::vector<Block> blocks_, inner_blocks_;
};

}  // namespace recodec
