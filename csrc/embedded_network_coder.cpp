#include "embedded_network_coder.hpp"

#include <algorithm>
#include <utility>

#include "embedded_rows.hpp"
#include "plane_pipeline.hpp"

namespace recodec {

EmbeddedNetworkCoder::EmbeddedNetworkCoder(std::uint32_t depth, std::uint32_t height, std::uint32_t width,
                                           std::shared_ptr<const EmbeddedTables> tables, bool learning)
    : EmbeddedCoder(depth, height, width, tables->order()),
      tables_(std::move(tables)),
      compute_(chosen_instructions()),
      sums_(size_product({grid_.cells(), tables_->width})),
      corrections_(learning ? order().codes() : 0) {}

template <class Bits>
void EmbeddedNetworkCoder::code_plane(Bits bits) {
    RowCoder rows(*this);
    for (std::uint32_t y = 0; y < grid_.height; ++y) rows.code(bits, at_work(), y, row(y));
}

void EmbeddedNetworkCoder::write_plane(RangeEncoder& encoder) {
    check_signs();
    code_plane(BitWriter(encoder));
}

void EmbeddedNetworkCoder::read_plane(const RangeDecoder& decoder) { code_plane(BitReader(decoder)); }

void EmbeddedNetworkCoder::decode_all(std::span<CodedPlane> planes, std::size_t threads) {
    const std::size_t workers = std::clamp(threads, std::size_t{1}, std::max(planes.size(), std::size_t{1}));
    std::size_t most = 0;
    for (std::size_t i = 0; i < planes.size(); ++i) most = std::max(most, row_size(iteration() + i));
    std::vector<RowCoder> coders(workers, RowCoder(*this));
    std::vector<std::vector<std::int8_t>> rows(workers, std::vector<std::int8_t>(most));
    std::vector<PlaneReader> readers(planes.begin(), planes.end());
    run_pipeline(planes.size(), grid_.height, 3, workers, [&](std::size_t worker, std::size_t i, std::uint32_t y) {
        coders[worker].code(readers[i].bits, iteration() + i, y, rows[worker].data());
        put_row(rows[worker].data(), iteration() + i, y, planes[i]);
    });
    add_iterations(planes.size());
}

}  // namespace recodec
