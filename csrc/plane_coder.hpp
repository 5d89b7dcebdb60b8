// Codes of one iteration <-> one entropy-coded chunk: what all versions of the entropy coder share.
//
// A coder sees the planes of one image in order and predicts each from those before. All arithmetic is integer and
// defined in FORMAT.md; encoder and decoder run the same steps.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "bytes.hpp"
#include "padded_grid.hpp"
#include "range_coder.hpp"

namespace recodec {

// A plane and its chunk. `codes` is depth x height x width.
struct CodedPlane {
    ByteView data;
    std::span<std::int8_t> codes;  // to be filled
    std::uint32_t checksum;        // of what comes before the codes; then continued by them, in coding order
};

class PlaneCoder {
public:
    virtual ~PlaneCoder() = default;
    PlaneCoder(const PlaneCoder&) = delete;
    PlaneCoder& operator=(const PlaneCoder&) = delete;

    // Codes of the next plane, or of one so many planes later. Throws Error (format) where there is none.
    std::size_t plane_size(std::size_t later = 0) const {
        return size_product({depth_of(iteration_ + later), positions()});
    }
    std::size_t positions() const { return size_product({grid_.height, grid_.width}); }

    // `codes` is depth x height x width. Throws Error for codes that the version cannot code.
    Bytes encode(std::span<const std::int8_t> codes);

    // Inverse of encode(). Any data decodes to some codes; damage is found by the chunk's checksum.
    void decode(CodedPlane& plane);

    // The same, for all of the planes to come next. Coders that can do so use up to so many threads.
    virtual void decode_all(std::span<CodedPlane> planes, std::size_t threads);

    // Checksum of the plane encoded last, in coding order, continuing from `crc`.
    std::uint32_t checksum(std::uint32_t crc);

protected:
    PlaneCoder(std::uint32_t depth, std::uint32_t height, std::uint32_t width) : depth_(depth), grid_{height, width} {}

    // Makes room for the codes of the next plane, behind those of `iteration()` others.
    virtual void begin_plane() = 0;
    // Row y of the plane at work, position-major: width x depth codes side by side.
    virtual std::int8_t* row(std::uint32_t y) = 0;
    virtual void write_plane(RangeEncoder& encoder) = 0;
    virtual void read_plane(const RangeDecoder& decoder) = 0;
    virtual bool can_code(std::int8_t code) const = 0;
    virtual const char* symbols() const = 0;

    // Codes of a position; some coders have planes of different depths.
    virtual std::size_t depth_of(std::size_t iteration) const {
        static_cast<void>(iteration);
        return depth_;
    }
    std::size_t row_size(std::size_t iteration) const { return size_product({grid_.width, depth_of(iteration)}); }
    // Of the next plane, and while one is coded of that.
    std::uint32_t iteration() const { return iteration_; }
    void add_iterations(std::size_t count) { iteration_ += static_cast<std::uint32_t>(count); }

    // Takes one row of codes, position-major, into the plane of an iteration and its checksum.
    void put_row(const std::int8_t* row, std::size_t iteration, std::uint32_t y, CodedPlane& plane) const;

    std::size_t depth_;
    PaddedGrid grid_;

private:
    std::uint32_t iteration_ = 0;
};

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

// One of several planes that are read at once, on a cache line of its own.
struct alignas(64) PlaneReader {
    explicit PlaneReader(const CodedPlane& plane) : bits(RangeDecoder(plane.data)) {}

    BitReader bits;
};

}  // namespace recodec
