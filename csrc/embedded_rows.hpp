// How the network coder codes the rows of embedded planes. Part of embedded_network_coder.cpp alone.
#pragma once

#include <algorithm>
#include <array>
#include <cstdlib>
#include <vector>

#include "embedded_network_coder.hpp"
#include "logistic.hpp"

namespace recodec {

// What it holds is only of use within one position, so each thread has one of its own.
class EmbeddedNetworkCoder::RowCoder {
public:
    explicit RowCoder(EmbeddedNetworkCoder& coder)
        : coder_(coder),
          corrections_(coder.corrections_.empty() ? nullptr : &coder.corrections_),
          tables_(*coder.tables_),
          compute_(coder.compute_),
          layer_sums_(tables_.width),
          inner_sums_(tables_.inner_width),
          layer_(tables_.width),
          inner_(tables_.inner_width),
          none_(std::max(tables_.width, tables_.inner_width)) {}

    // Row y of a chunk, whose codes are `codes` (width x depth).
    template <class Bits>
    void code(Bits& shared_bits, std::size_t number, std::uint32_t y, std::int8_t* codes) {
        const EmbeddedOrder::Chunk& chunk = coder_.order().chunk(number);
        Bits bits = shared_bits;
        for (std::uint32_t x = 0; x < coder_.grid_.width; ++x, codes += chunk.codes.size()) {
            around_.move_to(coder_.grid_, y, x);
            code_position(bits, number, chunk, coder_.grid_.cell_of(y, x), codes);
        }
        shared_bits = bits;
    }

private:
    static constexpr std::size_t kGroup = EmbeddedOrder::kGroup;
    // From Q9 sums to Q8 activations.
    static constexpr Activation kLayer = {0, 1, 0};
    // From Q14 sums to Q9.
    static constexpr int kProductShift = 5;
    // From log sizes (Q3) times weights (Q6) to Q14.
    static constexpr int kNearShift = 5;
    // What refinements take of the significance's logit: at most 8.0, Q14, of which 8 fractional bits count.
    static constexpr std::int32_t kMostShared = 1 << 17;
    static constexpr int kSharedShift = 6;

    template <class Bits>
    void code_position(Bits& bits, std::size_t number, const EmbeddedOrder::Chunk& chunk, std::size_t cell,
                       std::int8_t* codes) {
        const std::int32_t* sums = coder_.sums_.data() + cell * tables_.width;
        const std::int32_t* bias = tables_.bias(number);
        for (std::size_t i = 0; i < tables_.width; ++i) layer_sums_[i] = sums[i] + bias[i];
        compute_.activate(layer_sums_.data(), none_.data(), tables_.width, kLayer, layer_.data());
        std::copy_n(tables_.inner_bias(number), tables_.inner_width, inner_sums_.data());
        compute_.add_product(layer_.data(), tables_.inner(), tables_.width, tables_.inner_width, inner_sums_.data());
        for (std::int32_t& sum : inner_sums_) sum = (sum + (1 << (kProductShift - 1))) >> kProductShift;
        std::size_t near = 0;
        for (const std::size_t beside : around_.cells()) {
            if (beside != cell) sizes_[near++] = coder_.latents().sizes(beside);
        }
        std::size_t begin = 0;
        for (const std::size_t end : chunk.ends) {
            compute_.activate(inner_sums_.data(), none_.data(), tables_.inner_width, kLayer, inner_.data());
            code_group(bits, chunk, begin, end, cell, codes);
            begin = end;
        }
    }

    template <class Bits>
    void code_group(Bits& bits, const EmbeddedOrder::Chunk& chunk, std::size_t begin, std::size_t end,
                    std::size_t cell, std::int8_t* codes) {
        const std::size_t first = chunk.first + begin;
        std::array<std::int32_t, kGroup> logits;
        std::copy_n(tables_.significance_bias(first), kGroup, logits.data());
        compute_.add_product(inner_.data(), tables_.significance(first), tables_.inner_width, kGroup, logits.data());
        const std::int16_t* indices = coder_.latents().indices(cell);
        std::size_t changed = 0;
        for (std::size_t i = begin; i < end; ++i) {
            const EmbeddedOrder::Code held = chunk.codes[i];
            const std::size_t code = chunk.first + i;
            const std::int32_t index = indices[held.channel];
            const std::int32_t significance = logits[i - begin] + near(code, held.channel);
            if (index != 0) {
                const std::int32_t sum = refinement(code, held.plane, index, significance);
                const bool more = code_bit<Question::refinement>(bits, codes[i] != 0, sum, chunk, i, index);
                codes[i] = static_cast<std::int8_t>(more ? (index > 0 ? 1 : -1) : 0);
            } else if (code_bit<Question::significance>(bits, codes[i] != 0, significance, chunk, i, index)) {
                const std::int32_t sum = sign(code, held.channel);
                codes[i] = code_bit<Question::sign>(bits, codes[i] > 0, sum, chunk, i, index) ? 1 : -1;
            } else {
                codes[i] = 0;
            }
            if (codes[i] != 0) changed_[changed++] = {held, codes[i]};
        }
        for (std::size_t i = 0; i < changed; ++i) tell(cell, changed_[i].held, changed_[i].code);
    }

