#include "plane_limits.hpp"

#include <string>

#include "error.hpp"

namespace recodec {

void check_tiles(const Header& header, const PlaneHeader& fields) {
    // At most 2^30 positions along a side and as many tiles, so that no product passes 64 bits.
    const std::uint64_t rows = fields.positions(header.height), columns = fields.positions(header.width);
    const auto fits = [&](std::uint64_t side, std::uint64_t tiles) {
        return side + 2 * fields.tile_halo * (tiles - 1) <= kSpareWindows + kMostWindowHalves * side / 2;
    };
    const std::uint64_t tiles = std::uint64_t{fields.tile_rows} * fields.tile_columns;
    const bool few = tiles <= kSpareTiles + rows * columns / kPositionsPerTile;
    if (few && fits(rows, fields.tile_rows) && fits(columns, fields.tile_columns)) return;
    throw Error(Errc::limit, std::to_string(fields.tile_columns) + " x " + std::to_string(fields.tile_rows) +
                                 " tiles with a halo of " + std::to_string(fields.tile_halo) +
                                 " positions are too many for the " + std::to_string(columns) + " x " +
                                 std::to_string(rows) + " positions of the picture: no writer makes such files");
}

void check_codes(const PlaneHeader& fields, std::size_t planes) {
    if (fields.entropy.is_embedded()) return;
    const std::uint64_t area = std::uint64_t{fields.stride} * fields.stride;
    const std::uint64_t codes = fields.depth, cost = codes * codes;
    const bool one = codes <= kMostCodes * area && cost <= kMostCost * area;
    // Not more than 255 planes; a caller may come with any number all the same.
    const bool all = planes <= kMostCodesOfAll * area / codes && planes <= kMostCostOfAll * area / cost;
    if (one && all) return;
    throw Error(Errc::limit, std::to_string(planes) + " code chunks of " + std::to_string(fields.depth) + " codes per " +
                                 std::to_string(fields.stride) + " x " + std::to_string(fields.stride) +
                                 " block take too long to decode without the model that says how many there may be; "
                                 "decode with it instead");
}

}  // namespace recodec
