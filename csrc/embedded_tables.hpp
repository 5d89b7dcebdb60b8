// Weights of an entropy model of embedded planes, checked and laid out for the coder.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "embedded_order.hpp"
#include "integer_tensors.hpp"

namespace recodec {

class EmbeddedTables {
public:
    static constexpr std::size_t kTaps = 9, kNeighbours = 8;

    // Throws Error (format) where a tensor is missing, has a wrong shape, or holds values that could overflow.
    EmbeddedTables(const IntegerTensors& tensors, std::shared_ptr<const EmbeddedOrder> order);

    std::size_t width = 0, inner_width = 0;

    const std::shared_ptr<const EmbeddedOrder>& order() const { return order_; }

    // What a latent says, for a difference of 1/8 in its log size, Q6: to the first layer of the position that sees it
    // through a tap of a 3×3 kernel (raster order), and to the second layer of its own position.
    const std::int8_t* around(bool positive, std::size_t channel, std::size_t tap) const {
        return around_.data() + ((positive * order_->channels() + channel) * kTaps + tap) * width;
    }
    const std::int8_t* own(bool positive, std::size_t channel) const {
        return own_.data() + (positive * order_->channels() + channel) * inner_width;
    }
    // Q9 and Q14, by chunk.
    const std::int32_t* bias(std::size_t chunk) const { return bias_.data() + chunk * width; }
    const std::int32_t* inner_bias(std::size_t chunk) const { return inner_bias_.data() + chunk * inner_width; }
    // For AddProduct, from the first layer to the second.
    const std::int16_t* inner() const { return inner_.data(); }
    // For AddProduct, from the second layer to the significance of a group's codes, the first of which has this number
    // among those of all chunks: kGroup outputs, however many codes there are.
    const std::int16_t* significance(std::size_t code) const {
        return significance_.data() + group_starts_[code] * inner_width;
    }
    const std::int32_t* significance_bias(std::size_t code) const {
        return significance_bias_.data() + group_starts_[code];
    }
    // By code; matrices in Q6, biases in Q14.
    const std::int16_t* sign(std::size_t code) const { return sign_.data() + code * inner_width; }
    std::int32_t sign_bias(std::size_t code) const { return sign_bias_[code]; }
    // Of the same latent at the eight positions around, in raster order, Q6.
    const std::int8_t* near(std::size_t code) const { return near_.data() + code * kNeighbours; }
    const std::int8_t* near_sign(std::size_t code) const { return near_sign_.data() + code * kNeighbours; }
    // Of the first interval beside the dead zone, and of others; the share of the significance's logit is Q6.
    std::int32_t refinement_bias(std::size_t code, bool others) const { return refinement_bias_[2 * code + others]; }
    std::int32_t refinement_share(std::size_t code) const { return refinement_share_[code]; }

private:
    void lay_out_significance(const IntegerTensors& tensors);

    std::shared_ptr<const EmbeddedOrder> order_;
    std::vector<std::int8_t> around_, own_, near_, near_sign_, refinement_share_;
    AlignedVector inner_, sign_, significance_;
    std::vector<std::int32_t> bias_, inner_bias_, significance_bias_, sign_bias_, refinement_bias_;
    std::vector<std::size_t> group_starts_;  // of the codes that begin a group: where its outputs lie
};

}  // namespace recodec
