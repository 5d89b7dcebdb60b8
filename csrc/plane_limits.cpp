#include "plane_limits.hpp"

#include <string>

#include "error.hpp"

namespace recodec {

void check_tiles(const Header& header, const PlaneHeader& fields) {
    // At most 2^30 positions along a side and as many tiles, so that no product passes 64 bits but that of windows.
    const std::uint64_t rows = fields.positions(header.height), columns = fields.positions(header.width);
    const std::uint64_t positions = rows * columns;
    const std::uint64_t tile_rows = fields.tile_rows, tile_columns = fields.tile_columns, halo = fields.tile_halo;
    const std::uint64_t tiles = tile_rows * tile_columns;
    const std::uint64_t window_rows = rows + 2 * halo * (tile_rows - 1);
    const std::uint64_t window_columns = columns + 2 * halo * (tile_columns - 1);
    const std::uint64_t most = kMostWindows * positions + kSpareWindowPositions;
    const bool few = tiles <= kSpareTiles + positions / kPositionsPerTile;
    if (few && window_rows <= most / window_columns) return;
    throw Error(Errc::limit, std::to_string(tile_columns) + " x " + std::to_string(tile_rows) + " tiles with a halo of " +
                                 std::to_string(halo) + " positions are too many for the " + std::to_string(columns) +
                                 " x " + std::to_string(rows) + " positions of the picture: no writer makes such files");
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
