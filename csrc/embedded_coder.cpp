#include "embedded_coder.hpp"

#include <string>
#include <utility>

#include "error.hpp"

namespace recodec {

EmbeddedCoder::EmbeddedCoder(std::uint32_t depth, std::uint32_t height, std::uint32_t width,
                             std::shared_ptr<const EmbeddedOrder> order)
    : PlaneCoder(depth, height, width), order_(std::move(order)), latents_(grid_, depth) {
    if (order_->channels() != depth) {
        throw Error(Errc::format, "the embedded planes are of " + std::to_string(order_->channels()) +
                                      " channels, but the file has depth " + std::to_string(depth));
    }
}

void EmbeddedCoder::check_signs() const {
    const EmbeddedOrder::Chunk& chunk = order_->chunk(at_work_);
    std::vector<std::int8_t> signs(order_->channels());
    const std::int8_t* code = codes_.data();
    grid_.for_each_cell([&](std::size_t cell) {
        const std::int16_t* indices = latents_.indices(cell);
        for (const EmbeddedOrder::Code& held : chunk.codes) signs[held.channel] = 0;
        for (const EmbeddedOrder::Code& held : chunk.codes) {
            const std::int16_t index = indices[held.channel];
            std::int8_t& sign = signs[held.channel];
            if (sign == 0) sign = static_cast<std::int8_t>((index > 0) - (index < 0));
            if (sign * *code < 0) {
                throw Error(Errc::format, "a code of channel " + std::to_string(held.channel) +
                                              " has another sign than those of the planes before");
            }
            if (sign == 0) sign = *code;
            ++code;
        }
    });
}

}  // namespace recodec
