#include <pybind11/stl.h>

#include <algorithm>
#include <utility>

#include "bindings.hpp"
#include "container.hpp"
#include "crc32c.hpp"
#include "png_alpha.hpp"

namespace recodec {

namespace {

Array<std::uint8_t> unfilter_rows(const py::buffer& scanlines, std::size_t height, std::size_t width) {
    if (height == 0 || width == 0) throw py::value_error("height and width must be 1 or more");
    const BufferView source(scanlines);
    Array<std::uint8_t> rows({static_cast<py::ssize_t>(height), static_cast<py::ssize_t>(width)});
    std::uint8_t* out = rows.mutable_data();
    {
        py::gil_scoped_release release;
        unfilter(source, width, {out, height * width});
    }
    return rows;
}

void set_model_hash(Header& header, const py::bytes& value) {
    const auto text = static_cast<std::string>(value);
    require_equal(static_cast<py::ssize_t>(text.size()), header.model_hash.size(), "model_hash");
    std::copy(text.begin(), text.end(), header.model_hash.begin());
}

void set_fields(Header& header, const py::buffer& value) {
    const ByteView bytes = BufferView(value);
    header.fields.assign(bytes.begin(), bytes.end());
}

}  // namespace

void bind_container(py::module_& m) {
    m.attr("FORMAT_VERSION") = kFormatVersion;
    m.attr("MAGIC") = to_bytes(kMagic);

    py::class_<Header>(m, "Header")
        .def(py::init<>())
        .def_readwrite("width", &Header::width)
        .def_readwrite("height", &Header::height)
        .def_readwrite("channels", &Header::channels)
        .def_readwrite("bit_depth", &Header::bit_depth)
        .def_readwrite("colour", &Header::colour)
        .def_readwrite("alpha", &Header::alpha)
        .def_readwrite("family", &Header::family)
        .def_readwrite("model", &Header::model)
        .def_property(
            "model_hash", [](const Header& h) { return to_bytes(h.model_hash); }, &set_model_hash)
        .def_property("fields", [](const Header& h) { return to_bytes(h.fields); }, &set_fields);

    py::class_<Chunk>(m, "Chunk")
        .def_readonly("type", &Chunk::type)
        .def_readonly("payload", &Chunk::payload)
        .def_readonly("size", &Chunk::size)
        .def_readonly("next", &Chunk::next);

    m.def("write_varint", [](std::uint32_t value) {
        Bytes out;
        put_varint(out, value);
        return to_bytes(out);
    });
    m.def("read_varint", [](const py::buffer& data, std::size_t offset) {
        const BufferView source(data);
        const ByteView bytes = source;
        return ByteReader(bytes, std::min(offset, bytes.size())).varint();
    });
    m.def("write_header", [](const Header& h) { return to_bytes(write_header(h)); });
    m.def("read_header", [](const py::buffer& data) {
        std::size_t end = 0;
        Header header = read_header(BufferView(data), end);
        return py::make_tuple(std::move(header), end);
    });
    m.def("write_chunk", [](std::uint8_t type, const py::buffer& payload) {
        return to_bytes(write_chunk(type, BufferView(payload)));
    });
    m.def("read_chunk_head",
          [](const py::buffer& data, std::size_t offset) { return read_chunk_head(BufferView(data), offset); });
    m.def("png_data", [](const py::buffer& png, std::uint32_t width, std::uint32_t height) {
        return to_bytes(png_data(BufferView(png), width, height));
    });
    m.def("unfilter", &unfilter_rows, py::arg("scanlines"), py::arg("height"), py::arg("width"));
    m.def(
        "crc32c", [](const py::buffer& data, std::uint32_t crc) { return crc32c(BufferView(data), crc); },
        py::arg("data"), py::arg("crc") = 0);
}

}  // namespace recodec
