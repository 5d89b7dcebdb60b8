// Entropy coder 2, version 1: a trained network of integers predicts every bit. Defined in FORMAT.md, section 10.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "entropy_tables.hpp"
#include "dense.hpp"
#include "plane_coder.hpp"

namespace recodec {

class NetworkCoder final : public PlaneCoder {
public:
    // Throws Error (format) if the network is for another depth.
    NetworkCoder(std::uint32_t depth, std::uint32_t height, std::uint32_t width,
                 std::shared_ptr<const EntropyTables> tables);

    // Plane after plane, each trailing the one before by the two rows that it looks ahead.
    void decode_all(std::span<CodedPlane> planes, std::size_t threads) override;

private:
    class RowCoder;

    // What a plane leaves for the next; Q8, padded: what the codes of each position say, and what
    // the planes before say, nothing at the first.
    struct Trace {
        std::vector<std::int16_t> embedded, state;
    };

    void begin_plane() override;
    std::int8_t* row(std::uint32_t y) override { return codes_.data() + y * row_size(0); }
    void write_plane(RangeEncoder& encoder) override;
    void read_plane(const RangeDecoder& decoder) override;
    bool can_code(std::int8_t code) const override;
    const char* symbols() const override { return tables_->ternary() ? "-1, 0 or +1" : "-1 or +1"; }

    template <class Bits>
    void code_plane(Bits bits);
    Trace make_trace() const;

    std::shared_ptr<const EntropyTables> tables_;
    const Instructions& compute_;
    std::vector<std::int8_t> codes_;  // of the plane at work
    Trace here_, before_;  // of the plane at work, and of the one before
};

}  // namespace recodec
