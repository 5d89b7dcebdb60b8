#include "network_coder.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include "error.hpp"
#include "logistic.hpp"

namespace recodec {

namespace {

// From Q14 sums, to which rows in Q5 are added, to Q8 activations; embeddings come from Q12.
constexpr int kRowShift = 9;
constexpr Activation kLayer = {kRowShift, 6, 0};
constexpr Activation kEmbedding = {7, 4, -kActivationLimit};

constexpr std::int32_t kLeastProbability = 32;

Probability probability(std::int32_t sum) {
    const std::int32_t p = logistic((sum + 2) >> 2);
    return static_cast<Probability>(std::clamp(p, kLeastProbability, 65536 - kLeastProbability));
}

}  // namespace

NetworkCoder::NetworkCoder(std::uint32_t depth, std::uint32_t height, std::uint32_t width,
                           std::shared_ptr<const ContextTables> tables)
    : PlaneCoder(depth, height, width), tables_(std::move(tables)), compute_(chosen_instructions()) {
    if (tables_->depth != depth) {
        throw Error(Errc::format, "the entropy network is for depth " + std::to_string(tables_->depth) +
                                      ", but the file has depth " + std::to_string(depth));
    }
    const std::size_t cells = planes_[0].size() / depth;
    embedded_.assign(cells * tables_->embedding_width, 0);
    hidden_.resize(tables_->width);
    activation_.resize(tables_->width);
    said_.resize(tables_->row_size());
    nothing_said_.assign(tables_->width, 0);
    sums_.resize(tables_->bits_per_group());
}

bool NetworkCoder::can_code(std::int8_t code) const {
    return code == 1 || code == -1 || (code == 0 && tables_->ternary());
}

std::int16_t* NetworkCoder::embedded_at(std::size_t cell, std::ptrdiff_t dy, std::ptrdiff_t dx) {
    const auto at = static_cast<std::ptrdiff_t>(cell) + dy * static_cast<std::ptrdiff_t>(row_) + dx;
    return embedded_.data() + static_cast<std::size_t>(at) * tables_->embedding_width;
}

template <class Bits>
void NetworkCoder::code_position(Bits bits, std::size_t cell) {
    const ContextTables& tables = *tables_;
    const std::size_t width = tables.width, inputs = tables.embedding_width;
    std::copy_n(tables.hidden_bias(number_), width, hidden_.data());
    // The taps of a row are one product: its positions lie side by side, and so do their weights.
    compute_.add_product(embedded_at(cell, -1, -1), tables.causal(0), 3 * inputs, width, hidden_.data());
    compute_.add_product(embedded_at(cell, 0, -1), tables.causal(3), inputs, width, hidden_.data());
    if (iteration_ > 0) {
        compute_.add_product(state_.data() + cell * width, tables.former(), width, width, hidden_.data());
    }
    std::fill(said_.begin(), said_.end(), std::int16_t{0});
    for (std::size_t group = 0; group < tables.groups; ++group) {
        compute_.activate(hidden_.data(), said_.data(), width, kLayer, activation_.data());
        code_group(bits, codes_at(0, cell), group);
    }
    compute_.activate(tables.embedding_bias(number_), said_.data() + width, inputs, kEmbedding, embedded_at(cell));
}

template <class Bits>
void NetworkCoder::code_group(Bits bits, std::int8_t* codes, std::size_t group) {
    const ContextTables& tables = *tables_;
    const std::size_t share = tables.codes_per_group(), count = tables.bits_per_group();
    const bool ternary = tables.ternary();
    std::int32_t* sums = sums_.data();
    std::copy_n(tables.output_bias(number_, group), count, sums);
    compute_.add_product(activation_.data(), tables.output(number_, group), tables.width, count, sums);
    const std::int16_t* direct = said_.data() + tables.width + tables.embedding_width + group * count;
    const auto probability_of = [&](std::size_t bit) {
        return probability(sums[bit] + direct[bit] * (1 << kRowShift));
    };
    for (std::size_t k = 0; k < share; ++k) {
        const std::size_t d = group * share + k;
        if (ternary && !bits.put(codes[d] != 0, probability_of(k))) {
            codes[d] = 0;
            continue;
        }
        const bool positive = bits.put(codes[d] > 0, probability_of(ternary ? share + k : k));
        codes[d] = positive ? 1 : -1;
        compute_.add_row(tables.row(number_, positive, d), tables.row_size(), said_.data());
    }
}

// What the planes so far say to the next.
void NetworkCoder::advance_state() {
    const ContextTables& tables = *tables_;
    const std::size_t width = tables.width, inputs = tables.embedding_width;
    const bool first = state_.empty();
    following_.resize(planes_[0].size() / depth_ * width);
    for_each_cell([&](std::size_t cell) {
        std::copy_n(tables.state_bias(number_), width, hidden_.data());
        for (std::size_t row = 0; row < 3; ++row) {
            const std::int16_t* from = embedded_at(cell, static_cast<std::ptrdiff_t>(row) - 1, -1);
            compute_.add_product(from, tables.state(3 * row), 3 * inputs, width, hidden_.data());
        }
        if (!first) {
            compute_.add_product(state_.data() + cell * width, tables.recurrence(), width, width, hidden_.data());
        }
        compute_.activate(hidden_.data(), nothing_said_.data(), width, kLayer, following_.data() + cell * width);
    });
    std::swap(state_, following_);
}

template <class Bits>
void NetworkCoder::code_plane(Bits bits) {
    if (iteration_ > 0) advance_state();
    number_ = std::min<std::size_t>(iteration_, tables_->iterations - 1);
    for_each_cell([&](std::size_t cell) { code_position(bits, cell); });
}

void NetworkCoder::write_plane(RangeEncoder& encoder) { code_plane(BitWriter(encoder)); }

void NetworkCoder::read_plane(RangeDecoder& decoder) { code_plane(BitReader(decoder)); }

}  // namespace recodec
