#include "plane_coder.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include "binary_coder.hpp"
#include "crc32c.hpp"
#include "error.hpp"
#include "network_coder.hpp"
#include "ternary_coder.hpp"

namespace recodec {

namespace {

ByteView bytes_of(const std::int8_t* codes, std::size_t count) {
    return {reinterpret_cast<const std::uint8_t*>(codes), count};
}

}  // namespace

PlaneCoder::PlaneCoder(std::uint32_t depth, std::uint32_t height, std::uint32_t width)
    : depth_(depth), height_(height), width_(width), row_(std::size_t{width} + 4) {
    const std::size_t cells = (std::size_t{height} + 4) * row_;
    for (auto& plane : planes_) plane.assign(cells * depth, 0);
}

void PlaneCoder::begin_plane() {
    if (iteration_ == 0) return;
    std::rotate(planes_.begin(), planes_.end() - 1, planes_.end());
    std::fill(planes_[0].begin(), planes_[0].end(), std::int8_t{0});
}

Bytes PlaneCoder::encode(std::span<const std::int8_t> codes) {
    for (std::size_t i = 0; i < codes.size(); ++i) {
        if (!can_code(codes[i])) {
            throw Error(Errc::format, "code " + std::to_string(codes[i]) + " at channel " +
                                          std::to_string(i / positions()) + ", position " +
                                          std::to_string(i % positions()) + "; codes are " + symbols());
        }
    }
    begin_plane();
    for (std::uint32_t y = 0; y < height_; ++y) {
        const std::int8_t* from = codes.data() + std::size_t{y} * width_;
        std::int8_t* to = codes_at(0, cell_of(y, 0));
        for (std::size_t d = 0; d < depth_; ++d, from += positions()) {
            for (std::size_t x = 0; x < width_; ++x) to[x * depth_ + d] = from[x];
        }
    }
    Bytes out;
    RangeEncoder encoder(out);
    write_plane(encoder);
    encoder.finish();
    ++iteration_;
    return out;
}

void PlaneCoder::decode(ByteView data, std::span<std::int8_t> codes) {
    begin_plane();
    read_plane(RangeDecoder(data));
    ++iteration_;
    for (std::uint32_t y = 0; y < height_; ++y) take_row(codes_at(0, cell_of(y, 0)), y, codes);
}

void PlaneCoder::take_row(const std::int8_t* row, std::uint32_t y, std::span<std::int8_t> codes) const {
    std::int8_t* to = codes.data() + std::size_t{y} * width_;
    for (std::size_t d = 0; d < depth_; ++d, to += positions()) {
        for (std::size_t x = 0; x < width_; ++x) to[x] = row[x * depth_ + d];
    }
}

void PlaneCoder::decode_all(std::span<CodedPlane> planes, std::size_t) {
    for (CodedPlane& plane : planes) {
        decode(plane.data, plane.codes);
        plane.checksum = checksum(plane.checksum);
    }
}

void PlaneCoder::put_row(const std::int8_t* row, std::uint32_t y, CodedPlane& plane) const {
    take_row(row, y, plane.codes);
    plane.checksum = crc32c(bytes_of(row, std::size_t{width_} * depth_), plane.checksum);
}

std::uint32_t PlaneCoder::checksum(std::uint32_t crc) const {
    for (std::uint32_t y = 0; y < height_; ++y) {
        crc = crc32c(bytes_of(planes_[0].data() + cell_of(y, 0) * depth_, std::size_t{width_} * depth_), crc);
    }
    return crc;
}

std::unique_ptr<PlaneCoder> make_plane_coder(EntropyCoder coder, std::uint32_t depth, std::uint32_t height,
                                             std::uint32_t width, std::shared_ptr<const ContextTables> tables) {
    if (!coder.is_known()) {
        throw Error(Errc::unsupported, "entropy coder " + std::to_string(coder.kind) + ", version " +
                                           std::to_string(coder.version));
    }
    if (coder.kind == 2) {
        if (!tables) throw Error(Errc::unsupported, "the entropy coder is a network, but the model has none");
        return std::make_unique<NetworkCoder>(depth, height, width, std::move(tables));
    }
    if (coder.version == 1) return std::make_unique<BinaryCoder>(depth, height, width);
    return std::make_unique<TernaryCoder>(depth, height, width);
}

}  // namespace recodec
