// How the network coder codes the rows of planes. Part of network_coder.cpp alone.
#pragma once

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "logistic.hpp"
#include "network_coder.hpp"

namespace recodec {

// Codes rows of planes. What it holds is only of use within one position, so each thread has one of its own.
class NetworkCoder::RowCoder {
public:
    explicit RowCoder(const NetworkCoder& coder)
        : coder_(coder),
          tables_(*coder.tables_),
          compute_(coder.compute_),
          hidden_(tables_.width),
          sums_(tables_.bits_per_group()),
          activation_(tables_.width),
          code_sums_(tables_.row_size()),
          no_code_sums_(tables_.width),
          code_rows_(tables_.codes_per_group()) {}

    // Row y of the plane of an iteration, whose codes are `codes` (width x depth), and what it leaves in `here`.
    // `before` is what the plane before left, as far as one row below this.
    template <class Bits>
    void code(Bits& bits, std::size_t iteration, std::uint32_t y, Trace& here, const Trace& before,
              std::int8_t* codes) {
        const std::size_t start = coder_.grid_.cell_of(y, 0);
        if (iteration > 0) {
            choose_weights(iteration - 1);
            for (std::size_t x = 0; x < coder_.grid_.width; ++x) advance_state(iteration > 1, start + x, here, before);
        }
        choose_weights(iteration);
        for (std::size_t x = 0; x < coder_.grid_.width; ++x) {
            code_position(bits, iteration > 0, start + x, here, codes + x * coder_.depth_);
        }
    }

private:
    // From Q14 sums, to which rows in Q5 are added, to Q8 activations; embeddings come from Q12.
    static constexpr int kRowShift = 9;
    static constexpr Activation kLayer = {kRowShift, 6, 0};
    static constexpr Activation kEmbedding = {7, 4, -kActivationLimit};

    static constexpr std::size_t kBlock = 8;

    // The rows of a group's codes: those of code -1 in each of its `share` channels, `stride` apart; those of +1 are
    // `to_positive` behind them. What they say to the bits of the group begins at `direct`.
    struct Group {
        const std::int16_t* rows;
        std::size_t stride, to_positive, direct, share;
    };

    void choose_weights(std::size_t iteration) { number_ = std::min(iteration, tables_.iterations - 1); }

    // Where the position to the left begins, `rows` below the one above it.
    std::size_t left_of(std::size_t cell, std::size_t rows) const {
        const std::size_t row = coder_.grid_.row_cells();
        return (cell + rows * row - row - 1) * tables_.embedding_width;
    }

    // What the planes so far say of a position to the next.
    void advance_state(bool has_state, std::size_t cell, Trace& here, const Trace& before) {
        const std::size_t width = tables_.width, inputs = tables_.embedding_width;
        std::copy_n(tables_.state_bias(number_), width, hidden_.data());
        // The taps of a row are one product: its positions lie side by side, and so do their weights.
        for (std::size_t row = 0; row < 3; ++row) {
            const std::int16_t* from = before.embedded.data() + left_of(cell, row);
            compute_.add_product(from, tables_.state(3 * row), 3 * inputs, width, hidden_.data());
        }
        if (has_state) {
            const std::int16_t* from = before.state.data() + cell * width;
            compute_.add_product(from, tables_.recurrence(), width, width, hidden_.data());
        }
        compute_.activate(hidden_.data(), no_code_sums_.data(), width, kLayer, here.state.data() + cell * width);
    }

    template <class Bits>
    void code_position(Bits& bits, bool has_state, std::size_t cell, Trace& here, std::int8_t* codes) {
        const std::size_t width = tables_.width, inputs = tables_.embedding_width;
        std::int16_t* embedded = here.embedded.data();
        std::copy_n(tables_.hidden_bias(number_), width, hidden_.data());
        compute_.add_product(embedded + left_of(cell, 0), tables_.causal(0), 3 * inputs, width, hidden_.data());
        compute_.add_product(embedded + left_of(cell, 1), tables_.causal(3), inputs, width, hidden_.data());
        if (has_state) {
            const std::int16_t* state = here.state.data() + cell * width;
            compute_.add_product(state, tables_.former(), width, width, hidden_.data());
        }
        std::fill(code_sums_.begin(), code_sums_.end(), std::int16_t{0});
        for (std::size_t group = 0; group < tables_.groups; ++group) {
            compute_.activate(hidden_.data(), code_sums_.data(), width, kLayer, activation_.data());
            code_group(bits, group, codes + group * tables_.codes_per_group());
        }
        compute_.activate(tables_.embedding_bias(number_), code_sums_.data() + width, inputs, kEmbedding,
                          embedded + cell * inputs);
    }

