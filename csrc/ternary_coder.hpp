// Version 3 of the entropy coder: codes of -1, 0 and +1, most of them 0, without trained weights.
//
// A position says first whether any of its codes is not 0; if so, each channel says whether its code is,
// and then its sign. The former is predicted by how many codes around are not 0, the latter by their signs;
// both by an online logistic regression over all codes around that are not 0, and by context counters.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "mixing.hpp"
#include "plane_coder.hpp"
#include "plane_history.hpp"
#include "sparse_regression.hpp"

namespace recodec {

class TernaryCoder final : public PlaneCoder {
public:
    static constexpr std::size_t kNeighbourCount = 6, kPlanes = 2;

    TernaryCoder(std::uint32_t depth, std::uint32_t height, std::uint32_t width);

private:
    using Counter = recodec::Counter<255>;
    static constexpr std::size_t kActiveCounters = 3, kSignCounters = 2;
    static constexpr std::size_t kActiveMixed = kActiveCounters + 3, kSignMixed = kSignCounters + 2;

    // Levels of how many codes are not 0: so far here, to the west and north, in the last iteration.
    struct Activity {
        std::size_t here, around, last;
    };
    using Neighbourhood = std::array<const std::int8_t*, kNeighbourCount>;

    void begin_plane() override;
    std::int8_t* row(std::uint32_t y) override { return planes_.codes(grid_.cell_of(y, 0)); }
    void write_plane(RangeEncoder& encoder) override;
    void read_plane(const RangeDecoder& decoder) override;
    bool can_code(std::int8_t code) const override { return code >= -1 && code <= 1; }
    const char* symbols() const override { return "-1, 0 or +1"; }

    template <class Bits>
    void code_plane(Bits bits);
    template <class Bits>
    void code_position(Bits& bits, std::size_t cell);
    template <class Bits>
    bool code_active(Bits& bits, bool active, const Neighbourhood& codes, std::uint32_t d, const Activity& activity);
    template <class Bits>
    bool code_sign(Bits& bits, bool positive, const Neighbourhood& codes, std::uint32_t d);
    std::uint32_t count_at(std::size_t age, std::size_t cell, std::ptrdiff_t dy, std::ptrdiff_t dx) const {
        return counts_[age][grid_.beside(cell, dy, dx)];
    }

    PlaneHistory<kPlanes> planes_;
    // Codes that are not 0 in each cell: of this plane and of the last.
    std::array<std::vector<std::uint16_t>, 2> counts_;
    std::vector<Counter> any_;
    SparseRegression active_regression_, sign_regression_;
    std::array<std::vector<Counter>, kActiveCounters> active_counters_;
    std::vector<Counter> activity_counters_;
    std::array<std::vector<Counter>, kSignCounters> sign_counters_;
    // Q16: per stage, level so far and mixed prediction; per stage, channel and mixed prediction.
    std::vector<std::int32_t> active_mixer_, sign_mixer_;
};

}  // namespace recodec
