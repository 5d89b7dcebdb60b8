// One plane of samples, each predicted from those that are known, and what was missed coded in binary decisions.
// FORMAT.md, section 14.
#pragma once

#include <cstdint>
#include <memory>

#include "../range_coder.hpp"
#include "planes.hpp"
#include "settings.hpp"

namespace recodec {
class BitReader;
class BitWriter;
}  // namespace recodec

namespace recodec::lossless {

class PlaneCoder {
public:
    virtual ~PlaneCoder() = default;

    // Row y; what `bits` makes of the samples takes their place.
    virtual void code_row(BitWriter& bits, std::uint32_t y) = 0;
    virtual void code_row(BitReader& bits, std::uint32_t y) = 0;
};

// The last of `planes` is coded, with those before it known some rows ahead. `drawn` is for pictures in which the same
// samples come together again and again.
std::unique_ptr<PlaneCoder> make_plane_coder(const PlanesSoFar& planes, std::uint32_t height, std::uint32_t width,
                                             Effort effort, const SampleRange& range, bool drawn, const Kernels& kernels);

}  // namespace recodec::lossless