    // A bit of a chunk's code `i`, of which the network says `sum`, Q14.
    template <Question kQuestion, class Bits>
    bool code_bit(Bits& bits, bool bit, std::int32_t sum, const EmbeddedOrder::Chunk& chunk, std::size_t i,
                  std::int32_t index) {
        if (corrections_ == nullptr) return bits.put(bit, static_cast<Probability>(probability_of_sum(sum + kSumOffset)));
        const EmbeddedOrder::Code held = chunk.codes[i];
        EmbeddedCorrections::Chosen corrections = corrections_->own(chunk.first + i, kQuestion);
        if (EmbeddedCorrections::expects(kQuestion, held.plane)) {
            const Expectation expected = around_.expect(coder_.latents(), chunk, held.channel);
            corrections_->add(corrections, chunk.first + i, kQuestion, expected, held.plane, index);
        }
        const std::int32_t p = logistic((sum + corrections.sum() + 2) >> 2);
        bit = bits.put(bit, static_cast<Probability>(p));
        corrections.learn(bit, p);
        return bit;
    }

    // What the same latent around the position says of its significance, Q14.
    std::int32_t near(std::size_t code, std::size_t channel) const {
        const std::int8_t* weights = tables_.near(code);
        std::int32_t sum = 0;
        for (std::size_t i = 0; i < sizes_.size(); ++i) sum += weights[i] * std::abs(sizes_[i][channel]);
        return sum * (1 << kNearShift);
    }

    std::int32_t sign(std::size_t code, std::size_t channel) const {
        const std::int8_t* weights = tables_.near_sign(code);
        std::int32_t around = 0;
        for (std::size_t i = 0; i < sizes_.size(); ++i) around += weights[i] * sizes_[i][channel];
        const std::int16_t* row = tables_.sign(code);
        std::int32_t sum = tables_.sign_bias(code) + around * (1 << kNearShift);
        for (std::size_t i = 0; i < tables_.inner_width; ++i) sum += row[i] * inner_[i];
        return sum;
    }

    std::int32_t refinement(std::size_t code, std::uint32_t plane, std::int32_t index, std::int32_t significance) const {
        const bool others = std::abs(index) != 1 << (plane + 1);
        const std::int32_t shared = std::clamp(significance, -kMostShared, kMostShared) >> kSharedShift;
        return tables_.refinement_bias(code, others) + tables_.refinement_share(code) * shared;
    }

    // Takes a code of the position into its index, and lets all that see it know.
    void tell(std::size_t cell, EmbeddedOrder::Code held, std::int8_t code) {
        const std::int32_t growth = coder_.latents().add(cell, held.channel, code, held.plane);
        compute_.add_scaled(tables_.own(code > 0, held.channel), tables_.inner_width, growth, inner_sums_.data());
        const auto& cells = around_.cells();
        for (std::size_t tap = 0; tap < cells.size(); ++tap) {
            // The tap of a kernel at the neighbour that looks back here.
            const std::int8_t* weights = tables_.around(code > 0, held.channel, cells.size() - 1 - tap);
            compute_.add_scaled(weights, tables_.width, growth, coder_.sums_.data() + cells[tap] * tables_.width);
        }
    }

    struct Changed {
        EmbeddedOrder::Code held;
        std::int8_t code;
    };

    EmbeddedNetworkCoder& coder_;
    EmbeddedCorrections* corrections_;
    const EmbeddedTables& tables_;
    const Instructions& compute_;
    // Of one position: what is around it, Q9 sums of its layers and their Q8 activations, log sizes around it.
    EmbeddedSurroundings around_;
    std::vector<std::int32_t> layer_sums_, inner_sums_;
    std::vector<std::int16_t> layer_, inner_, none_;
    std::array<const std::int8_t*, EmbeddedTables::kNeighbours> sizes_;
    std::array<Changed, kGroup> changed_;
};

}  // namespace recodec
