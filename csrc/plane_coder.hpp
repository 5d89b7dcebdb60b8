// Codes of one iteration <-> one entropy-coded chunk: what all versions of the entropy coder share.
//
// A coder sees the planes of one image in order and keeps the last three, from which it predicts. All
// arithmetic is integer and defined in FORMAT.md; encoder and decoder run the same steps.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "container.hpp"
#include "range_coder.hpp"

namespace recodec {

// A position that codes are predicted from: planes back, rows down, columns right.
struct Neighbour {
    std::size_t age;
    std::ptrdiff_t dy, dx;
};

// A plane to be decoded.
struct CodedPlane {
    ByteView data;
    std::span<std::int8_t> codes;  // depth x height x width, to be filled
    std::uint32_t checksum;        // of what comes before the codes; then continued by them, in coding order
};

class PlaneCoder {
public:
    virtual ~PlaneCoder() = default;
    PlaneCoder(const PlaneCoder&) = delete;
    PlaneCoder& operator=(const PlaneCoder&) = delete;

    std::size_t plane_size() const { return std::size_t{depth_} * height_ * width_; }
    std::size_t positions() const { return std::size_t{height_} * width_; }

    // `codes` is depth x height x width. Throws Error for codes that the version cannot code.
    Bytes encode(std::span<const std::int8_t> codes);

    // Inverse of encode(). Any data decodes to some codes; damage is found by the chunk's checksum.
    void decode(ByteView data, std::span<std::int8_t> codes);

    // The same, for all of the planes to come next. Coders that can do so use up to so many threads.
    virtual void decode_all(std::span<CodedPlane> planes, std::size_t threads);

    // Checksum of the plane coded last by encode() or decode(), in coding order, continuing from `crc`.
    std::uint32_t checksum(std::uint32_t crc) const;

protected:
    PlaneCoder(std::uint32_t depth, std::uint32_t height, std::uint32_t width);

    virtual void write_plane(RangeEncoder& encoder) = 0;
    virtual void read_plane(const RangeDecoder& decoder) = 0;
    virtual bool can_code(std::int8_t code) const = 0;
    virtual const char* symbols() const = 0;

    std::size_t cell_of(std::uint32_t y, std::uint32_t x) const { return (y + 2) * row_ + x + 2; }
    // Codes of the cell `dy` rows below and `dx` columns to the right, in the plane `age` planes ago.
    std::int8_t* codes_at(std::size_t age, std::size_t cell, std::ptrdiff_t dy = 0, std::ptrdiff_t dx = 0) {
        const auto at = static_cast<std::ptrdiff_t>(cell) + dy * static_cast<std::ptrdiff_t>(row_) + dx;
        return planes_[age].data() + static_cast<std::size_t>(at) * depth_;
    }
    // Calls `code` with every cell in coding order.
    template <class Code>
    void for_each_cell(const Code& code) {
        for (std::uint32_t y = 0; y < height_; ++y) {
            for (std::uint32_t x = 0; x < width_; ++x) code(cell_of(y, x));
        }
    }

    // Takes one row of codes, position-major, into a plane and its checksum.
    void put_row(const std::int8_t* row, std::uint32_t y, CodedPlane& plane) const;

    std::uint32_t depth_, height_, width_;
    std::size_t row_;  // cells per padded row
    std::uint32_t iteration_ = 0;
    // Padded planes, position-major (cell, then channel): this iteration, the last, the one before.
    std::array<std::vector<std::int8_t>, 3> planes_;

private:
    void begin_plane();
    // One row, position-major, into a plane, channel-major.
    void take_row(const std::int8_t* row, std::uint32_t y, std::span<std::int8_t> codes) const;
};

class ContextTables;

// The coder that a header names; `tables` may be null for adaptive contexts. Throws Error for others.
std::unique_ptr<PlaneCoder> make_plane_coder(EntropyCoder coder, std::uint32_t depth, std::uint32_t height,
                                             std::uint32_t width, std::shared_ptr<const ContextTables> tables = {});

// Bits of a plane on their way out.
class BitWriter {
public:
    explicit BitWriter(RangeEncoder& encoder) : encoder_(&encoder) {}

    bool put(bool bit, Probability p) {
        encoder_->encode(bit, p);
        return bit;
    }

private:
    RangeEncoder* encoder_;
};

// Bits of a plane on their way in, whatever `bit` says.
class BitReader {
public:
    explicit BitReader(const RangeDecoder& decoder) : decoder_(decoder) {}

    bool put(bool, Probability p) { return decoder_.decode(p); }

private:
    RangeDecoder decoder_;
};

}  // namespace recodec
