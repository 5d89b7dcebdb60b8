#include "entropy_tables.hpp"

#include <functional>
#include <numeric>

#include "error.hpp"

namespace recodec {

namespace {

using Shape = std::vector<std::size_t>;

constexpr std::size_t kMostWidth = 256, kMostDepth = 256, kMostIterations = 255;
// Biases and sums of products together stay below 2^31; FORMAT.md, section 10.
constexpr std::int32_t kLargestWeight = 127, kLargestBias = 1 << 26;

bool is_width(std::size_t width) { return width >= 8 && width <= kMostWidth && width % 8 == 0; }

std::string text(const Shape& shape) {
    std::string result;
    for (const std::size_t size : shape) {
        if (!result.empty()) result += 'x';
        result += std::to_string(size);
    }
    return result;
}

[[noreturn]] void reject(const std::string& name, const std::string& what) {
    throw Error(Errc::format, "entropy tensor " + name + " " + what);
}

const IntegerTensor& find(const std::map<std::string, IntegerTensor>& tensors, const std::string& name) {
    const auto found = tensors.find(name);
    if (found == tensors.end()) reject(name, "is missing");
    return found->second;
}

const std::vector<std::int32_t>& checked(const std::map<std::string, IntegerTensor>& tensors, const std::string& name,
                                         const Shape& shape, std::int32_t limit) {
    const IntegerTensor& tensor = find(tensors, name);
    if (tensor.shape != shape) reject(name, "has shape " + text(tensor.shape) + "; it must be " + text(shape));
    const std::size_t count = std::accumulate(shape.begin(), shape.end(), std::size_t{1}, std::multiplies<>());
    if (tensor.values.size() != count) reject(name, "has " + std::to_string(tensor.values.size()) + " values");
    for (const std::int32_t value : tensor.values) {
        if (value < -limit || value > limit) {
            reject(name, "holds " + std::to_string(value) + "; values must lie in -" + std::to_string(limit) + ".." +
                             std::to_string(limit));
        }
    }
    return tensor.values;
}

// Q12 to the sums' Q14.
std::vector<std::int32_t> as_sums(std::vector<std::int32_t> biases) {
    for (std::int32_t& bias : biases) bias *= 4;
    return biases;
}

// One matrix of a weights file, outputs × inputs, as AddProduct wants it.
void lay_out(const std::int32_t* matrix, std::size_t inputs, std::size_t outputs, std::int16_t* to) {
    for (std::size_t o = 0; o < outputs; ++o) {
        for (std::size_t i = 0; i < inputs; ++i) {
            to[i / 2 * 2 * outputs + 2 * o + i % 2] = static_cast<std::int16_t>(matrix[o * inputs + i]);
        }
    }
}

}  // namespace

std::size_t EntropyTables::grouped(std::size_t bit) const {
    const std::size_t kind = bit / depth, channel = bit % depth, share = codes_per_group();
    return channel / share * bits_per_group() + kind * share + channel % share;
}

EntropyTables::EntropyTables(const std::map<std::string, IntegerTensor>& tensors) {
    const IntegerTensor& first = find(tensors, "embedding");
    const IntegerTensor& hidden = find(tensors, "former");
    const IntegerTensor& last = find(tensors, "output");
    const IntegerTensor& count = find(tensors, "groups");
    if (first.shape.size() != 3 || first.shape[1] % 2 != 0) reject("embedding", "has shape " + text(first.shape));
    if (hidden.shape.size() != 2) reject("former", "has shape " + text(hidden.shape));
    if (last.shape.size() != 3) reject("output", "has shape " + text(last.shape));
    if (count.shape != Shape{1} || count.values.size() != 1) reject("groups", "must be one number");
    iterations = first.shape[0];
    depth = first.shape[1] / 2;
    embedding_width = first.shape[2];
    width = hidden.shape[0];
    bits = last.shape[1];
    groups = count.values[0] < 1 ? 0 : static_cast<std::size_t>(count.values[0]);
    if (iterations < 1 || iterations > kMostIterations || depth < 1 || depth > kMostDepth || !is_width(embedding_width)) {
        reject("embedding", "has shape " + text(first.shape) + "; iterations must lie in 1..255, channels in 1..256, "
                            "the width must be a multiple of 8 up to 256");
    }
    if (!is_width(width)) {
        reject("former", "has shape " + text(hidden.shape) + "; the width must be a multiple of 8 up to 256");
    }
    if (bits != depth && bits != 2 * depth) reject("output", "has shape " + text(last.shape));
    if (groups < 1 || depth % groups != 0 || bits_per_group() % 8 != 0) {
        reject("groups", "is " + std::to_string(count.values[0]) + "; groups must divide the " + std::to_string(depth) +
                             " channels into parts of multiples of 8 bits");
    }

    lay_out_rows(tensors);
    const auto matrices = [&](const std::string& name, const Shape& shape, std::size_t inputs) {
        const auto& values = checked(tensors, name, shape, kLargestWeight);
        AlignedVector result(values.size());
        for (std::size_t at = 0; at < values.size(); at += width * inputs) {
            lay_out(values.data() + at, inputs, width, result.data() + at);
        }
        return result;
    };
    causal_ = matrices("causal", {kCausalTaps, width, embedding_width}, embedding_width);
    state_ = matrices("state", {kStateTaps, width, embedding_width}, embedding_width);
    recurrence_ = matrices("recurrence", {width, width}, width);
    former_ = matrices("former", {width, width}, width);
    const auto& output = checked(tensors, "output", {iterations, bits, width}, kLargestWeight);
    const auto& output_bias = checked(tensors, "output_bias", {iterations, bits}, kLargestBias);
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
            lay_out(ordered.data() + group * size, width, bits_per_group(),
                    output_.data() + (t * groups + group) * size);
        }
    }
    embedding_bias_ = checked(tensors, "embedding_bias", {iterations, embedding_width}, kLargestBias);
    state_bias_ = as_sums(checked(tensors, "state_bias", {iterations, width}, kLargestBias));
    hidden_bias_ = as_sums(checked(tensors, "hidden_bias", {iterations, width}, kLargestBias));
}

void EntropyTables::lay_out_rows(const std::map<std::string, IntegerTensor>& tensors) {
    const auto& own = checked(tensors, "own", {iterations, 2 * depth, width}, kLargestWeight);
    const auto& embedding = checked(tensors, "embedding", {iterations, 2 * depth, embedding_width}, kLargestWeight);
    const auto& direct = checked(tensors, "direct", {iterations, 2 * depth, bits}, kLargestWeight);
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
            if (bit % depth <= row % depth && weight != 0) reject("direct", "looks at a code before it is known");
            to[grouped(bit)] = static_cast<std::int16_t>(weight);
        }
    }
}

}  // namespace recodec
