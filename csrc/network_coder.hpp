// Entropy coder 2, version 1: a trained network of integers predicts every bit. Defined in FORMAT.md, section 10.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "context_tables.hpp"
#include "dense.hpp"
#include "plane_coder.hpp"

namespace recodec {

class NetworkCoder final : public PlaneCoder {
public:
    // Throws Error (format) if the network is for another depth.
    NetworkCoder(std::uint32_t depth, std::uint32_t height, std::uint32_t width,
                 std::shared_ptr<const ContextTables> tables);

private:
    void write_plane(RangeEncoder& encoder) override;
    void read_plane(RangeDecoder& decoder) override;
    bool can_code(std::int8_t code) const override;
    const char* symbols() const override { return tables_->ternary() ? "-1, 0 or +1" : "-1 or +1"; }

    template <class Bits>
    void code_plane(Bits bits);
    template <class Bits>
    void code_position(Bits bits, std::size_t cell);
    template <class Bits>
    void code_group(Bits bits, std::int8_t* codes, std::size_t group);
    void advance_state();

    std::int16_t* embedded_at(std::size_t cell, std::ptrdiff_t dy = 0, std::ptrdiff_t dx = 0);

    std::shared_ptr<const ContextTables> tables_;
    const Instructions& compute_;
    std::size_t number_ = 0;  // the iteration whose weights are in use
    // Q8, padded like the planes: what the codes of this plane say; the state before it, none at the first.
    std::vector<std::int16_t> embedded_, state_, following_;
    // Of one position. Q14 sums of its layer and of the bits of a group, the layer's Q8 activation, and what
    // the rows of its own codes add up to, Q5.
    std::vector<std::int32_t> hidden_, sums_;
    std::vector<std::int16_t> activation_, said_, nothing_said_;
};

}  // namespace recodec
