// Weights of an entropy model, checked and laid out for the coder.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "integer_tensors.hpp"

namespace recodec {

class EntropyTables {
public:
    // Throws Error (format) where a tensor is missing, has a wrong shape, or holds values that could overflow.
    explicit EntropyTables(const IntegerTensors& tensors);

    static constexpr std::size_t kCausalTaps = 4, kStateTaps = 9;

    std::size_t iterations = 0, depth = 0, width = 0, embedding_width = 0, groups = 0;
    std::size_t bits = 0;  // per position: one per code with two symbols, two with three

    bool ternary() const { return bits == 2 * depth; }
    std::size_t codes_per_group() const { return depth / groups; }
    std::size_t bits_per_group() const { return bits / groups; }
    // What a code says, Q5: to the layer of its own position (width), to the embedding (embedding_width), and
    // directly to the bits after it. Bits lie group by group; in a group those of being active come first.
    const std::int16_t* row(std::size_t iteration, bool positive, std::size_t channel) const {
        return rows_.data() + ((iteration * 2 + positive) * depth + channel) * row_size();
    }
    std::size_t row_size() const { return width + embedding_width + bits; }
    // For AddProduct; taps are those of a 3×3 kernel in raster order, the causal ones its first four.
    const std::int16_t* causal(std::size_t tap) const { return causal_.data() + tap * embedding_width * width; }
    const std::int16_t* state(std::size_t tap) const { return state_.data() + tap * embedding_width * width; }
    const std::int16_t* recurrence() const { return recurrence_.data(); }
    const std::int16_t* former() const { return former_.data(); }
    const std::int16_t* output(std::size_t iteration, std::size_t group) const {
        return output_.data() + (iteration * groups + group) * width * bits_per_group();
    }
    // Q12, by iteration.
    const std::int32_t* embedding_bias(std::size_t t) const { return embedding_bias_.data() + t * embedding_width; }
    // Q14, by iteration.
    const std::int32_t* state_bias(std::size_t t) const { return state_bias_.data() + t * width; }
    const std::int32_t* hidden_bias(std::size_t t) const { return hidden_bias_.data() + t * width; }
    const std::int32_t* output_bias(std::size_t t, std::size_t group) const {
        return output_bias_.data() + t * bits + group * bits_per_group();
    }

private:
    // Where a bit of a weights file (all active bits, then all signs) lies among those of its group.
    std::size_t grouped(std::size_t bit) const;
    void lay_out_rows(const IntegerTensors& tensors);

    AlignedVector rows_, causal_, state_, recurrence_, former_, output_;
    std::vector<std::int32_t> embedding_bias_, state_bias_, hidden_bias_, output_bias_;
};

}  // namespace recodec
