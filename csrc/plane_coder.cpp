#include "plane_coder.hpp"

#include <string>
#include <utility>

#include "crc32c.hpp"
#include "error.hpp"

namespace recodec {

namespace {

ByteView bytes_of(const std::int8_t* codes, std::size_t count) {
    return {reinterpret_cast<const std::uint8_t*>(codes), count};
}

}  // namespace

Bytes PlaneCoder::encode(std::span<const std::int8_t> codes) {
    for (std::size_t i = 0; i < codes.size(); ++i) {
        if (!can_code(codes[i])) {
            throw Error(Errc::format, "code " + std::to_string(codes[i]) + " at channel " +
                                          std::to_string(i / positions()) + ", position " +
                                          std::to_string(i % positions()) + "; codes are " + symbols());
        }
    }
    const std::size_t depth = depth_of(iteration_), channel = positions();
    begin_plane();
    for (std::uint32_t y = 0; y < grid_.height; ++y) {
        const std::int8_t* from = codes.data() + std::size_t{y} * grid_.width;
        std::int8_t* to = row(y);
        for (std::size_t d = 0; d < depth; ++d, from += channel) {
            for (std::size_t x = 0; x < grid_.width; ++x) to[x * depth + d] = from[x];
        }
    }
    RangeEncoder encoder;
    write_plane(encoder);
    ++iteration_;
    return std::move(encoder).finish();
}

void PlaneCoder::decode(CodedPlane& plane) {
    begin_plane();
    read_plane(RangeDecoder(plane.data));
    for (std::uint32_t y = 0; y < grid_.height; ++y) put_row(row(y), iteration_, y, plane);
    ++iteration_;
}

void PlaneCoder::decode_all(std::span<CodedPlane> planes, std::size_t) {
    for (CodedPlane& plane : planes) decode(plane);
}

void PlaneCoder::put_row(const std::int8_t* row, std::size_t iteration, std::uint32_t y, CodedPlane& plane) const {
    const std::size_t depth = depth_of(iteration), channel = positions();
    std::int8_t* to = plane.codes.data() + std::size_t{y} * grid_.width;
    for (std::size_t d = 0; d < depth; ++d, to += channel) {
        for (std::size_t x = 0; x < grid_.width; ++x) to[x] = row[x * depth + d];
    }
    plane.checksum = crc32c(bytes_of(row, row_size(iteration)), plane.checksum);
}

std::uint32_t PlaneCoder::checksum(std::uint32_t crc) {
    for (std::uint32_t y = 0; y < grid_.height; ++y) crc = crc32c(bytes_of(row(y), row_size(iteration_ - 1)), crc);
    return crc;
}

}  // namespace recodec
