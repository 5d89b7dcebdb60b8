#include "network_coder.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include "error.hpp"
#include "network_rows.hpp"
#include "plane_pipeline.hpp"

namespace recodec {

NetworkCoder::NetworkCoder(std::uint32_t depth, std::uint32_t height, std::uint32_t width,
                           std::shared_ptr<const EntropyTables> tables)
    : PlaneCoder(depth, height, width), tables_(std::move(tables)), compute_(chosen_instructions()) {
    if (tables_->depth != depth) {
        throw Error(Errc::format, "the entropy network is for depth " + std::to_string(tables_->depth) +
                                      ", but the file has depth " + std::to_string(depth));
    }
    here_ = make_trace();
}

NetworkCoder::Trace NetworkCoder::make_trace() const {
    return {std::vector<std::int16_t>(size_product({grid_.cells(), tables_->embedding_width})),
            std::vector<std::int16_t>(size_product({grid_.cells(), tables_->width}))};
}

bool NetworkCoder::can_code(std::int8_t code) const {
    return code == 1 || code == -1 || (code == 0 && tables_->ternary());
}

void NetworkCoder::begin_plane() {
    codes_.resize(plane_size());
    if (before_.state.empty()) before_ = make_trace();
    std::swap(here_, before_);
}

template <class Bits>
void NetworkCoder::code_plane(Bits bits) {
    RowCoder rows(*this);
    for (std::uint32_t y = 0; y < grid_.height; ++y) rows.code(bits, iteration(), y, here_, before_, row(y));
}

void NetworkCoder::write_plane(RangeEncoder& encoder) { code_plane(BitWriter(encoder)); }

void NetworkCoder::read_plane(const RangeDecoder& decoder) { code_plane(BitReader(decoder)); }

void NetworkCoder::decode_all(std::span<CodedPlane> planes, std::size_t threads) {
    const std::size_t workers = std::clamp(threads, std::size_t{1}, std::max(planes.size(), std::size_t{1}));
    // One for each plane at work, and what the plane before the first of them left. Planes are taken and finished in
    // order, so that whoever takes a trace again is not in the way of anybody who still reads it.
    std::vector<Trace> traces(workers + 1);
    traces[0] = std::move(here_);
    for (std::size_t i = 1; i < traces.size(); ++i) traces[i] = make_trace();
    std::vector<RowCoder> coders(workers, RowCoder(*this));
    std::vector<std::vector<std::int8_t>> rows(workers, std::vector<std::int8_t>(row_size(0)));
    std::vector<PlaneReader> readers(planes.begin(), planes.end());
    run_pipeline(planes.size(), grid_.height, 2, workers, [&](std::size_t worker, std::size_t i, std::uint32_t y) {
        std::int8_t* row = rows[worker].data();
        coders[worker].code(readers[i].bits, iteration() + i, y, traces[(i + 1) % traces.size()], traces[i % traces.size()], row);
        put_row(row, iteration() + i, y, planes[i]);
    });
    here_ = std::move(traces[planes.size() % traces.size()]);
    add_iterations(planes.size());
}

}  // namespace recodec
