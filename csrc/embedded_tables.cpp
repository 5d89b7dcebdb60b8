#include "embedded_tables.hpp"

#include <algorithm>
#include <utility>

#include "error.hpp"

namespace recodec {

namespace {

std::vector<std::int8_t> bytes_of(const IntegerTensors& tensors, const std::string& name, const Shape& shape) {
    const auto& values = checked_tensor(tensors, name, shape, kLargestWeight);
    std::vector<std::int8_t> result(values.size());
    std::transform(values.begin(), values.end(), result.begin(),
                   [](std::int32_t value) { return static_cast<std::int8_t>(value); });
    return result;
}

}  // namespace

EmbeddedTables::EmbeddedTables(const IntegerTensors& tensors, std::shared_ptr<const EmbeddedOrder> order)
    : order_(std::move(order)) {
    const IntegerTensor& inner = find_tensor(tensors, "inner");
    if (inner.shape.size() != 2 || !is_width(inner.shape[0]) || !is_width(inner.shape[1])) {
        reject_tensor("inner", "has shape " + shape_text(inner.shape) + "; widths must be multiples of 8 up to 256");
    }
    inner_width = inner.shape[0];
    width = inner.shape[1];
    const std::size_t channels = order_->channels(), chunks = order_->count(), codes = order_->codes();
    around_ = bytes_of(tensors, "around", {2, channels, kTaps, width});
    own_ = bytes_of(tensors, "own", {2, channels, inner_width});
    near_ = bytes_of(tensors, "near", {codes, kNeighbours});
    near_sign_ = bytes_of(tensors, "near_sign", {codes, kNeighbours});
    refinement_share_ = bytes_of(tensors, "refinement_share", {codes});
    bias_ = checked_tensor(tensors, "bias", {chunks, width}, kLargestBias);
    inner_bias_ = checked_tensor(tensors, "inner_bias", {chunks, inner_width}, kLargestBias);
    sign_bias_ = checked_tensor(tensors, "sign_bias", {codes}, kLargestBias);
    refinement_bias_ = checked_tensor(tensors, "refinement_bias", {codes, 2}, kLargestBias);
    const auto& matrix = checked_tensor(tensors, "inner", {inner_width, width}, kLargestWeight);
    inner_.resize(matrix.size());
    lay_out_matrix(matrix.data(), width, inner_width, inner_.data());
    const auto& sign = checked_tensor(tensors, "sign", {codes, inner_width}, kLargestWeight);
    sign_.resize(sign.size());
    std::transform(sign.begin(), sign.end(), sign_.begin(),
                   [](std::int32_t value) { return static_cast<std::int16_t>(value); });
    lay_out_significance(tensors);
}

void EmbeddedTables::lay_out_significance(const IntegerTensors& tensors) {
    constexpr std::size_t kGroup = EmbeddedOrder::kGroup;
    const std::size_t codes = order_->codes();
    const auto& rows = checked_tensor(tensors, "significance", {codes, inner_width}, kLargestWeight);
    const auto& biases = checked_tensor(tensors, "significance_bias", {codes}, kLargestBias);
    group_starts_.resize(codes);
    std::vector<std::int32_t> padded(kGroup * inner_width);
    for (std::size_t number = 0; number < order_->count(); ++number) {
        const EmbeddedOrder::Chunk& chunk = order_->chunk(number);
        std::size_t begin = 0;
        for (const std::size_t end : chunk.ends) {
            const std::size_t first = chunk.first + begin, at = significance_bias_.size();
            group_starts_[first] = at;
            significance_bias_.resize(at + kGroup);
            std::copy_n(biases.data() + first, end - begin, significance_bias_.data() + at);
            std::fill(padded.begin(), padded.end(), 0);
            std::copy_n(rows.data() + first * inner_width, (end - begin) * inner_width, padded.data());
            significance_.resize((at + kGroup) * inner_width);
            lay_out_matrix(padded.data(), inner_width, kGroup, significance_.data() + at * inner_width);
            begin = end;
        }
    }
}

}  // namespace recodec
