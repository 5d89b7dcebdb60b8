#include "entropy_tables.hpp"

#include "error.hpp"

namespace recodec {

namespace {

constexpr std::size_t kMostDepth = 256, kMostIterations = 255;

// Q12 to the sums' Q14.
std::vector<std::int32_t> as_sums(std::vector<std::int32_t> biases) {
    for (std::int32_t& bias : biases) bias *= 4;
    return biases;
}

}  // namespace

std::size_t EntropyTables::grouped(std::size_t bit) const {
    const std::size_t kind = bit / depth, channel = bit % depth, share = codes_per_group();
    return channel / share * bits_per_group() + kind * share + channel % share;
}

EntropyTables::EntropyTables(const IntegerTensors& tensors) {
    const IntegerTensor& first = find_tensor(tensors, "embedding");
    const IntegerTensor& hidden = find_tensor(tensors, "former");
    const IntegerTensor& last = find_tensor(tensors, "output");
    const IntegerTensor& count = find_tensor(tensors, "groups");
    if (first.shape.size() != 3 || first.shape[1] % 2 != 0) reject_tensor("embedding", "has shape " + shape_text(first.shape));
    if (hidden.shape.size() != 2) reject_tensor("former", "has shape " + shape_text(hidden.shape));
    if (last.shape.size() != 3) reject_tensor("output", "has shape " + shape_text(last.shape));
    if (count.shape != Shape{1} || count.values.size() != 1) reject_tensor("groups", "must be one number");
    iterations = first.shape[0];
    depth = first.shape[1] / 2;
    embedding_width = first.shape[2];
    width = hidden.shape[0];
    bits = last.shape[1];
    groups = count.values[0] < 1 ? 0 : static_cast<std::size_t>(count.values[0]);
    if (iterations < 1 || iterations > kMostIterations || depth < 1 || depth > kMostDepth || !is_width(embedding_width)) {
        reject_tensor("embedding", "has shape " + shape_text(first.shape) + "; iterations must lie in 1..255, channels in 1..256, "
                            "the width must be a multiple of 8 up to 256");
    }
    if (!is_width(width)) {
        reject_tensor("former", "has shape " + shape_text(hidden.shape) + "; the width must be a multiple of 8 up to 256");
    }
    if (bits != depth && bits != 2 * depth) reject_tensor("output", "has shape " + shape_text(last.shape));
    if (groups < 1 || depth % groups != 0 || bits_per_group() % 8 != 0) {
        reject_tensor("groups", "is " + std::to_string(count.values[0]) + "; groups must divide the " + std::to_string(depth) +
                             " channels into parts of multiples of 8 bits");
    }

    lay_out_rows(tensors);
    const auto matrices = [&](const std::string& name, const Shape& shape, std::size_t inputs) {
        const auto& values = checked_tensor(tensors, name, shape, kLargestWeight);
        AlignedVector result(values.size());
        for (std::size_t at = 0; at < values.size(); at += width * inputs) {
            lay_out_matrix(values.data() + at, inputs, width, result.data() + at);
        }
        return result;
    };
    causal_ = matrices("causal", {kCausalTaps, width, embedding_width}, embedding_width);
    state_ = matrices("state", {kStateTaps, width, embedding_width}, embedding_width);
    recurrence_ = matrices("recurrence", {width, width}, width);
    former_ = matrices("former", {width, width}, width);
    const auto& output = checked_tensor(tensors, "output", {iterations, bits, width}, kLargestWeight);
    const auto& output_bias = checked_tensor(tensors, "output_bias", {iterations, bits}, kLargestBias);
    std::vector<std::int32_t> ordered(bits * width);
    output_.resize(output.size());
    output_bias_.resize(output_bias.size());
    for (std::size_t t = 0; t < iterations; ++t) {
        for (std::size_t bit = 0; bit < bits; ++bit) {
            output_bias_[t * bits + grouped(bit)] = output_bias[t * bits + bit] * 4;
            for (std::size_t i = 0; i < width; ++i) {
                ordered[grouped(bit) * width + i] = output[(t * bits + bit) * width + i];
            }
        }
        for (std::size_t group = 0; group < groups; ++group) {
            const std::size_t size = bits_per_group() * width;
            lay_out_matrix(ordered.data() + group * size, width, bits_per_group(),
                    output_.data() + (t * groups + group) * size);
        }
    }
    embedding_bias_ = checked_tensor(tensors, "embedding_bias", {iterations, embedding_width}, kLargestBias);
    state_bias_ = as_sums(checked_tensor(tensors, "state_bias", {iterations, width}, kLargestBias));
    hidden_bias_ = as_sums(checked_tensor(tensors, "hidden_bias", {iterations, width}, kLargestBias));
}

void EntropyTables::lay_out_rows(const IntegerTensors& tensors) {
    const auto& own = checked_tensor(tensors, "own", {iterations, 2 * depth, width}, kLargestWeight);
    const auto& embedding = checked_tensor(tensors, "embedding", {iterations, 2 * depth, embedding_width}, kLargestWeight);
    const auto& direct = checked_tensor(tensors, "direct", {iterations, 2 * depth, bits}, kLargestWeight);
    rows_.resize(iterations * 2 * depth * row_size());
    for (std::size_t row = 0; row < iterations * 2 * depth; ++row) {
        std::int16_t* to = rows_.data() + row * row_size();
        for (std::size_t i = 0; i < width; ++i) to[i] = static_cast<std::int16_t>(own[row * width + i]);
        to += width;
        for (std::size_t i = 0; i < embedding_width; ++i) {
            to[i] = static_cast<std::int16_t>(embedding[row * embedding_width + i]);
        }
        to += embedding_width;
        for (std::size_t bit = 0; bit < bits; ++bit) {
            const std::int32_t weight = direct[row * bits + bit];
            if (bit % depth <= row % depth && weight != 0) reject_tensor("direct", "looks at a code before it is known");
            to[grouped(bit)] = static_cast<std::int16_t>(weight);
        }
    }
}

}  // namespace recodec
