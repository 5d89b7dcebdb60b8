// Fields of the header that belong to family 1, whose chunks are planes of codes. FORMAT.md, section 3.
#pragma once

#include <cstdint>

#include "container.hpp"

namespace recodec {

inline constexpr std::uint8_t kPlaneFamily = 1;
inline constexpr std::uint32_t kMaxDepth = 256;
inline constexpr std::uint32_t kMaxTileHalo = 255;

// Adaptive contexts (kind 1) have versions 1 and 3, trained entropy models (kind 2) have version 1; version 4 of the
// former and 2 and 4 of the latter are those of embedded planes.
struct EntropyCoder {
    static constexpr std::uint8_t kAdaptive = 1, kNetwork = 2;

    std::uint8_t kind = kAdaptive;
    std::uint8_t version = 1;

    bool is_embedded() const { return version == 4 || (kind == kNetwork && version == 2); }
    // Of a network that goes on learning from the file.
    bool is_learning() const { return kind == kNetwork && version == 4; }
    bool is_known() const {
        return (kind == kAdaptive && (version == 1 || version == 3 || version == 4)) ||
               (kind == kNetwork && (version == 1 || version == 2 || version == 4));
    }
};

struct PlaneHeader {
    std::uint8_t stride = 16;
    std::uint32_t depth = 32;
    EntropyCoder entropy;
    std::uint32_t tile_columns = 1;
    std::uint32_t tile_rows = 1;
    std::uint32_t tile_halo = 0;
    std::uint8_t arithmetic = 0;  // 0 float32, 1 float16, 2 bfloat16; others tell nothing

    // Positions along a side of so many pixels.
    std::uint32_t positions(std::uint32_t side) const { return (side - 1) / stride + 1; }
};

// The fields as bytes, for `header`. Throws Error if one is outside what the format can hold.
Bytes write_plane_header(const PlaneHeader& fields, const Header& header);

// Throws Error.
PlaneHeader read_plane_header(const Header& header);

}  // namespace recodec
