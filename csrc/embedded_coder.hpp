// What both coders of embedded planes share: the order of codes, and what is known of the latents.
#pragma once

#include <memory>
#include <vector>

#include "embedded_latents.hpp"
#include "embedded_order.hpp"
#include "plane_coder.hpp"

namespace recodec {

class EmbeddedCoder : public PlaneCoder {
protected:
    // Throws Error (format) if the order is for another depth.
    EmbeddedCoder(std::uint32_t depth, std::uint32_t height, std::uint32_t width,
                  std::shared_ptr<const EmbeddedOrder> order);

    std::size_t depth_of(std::size_t iteration) const override { return order_->chunk(iteration).codes.size(); }
    void begin_plane() override {
        at_work_ = iteration();
        codes_.resize(plane_size());
    }
    std::int8_t* row(std::uint32_t y) override { return codes_.data() + y * row_size(at_work()); }
    bool can_code(std::int8_t code) const override { return code >= -1 && code <= 1; }
    const char* symbols() const override { return "-1, 0 or +1"; }

    // Throws Error (format) if the plane at work gives a latent that is not zero the other sign.
    void check_signs() const;

    // The chunk whose codes are kept; it stays until the next is begun.
    std::size_t at_work() const { return at_work_; }
    const EmbeddedOrder& order() const { return *order_; }
    EmbeddedLatents& latents() { return latents_; }

private:
    std::shared_ptr<const EmbeddedOrder> order_;
    EmbeddedLatents latents_;
    std::size_t at_work_ = 0;
    std::vector<std::int8_t> codes_;  // of the plane at work
};

}  // namespace recodec
