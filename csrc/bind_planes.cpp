#include <pybind11/stl.h>

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "bindings.hpp"
#include "chunk_coder.hpp"
#include "dense.hpp"
#include "entropy_tables.hpp"
#include "plane_header.hpp"
#include "plane_limits.hpp"

namespace recodec {

namespace {

using Arrays = std::map<std::string, Array<std::int32_t>>;

IntegerTensors to_tensors(const Arrays& arrays) {
    IntegerTensors tensors;
    for (const auto& [name, array] : arrays) {
        IntegerTensor& tensor = tensors[name];
        for (py::ssize_t axis = 0; axis < array.ndim(); ++axis) {
            tensor.shape.push_back(static_cast<std::size_t>(array.shape(axis)));
        }
        const auto values = view(array);
        tensor.values.assign(values.begin(), values.end());
    }
    return tensors;
}

std::shared_ptr<EmbeddedOrder> make_order(const Array<std::int32_t>& chunk_of, std::size_t chunks) {
    if (chunk_of.ndim() != 2) throw Error(Errc::format, "the order of embedded planes is no matrix");
    return std::make_shared<EmbeddedOrder>(view(chunk_of), static_cast<std::size_t>(chunk_of.shape(0)),
                                           static_cast<std::size_t>(chunk_of.shape(1)), chunks);
}

// As Python has it, which knows nothing of const.
using BoundPart = std::variant<std::monostate, std::shared_ptr<EmbeddedOrder>, std::shared_ptr<EntropyTables>,
                               std::shared_ptr<EmbeddedTables>>;

ModelPart to_part(const BoundPart& part) {
    return std::visit([](const auto& from) -> ModelPart { return from; }, part);
}

std::unique_ptr<ChunkCoder> make_chunk_coder(std::uint8_t entropy, std::uint8_t version, std::uint32_t depth,
                                             std::uint32_t rows, std::uint32_t columns,
                                             const BoundPart& part) {
    return std::make_unique<ChunkCoder>(
        EntropyCoder{entropy, version}, depth, rows, columns,
        to_part(part));
}

std::uint64_t bytes_of_coder(std::uint8_t entropy, std::uint8_t version, std::uint32_t depth, std::uint32_t rows,
                             std::uint32_t columns, const BoundPart& part, std::size_t threads) {
    return coder_bytes(EntropyCoder{entropy, version}, depth, rows, columns, to_part(part), threads);
}

py::bytes encode_plane(ChunkCoder& coder, const Array<std::int8_t>& codes) {
    require_equal(codes.size(), coder.plane_size(), "codes");
    Bytes payload;
    {
        py::gil_scoped_release release;
        payload = coder.encode(view(codes));
    }
    return to_bytes(payload);
}

// Room for as many planes as there are chunks, filled by `decode`.
template <class Decode>
std::vector<Array<std::int8_t>> decode_planes(const ChunkCoder& coder, const std::vector<py::buffer>& chunks,
                                              const Decode& decode) {
    const std::vector<BufferView> sources(chunks.begin(), chunks.end());
    const std::vector<ByteView> data(sources.begin(), sources.end());
    std::vector<Array<std::int8_t>> arrays;
    std::vector<std::span<std::int8_t>> planes;
    for (std::size_t i = 0; i < data.size(); ++i) {
        arrays.emplace_back(static_cast<py::ssize_t>(coder.plane_size(i)));
        planes.emplace_back(arrays.back().mutable_data(), coder.plane_size(i));
    }
    {
        py::gil_scoped_release release;
        decode(data, planes);
    }
    return arrays;
}

std::vector<Array<std::int8_t>> decode_payloads(ChunkCoder& coder, const std::vector<py::buffer>& payloads,
                                                std::size_t threads) {
    return decode_planes(coder, payloads,
                         [&](const auto& data, const auto& planes) { coder.decode(data, planes, threads); });
}

py::tuple decode_any(ChunkCoder& coder, const std::vector<py::buffer>& coded, std::size_t threads) {
    std::vector<std::uint32_t> checksums;
    const auto planes = decode_planes(
        coder, coded, [&](const auto& data, const auto& room) { checksums = coder.decode_any(data, room, threads); });
    return py::make_tuple(planes, checksums);
}

}  // namespace

void bind_planes(py::module_& m) {
    m.attr("PLANE_FAMILY") = kPlaneFamily;
    m.attr("ADAPTIVE") = EntropyCoder::kAdaptive;
    m.attr("NETWORK") = EntropyCoder::kNetwork;

    py::class_<PlaneHeader>(m, "PlaneHeader")
        .def(py::init<>())
        .def_readwrite("stride", &PlaneHeader::stride)
        .def_readwrite("depth", &PlaneHeader::depth)
        .def_property(
            "entropy", [](const PlaneHeader& h) { return h.entropy.kind; },
            [](PlaneHeader& h, std::uint8_t kind) { h.entropy.kind = kind; })
        .def_property(
            "entropy_version", [](const PlaneHeader& h) { return h.entropy.version; },
            [](PlaneHeader& h, std::uint8_t version) { h.entropy.version = version; })
        .def_readwrite("tile_columns", &PlaneHeader::tile_columns)
        .def_readwrite("tile_rows", &PlaneHeader::tile_rows)
        .def_readwrite("tile_halo", &PlaneHeader::tile_halo)
        .def_readwrite("arithmetic", &PlaneHeader::arithmetic)
        .def_property_readonly("embedded", [](const PlaneHeader& h) { return h.entropy.is_embedded(); })
        .def("positions", &PlaneHeader::positions, py::arg("side"));
    m.def("check_tiles", &check_tiles, py::arg("header"), py::arg("fields"));
    m.def("check_codes", &check_codes, py::arg("fields"), py::arg("planes"));
    m.def("coder_bytes", &bytes_of_coder, py::arg("entropy"), py::arg("version"), py::arg("depth"), py::arg("rows"),
          py::arg("columns"), py::arg("part"), py::arg("threads"));
    m.def("read_plane_header", &read_plane_header, py::arg("header"));
    m.def("write_plane_header",
          [](const PlaneHeader& fields, const Header& header) { return to_bytes(write_plane_header(fields, header)); });

    py::class_<EntropyTables, std::shared_ptr<EntropyTables>>(m, "EntropyTables")
        .def(py::init([](const Arrays& arrays) { return std::make_shared<EntropyTables>(to_tensors(arrays)); }),
             py::arg("tensors"))
        .def_readonly("iterations", &EntropyTables::iterations)
        .def_readonly("depth", &EntropyTables::depth)
        .def_property_readonly("symbols", [](const EntropyTables& tables) { return tables.ternary() ? 3 : 2; });
    py::class_<EmbeddedOrder, std::shared_ptr<EmbeddedOrder>>(m, "EmbeddedOrder")
        .def(py::init(&make_order), py::arg("chunk_of"), py::arg("chunks"))
        .def_property_readonly("channels", &EmbeddedOrder::channels)
        .def_property_readonly("chunks", &EmbeddedOrder::count);
    py::class_<EmbeddedTables, std::shared_ptr<EmbeddedTables>>(m, "EmbeddedTables")
        .def(py::init([](const Arrays& arrays, std::shared_ptr<EmbeddedOrder> order) {
                 return std::make_shared<EmbeddedTables>(to_tensors(arrays), std::move(order));
             }),
             py::arg("tensors"), py::arg("order"));
    m.def("chosen_instructions", [] { return chosen_instructions().name; });
    m.def("instructions", [] {
        std::vector<std::string> names;
        for (const Instructions& one : available_instructions()) names.emplace_back(one.name);
        return names;
    });

    py::class_<ChunkCoder>(m, "ChunkCoder")
        .def(py::init(&make_chunk_coder), py::arg("entropy"), py::arg("version"), py::arg("depth"), py::arg("rows"),
             py::arg("columns"), py::arg("part") = py::none())
        .def("encode", &encode_plane, py::arg("codes"))
        .def("decode", &decode_payloads, py::arg("payloads"), py::arg("threads") = 1)
        .def("decode_any", &decode_any, py::arg("coded"), py::arg("threads") = 1);
}

}  // namespace recodec
