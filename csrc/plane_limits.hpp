// What FORMAT.md, section 6, has a reader of family 1 hold to, beside the pixels: work in proportion to the picture.
#pragma once

#include <cstddef>
#include <cstdint>

#include "container.hpp"
#include "plane_header.hpp"

namespace recodec {

// Positions that a tile must have on average, and half positions that all windows together may have along an axis for
// one of the picture; with what a picture of a few positions may have beside.
inline constexpr std::uint64_t kPositionsPerTile = 16, kSpareTiles = 8;
inline constexpr std::uint64_t kMostWindowHalves = 3, kSpareWindows = 8;

// Of a file whose model is not known: codes, and codes times depth, per pixel as coded; of a plane and of all.
inline constexpr std::uint64_t kMostCodes = 1, kMostCost = 36;
inline constexpr std::uint64_t kMostCodesOfAll = 8, kMostCostOfAll = 864;

// Throws Error (limit) for more tiles, or wider halos, than any writer makes.
void check_tiles(const Header& header, const PlaneHeader& fields);

// Throws Error (limit) where so many planes take longer to decode than those of any known model. Embedded planes never
// do, since they need their model.
void check_codes(const PlaneHeader& fields, std::size_t planes);

}  // namespace recodec
