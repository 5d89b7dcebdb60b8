// Version 1 of the entropy coder: codes of -1 and +1 by adaptive contexts, without trained weights.
//
// Every code is predicted from codes that the decoder already has: neighbours above and to the left
// and earlier codes of the same position in this iteration, and whole planes of former iterations.
// Five predictions (one online logistic regression over all those codes, three adaptive context
// counters, one constant) are mixed in the logit domain by weights that learn as they go.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "mixing.hpp"
#include "plane_coder.hpp"
#include "plane_history.hpp"
#include "regression.hpp"

namespace recodec {

class BinaryCoder final : public PlaneCoder {
public:
    static constexpr std::size_t kNeighbourCount = 7, kPlanes = 3;

    BinaryCoder(std::uint32_t depth, std::uint32_t height, std::uint32_t width);

private:
    using Counter = recodec::Counter<62>;
    static constexpr std::size_t kCounters = 3;
    static constexpr std::size_t kMixed = kCounters + 2;

    // Codes of one position's neighbours, each `depth` long.
    using Neighbourhood = std::array<const std::int8_t*, kNeighbourCount>;

    void begin_plane() override;
    std::int8_t* row(std::uint32_t y) override { return planes_.codes(grid_.cell_of(y, 0)); }
    void write_plane(RangeEncoder& encoder) override;
    void read_plane(const RangeDecoder& decoder) override;
    bool can_code(std::int8_t code) const override { return code == 1 || code == -1; }
    const char* symbols() const override { return "-1 or +1"; }

    template <class Bits>
    void code_position(Bits& bits, std::size_t cell);
    Neighbourhood gather(std::size_t cell);

    PlaneHistory<kPlanes> planes_;
    Regression regression_;  // weights Q16
    std::array<std::vector<Counter>, kCounters> counters_;
    std::vector<std::int32_t> mixer_;  // per stage, channel and mixed prediction, Q16
};

}  // namespace recodec
