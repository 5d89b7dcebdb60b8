// Version 4 of the adaptive coder: embedded planes without trained weights. Defined in FORMAT.md, section 9.8.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "embedded_coder.hpp"
#include "mixing.hpp"

namespace recodec {

class EmbeddedAdaptiveCoder final : public EmbeddedCoder {
public:
    EmbeddedAdaptiveCoder(std::uint32_t depth, std::uint32_t height, std::uint32_t width,
                          std::shared_ptr<const EmbeddedOrder> order);

private:
    using Counter = recodec::Counter<255>;
    static constexpr std::size_t kCounters = 3, kMixed = kCounters + 1;

    // Levels of what is known around a latent and of its position.
    struct Activity {
        std::size_t around, position, here;
    };

    void write_plane(RangeEncoder& encoder) override;
    void read_plane(const RangeDecoder& decoder) override;

    template <class Bits>
    void code_plane(Bits bits);
    template <class Bits>
    void code_position(Bits& bits, std::size_t cell, std::int8_t* codes);
    template <class Bits>
    bool code_significance(Bits& bits, bool significant, std::size_t code, std::size_t plane, const Activity& activity);
    std::uint32_t magnitudes_around(std::size_t cell, EmbeddedOrder::Code code);
    std::size_t sign_context(std::size_t cell, std::size_t channel);

    std::vector<Counter> own_, shared_, plane_, sign_, refinement_;
    std::vector<std::int32_t> mixer_;
};

}  // namespace recodec
