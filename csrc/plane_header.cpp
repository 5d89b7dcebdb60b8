#include "plane_header.hpp"

#include "error.hpp"
#include "header_fields.hpp"

namespace recodec {

namespace {

void check(const PlaneHeader& h, const Header& header) {
    const auto& require = require_field;
    require(header.family == kPlaneFamily, Errc::unsupported, "family", header.family,
            "its fields are those of family 1");
    require(h.stride >= 1, Errc::format, "stride", h.stride, "it must lie in 1..255");
    require(h.depth >= 1 && h.depth <= kMaxDepth, Errc::format, "depth", h.depth, "it must lie in 1..256");
    require(h.entropy.kind == 1 || h.entropy.kind == 2, Errc::unsupported, "entropy coder", h.entropy.kind,
            "this version knows 1 (adaptive contexts) and 2 (network)");
    require(h.entropy.is_known(), Errc::unsupported, "entropy coder version", h.entropy.version,
            "this version knows 1, 3 and 4 of adaptive contexts, 1 and 2 of the network");
    require(h.tile_columns >= 1 && h.tile_columns <= h.positions(header.width), Errc::format, "tile columns",
            h.tile_columns, "a tile is one position wide or more");
    require(h.tile_rows >= 1 && h.tile_rows <= h.positions(header.height), Errc::format, "tile rows", h.tile_rows,
            "a tile is one position high or more");
    const bool whole = h.tile_columns == 1 && h.tile_rows == 1;
    require(whole || !h.entropy.is_embedded(), Errc::format, "tiles", std::uint64_t{h.tile_columns} * h.tile_rows,
            "embedded planes have one");
    require(h.tile_halo <= kMaxTileHalo, Errc::format, "tile halo", h.tile_halo, "it must lie in 0..255");
}

}  // namespace

Bytes write_plane_header(const PlaneHeader& h, const Header& header) {
    check(h, header);
    Bytes out{h.stride};
    put_varint(out, h.depth);
    out.push_back(h.entropy.kind);
    out.push_back(h.entropy.version);
    put_varint(out, h.tile_columns);
    put_varint(out, h.tile_rows);
    put_varint(out, h.tile_halo);
    if (h.arithmetic != 0) out.push_back(h.arithmetic);
    return out;
}

PlaneHeader read_plane_header(const Header& header) {
    FieldReader in(header.fields);
    PlaneHeader h;
    h.stride = in.byte();
    h.depth = in.varint();
    h.entropy.kind = in.byte();
    h.entropy.version = in.byte();
    h.tile_columns = in.varint();
    h.tile_rows = in.varint();
    h.tile_halo = in.varint();
    if (!in.at_end()) h.arithmetic = in.byte();
    check(h, header);
    return h;
}

}  // namespace recodec