    template <class Bits>
    void code_group(Bits& bits, std::size_t group, std::int8_t* codes) {
        const std::size_t share = tables_.codes_per_group(), count = tables_.bits_per_group();
        const std::size_t direct = tables_.width + tables_.embedding_width + group * count;
        std::copy_n(tables_.output_bias(number_, group), count, sums_.data());
        compute_.add_product(activation_.data(), tables_.output(number_, group), tables_.width, count, sums_.data());
        for (std::size_t bit = 0; bit < count; ++bit) {
            sums_[bit] += code_sums_[direct + bit] * (1 << kRowShift) + kSumOffset;
        }
        const Group part = {tables_.row(number_, false, group * share), tables_.row_size(),
                            tables_.depth * tables_.row_size(), direct, share};
        std::size_t rows_used = share;
        if (tables_.ternary()) {
            rows_used = code_ternary(bits, part, codes);
        } else {
            code_signs(bits, part, codes);
        }
        compute_.add_rows(code_rows_.data(), rows_used, tables_.row_size(), code_sums_.data());
    }

    template <class Bits>
    void code_signs(Bits& bits, Group group, std::int8_t* codes) {
        for (std::size_t start = 0; start < group.share; start += kBlock) {
            code_block(bits, group, start, codes + start);
            for (std::size_t later = start + kBlock; later < group.share; ++later) {
                for (std::size_t k = start; k < start + kBlock; ++k) {
                    sums_[later] += code_rows_[k][group.direct + later] * (1 << kRowShift);
                }
            }
        }
    }

    // A decoder knows a bit late, and the probability of the next takes as long again to find: so both that it may have
    // are found beforehand.
    template <class Bits>
    void code_block(Bits& shared_bits, Group group, std::size_t start, std::int8_t* codes) {
        Bits bits = shared_bits;  // of its own, so that it stays in registers
        std::array<std::int32_t, kBlock> sums;
        std::array<const std::int16_t*, kBlock> rows;
        std::copy_n(sums_.data() + start, kBlock, sums.data());
        const std::int16_t* negative = group.rows + start * group.stride + group.direct + start;
        std::uint32_t p = probability_of_sum(sums[0]);
        const auto code_sign = [&]<std::size_t K>(std::integral_constant<std::size_t, K>) {
            std::uint32_t next = 0, change = 0;
            if constexpr (K + 1 < kBlock) {
                next = probability_of_sum(sums[K + 1] + negative[K + 1] * (1 << kRowShift));
                change = next ^ probability_of_sum(sums[K + 1] + negative[group.to_positive + K + 1] * (1 << kRowShift));
            }
            const std::size_t mask = 0 - std::size_t{bits.put(codes[K] > 0, static_cast<Probability>(p))};
            rows[K] = negative + (mask & group.to_positive);
            for (std::size_t i = K + 1; i < kBlock; ++i) sums[i] += rows[K][i] * (1 << kRowShift);
            p = next ^ (change & static_cast<std::uint32_t>(mask));
            codes[K] = mask != 0 ? 1 : -1;
            negative += group.stride;
        };
        // Unrolled, so that the sums stay in registers.
        [&]<std::size_t... K>(std::index_sequence<K...>) {
            (code_sign(std::integral_constant<std::size_t, K>()), ...);
        }(std::make_index_sequence<kBlock>());
        for (std::size_t k = 0; k < kBlock; ++k) code_rows_[start + k] = rows[k] - group.direct - start;
        shared_bits = bits;
    }

    template <class Bits>
    std::size_t code_ternary(Bits& shared_bits, Group group, std::int8_t* codes) {
        Bits bits = shared_bits;
        std::int32_t* sums = sums_.data();
        const std::size_t share = group.share;
        std::size_t rows_used = 0;
        for (std::size_t k = 0; k < share; ++k) {
            if (!bits.put(codes[k] != 0, static_cast<Probability>(probability_of_sum(sums[k])))) {
                codes[k] = 0;
                continue;
            }
            const bool positive = bits.put(codes[k] > 0, static_cast<Probability>(probability_of_sum(sums[share + k])));
            codes[k] = positive ? 1 : -1;
            const std::int16_t* row = group.rows + k * group.stride + (positive ? group.to_positive : 0);
            code_rows_[rows_used++] = row;
            const std::int16_t* terms = row + group.direct;
            for (std::size_t i = k + 1; i < share; ++i) {
                sums[i] += terms[i] * (1 << kRowShift);
                sums[share + i] += terms[share + i] * (1 << kRowShift);
            }
        }
        shared_bits = bits;
        return rows_used;
    }

    const NetworkCoder& coder_;
    const EntropyTables& tables_;
    const Instructions& compute_;
    std::size_t number_ = 0;  // the iteration whose weights are in use
    // Of one position. Q14 sums of its layer and of the bits of a group, the layer's Q8 activation, and what
    // the rows of its own codes add up to, Q5.
    std::vector<std::int32_t> hidden_, sums_;
    std::vector<std::int16_t> activation_, code_sums_, no_code_sums_;
    std::vector<const std::int16_t*> code_rows_;  // the rows of a group's codes
};

}  // namespace recodec
