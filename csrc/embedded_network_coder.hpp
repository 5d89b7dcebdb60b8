// Entropy coder 2, versions 2 and 4: embedded planes by a network of integers that knows every index so far; in version 4
// it goes on learning. Defined in FORMAT.md, section 12.
#pragma once

#include <memory>
#include <vector>

#include "dense.hpp"
#include "embedded_coder.hpp"
#include "embedded_corrections.hpp"
#include "embedded_tables.hpp"

namespace recodec {

class EmbeddedNetworkCoder final : public EmbeddedCoder {
public:
    EmbeddedNetworkCoder(std::uint32_t depth, std::uint32_t height, std::uint32_t width,
                         std::shared_ptr<const EmbeddedTables> tables, bool learning);

    // Plane after plane, each trailing the one before by three rows: a position says what it holds to those around it,
    // and is told the same.
    void decode_all(std::span<CodedPlane> planes, std::size_t threads) override;

private:
    class RowCoder;

    void write_plane(RangeEncoder& encoder) override;
    void read_plane(const RangeDecoder& decoder) override;

    template <class Bits>
    void code_plane(Bits bits);

    std::shared_ptr<const EmbeddedTables> tables_;
    const Instructions& compute_;
    // Of every cell, Q9: what all latents around it and its own say to its first layer.
    std::vector<std::int32_t> sums_;
    // Empty in version 2.
    EmbeddedCorrections corrections_;
};

}  // namespace recodec
