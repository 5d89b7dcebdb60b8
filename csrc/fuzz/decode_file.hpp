// A reader of files down to codes, as FORMAT.md has it, without Python and without a model.
#pragma once

#include <cstdint>
#include <functional>
#include <span>

#include "container.hpp"
#include "plane_header.hpp"

namespace recodec {

// Pixels as coded; and for those who have many files to look at, codes times depth of all planes.
struct Limits {
    std::uint64_t pixels;
    std::uint64_t cost = ~std::uint64_t{0};
};

// Holds decoding to limits, and to those that FORMAT.md, section 6, has for a reader without models.
class Budget {
public:
    // Throws Error if the picture, or a single plane of it, is beyond them.
    Budget(const Header& header, const PlaneHeader& planes, const Limits& limits);

    // Call before decoding one more plane; throws Error if all so far would take too long.
    void spend();

private:
    PlaneHeader planes_;
    std::size_t count_ = 0;
    std::uint64_t cost_, left_;
};

// Gets the codes of every plane, depth x rows x columns, once its checksum was found right.
using PlaneSink = std::function<void(const Header&, const PlaneHeader&, std::span<const std::int8_t>)>;

// Throws Error unless `data` holds a header and at least one whole code chunk, all of it sound and within
// the limits.
void decode_file(ByteView data, const Limits& limits, const PlaneSink& sink = {});

// Whether it does; anything but an Error still escapes.
bool decodes(ByteView data, const Limits& limits, const PlaneSink& sink = {});

}  // namespace recodec
