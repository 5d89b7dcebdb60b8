// Python bindings: buffers in and out, GIL released, errors translated. No logic lives here.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <map>
#include <memory>
#include <mutex>

// Known once any header of the C library has been seen.
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "container.hpp"
#include "context_tables.hpp"
#include "crc32c.hpp"
#include "dense.hpp"
#include "error.hpp"
#include "plane_coder.hpp"
#include "range_coder.hpp"

namespace py = pybind11;
using namespace recodec;

namespace {

template <typename T>
using Array = py::array_t<T, py::array::c_style>;

template <typename T>
std::span<const T> view(const Array<T>& array) {
    return {array.data(), static_cast<std::size_t>(array.size())};
}

// A contiguous view of any bytes-like object, valid while the object lives.
class BufferView {
public:
    explicit BufferView(const py::buffer& source) : info_(source.request()) {
        if (info_.itemsize != 1 || info_.ndim != 1 || (info_.size > 1 && info_.strides[0] != 1)) {
            throw py::type_error("expected contiguous bytes, bytearray or memoryview");
        }
    }
    operator ByteView() const {
        return {static_cast<const std::uint8_t*>(info_.ptr), static_cast<std::size_t>(info_.size)};
    }

private:
    py::buffer_info info_;
};

py::bytes to_bytes(const Bytes& data) {
    return {reinterpret_cast<const char*>(data.data()), data.size()};
}

void require_equal(py::ssize_t got, std::size_t expected, const char* what) {
    if (static_cast<std::size_t>(got) != expected) {
        throw py::value_error(std::string(what) + " has " + std::to_string(got) + " elements; " +
                              std::to_string(expected) + " are needed");
    }
}

py::bytes range_encode(const Array<std::uint8_t>& bits, const Array<std::uint16_t>& probabilities) {
    require_equal(probabilities.size(), static_cast<std::size_t>(bits.size()), "probabilities");
    const auto b = view(bits);
    const auto p = view(probabilities);
    Bytes out;
    bool valid = true;
    {
        py::gil_scoped_release release;
        out.reserve(b.size() / 8 + 16);
        RangeEncoder encoder(out);
        for (std::size_t i = 0; i < b.size() && valid; ++i) {
            valid = p[i] != 0;
            encoder.encode(b[i] != 0, p[i]);
        }
        if (valid) encoder.finish();
    }
    if (!valid) throw py::value_error("a probability is 0; they must lie in 1..65535");
    return to_bytes(out);
}

Array<std::uint8_t> range_decode(const py::buffer& data, const Array<std::uint16_t>& probabilities) {
    const BufferView source(data);
    const auto p = view(probabilities);
    Array<std::uint8_t> bits(probabilities.size());
    std::uint8_t* out = bits.mutable_data();
    bool valid = true;
    {
        py::gil_scoped_release release;
        RangeDecoder decoder(source);
        for (std::size_t i = 0; i < p.size(); ++i) {
            valid &= p[i] != 0;
            out[i] = decoder.decode(p[i]);
        }
    }
    if (!valid) throw py::value_error("a probability is 0; they must lie in 1..65535");
    return bits;
}

std::shared_ptr<ContextTables> make_context_tables(const std::map<std::string, Array<std::int32_t>>& arrays) {
    std::map<std::string, IntegerTensor> tensors;
    for (const auto& [name, array] : arrays) {
        IntegerTensor& tensor = tensors[name];
        for (py::ssize_t axis = 0; axis < array.ndim(); ++axis) {
            tensor.shape.push_back(static_cast<std::size_t>(array.shape(axis)));
        }
        const auto values = view(array);
        tensor.values.assign(values.begin(), values.end());
    }
    return std::make_shared<ContextTables>(tensors);
}

// Without the GIL only this mutex keeps threads apart. It is taken after the GIL is released and given
// back before the GIL is taken again, so that no thread holds one of the two while it waits for the other.
struct LockedCoder {
    LockedCoder(std::uint32_t depth, std::uint32_t height, std::uint32_t width, std::uint8_t version,
                std::shared_ptr<ContextTables> network)
        : coder(make_plane_coder({network ? std::uint8_t{2} : std::uint8_t{1}, version}, depth, height, width, network)) {}

    std::unique_ptr<PlaneCoder> coder;
    std::mutex mutex;
};

// The checksum of a code chunk (FORMAT.md, "Code chunks") begins with its type and its payload; codes continue it.
std::uint32_t checksum_of_payload(ByteView payload) {
    const std::uint8_t type = static_cast<std::uint8_t>(ChunkType::codes);
    return crc32c(payload, crc32c(ByteView(&type, 1)));
}

py::tuple encode_plane(LockedCoder& locked, const Array<std::int8_t>& codes) {
    PlaneCoder& coder = *locked.coder;
    require_equal(codes.size(), coder.plane_size(), "codes");
    Bytes out;
    std::uint32_t crc = 0;
    {
        py::gil_scoped_release release;
        const std::lock_guard lock(locked.mutex);
        out = coder.encode(view(codes));
        crc = coder.checksum(checksum_of_payload(out));
    }
    return py::make_tuple(to_bytes(out), crc);
}

py::tuple decode_plane(LockedCoder& locked, const py::buffer& data) {
    PlaneCoder& coder = *locked.coder;
    const BufferView source(data);
    Array<std::int8_t> codes(static_cast<py::ssize_t>(coder.plane_size()));
    std::int8_t* out = codes.mutable_data();
    std::uint32_t crc = 0;
    {
        py::gil_scoped_release release;
        const std::lock_guard lock(locked.mutex);
        coder.decode(source, {out, coder.plane_size()});
        crc = coder.checksum(checksum_of_payload(source));
    }
    return py::make_tuple(codes, crc);
}

py::list decode_planes(LockedCoder& locked, const std::vector<py::buffer>& data, std::size_t threads) {
    PlaneCoder& coder = *locked.coder;
    std::vector<BufferView> sources(data.begin(), data.end());
    std::vector<Array<std::int8_t>> arrays;
    std::vector<CodedPlane> planes;
    for (const BufferView& source : sources) {
        arrays.emplace_back(static_cast<py::ssize_t>(coder.plane_size()));
        planes.push_back({source, {arrays.back().mutable_data(), coder.plane_size()}, 0});
    }
    {
        py::gil_scoped_release release;
        const std::lock_guard lock(locked.mutex);
        for (CodedPlane& plane : planes) plane.checksum = checksum_of_payload(plane.data);
        coder.decode_all(planes, threads);
    }
    py::list result;
    for (std::size_t i = 0; i < planes.size(); ++i) result.append(py::make_tuple(arrays[i], planes[i].checksum));
    return result;
}

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

}  // namespace

PYBIND11_MODULE(_core, m, py::mod_gil_not_used()) {
    m.doc() = "Range coder, adaptive contexts and container of recodec";
    m.attr("FORMAT_VERSION") = kFormatVersion;
    m.attr("MAGIC") = py::bytes(reinterpret_cast<const char*>(kMagic.data()), kMagic.size());
    m.attr("COMPILER") = RECODEC_COMPILER;

    static PyObject* core_error = PyErr_NewException("recodec._core.CoreError", nullptr, nullptr);
    m.add_object("CoreError", py::reinterpret_borrow<py::object>(core_error));
    py::register_exception_translator([](std::exception_ptr pointer) {
        try {
            if (pointer) std::rethrow_exception(pointer);
        } catch (const Error& error) {
            PyErr_SetObject(core_error, py::make_tuple(static_cast<int>(error.code()), error.what()).ptr());
        }
    });

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
            "model_hash",
            [](const Header& h) {
                return py::bytes(reinterpret_cast<const char*>(h.model_hash.data()), h.model_hash.size());
            },
            [](Header& h, const py::bytes& value) {
                const auto text = static_cast<std::string>(value);
                require_equal(static_cast<py::ssize_t>(text.size()), h.model_hash.size(), "model_hash");
                std::copy(text.begin(), text.end(), h.model_hash.begin());
            })
        .def_readwrite("stride", &Header::stride)
        .def_readwrite("depth", &Header::depth)
        .def_property(
            "entropy", [](const Header& h) { return h.entropy.kind; },
            [](Header& h, std::uint8_t kind) { h.entropy.kind = kind; })
        .def_property(
            "entropy_version", [](const Header& h) { return h.entropy.version; },
            [](Header& h, std::uint8_t version) { h.entropy.version = version; })
        .def_readwrite("tile_columns", &Header::tile_columns)
        .def_readwrite("tile_rows", &Header::tile_rows)
        .def_readwrite("tile_halo", &Header::tile_halo)
        .def_readwrite("arithmetic", &Header::arithmetic);

    py::class_<Chunk>(m, "Chunk")
        .def_readonly("type", &Chunk::type)
        .def_readonly("payload", &Chunk::payload)
        .def_readonly("size", &Chunk::size)
        .def_readonly("next", &Chunk::next);

    m.def("write_header", [](const Header& h) { return to_bytes(write_header(h)); });
    m.def("read_header", [](const py::buffer& data) {
        std::size_t end = 0;
        Header header = read_header(BufferView(data), end);
        return py::make_tuple(std::move(header), end);
    });
    m.def("write_chunk", [](std::uint8_t type, const py::buffer& payload) {
        return to_bytes(write_chunk(type, BufferView(payload)));
    });
    m.def("read_chunk", [](const py::buffer& data, std::size_t offset) {
        return read_chunk(BufferView(data), offset);
    });
    m.def("alpha_data", [](const py::buffer& png, const Header& header) {
        return to_bytes(alpha_data(BufferView(png), header));
    });
    m.def("unfilter", &unfilter_rows, py::arg("scanlines"), py::arg("height"), py::arg("width"));
    m.def(
        "crc32c", [](const py::buffer& data, std::uint32_t crc) { return crc32c(BufferView(data), crc); },
        py::arg("data"), py::arg("crc") = 0);

    m.def(
        "release_free_memory",
        [] {
#ifdef __GLIBC__
            malloc_trim(0);
#endif
        },
        py::call_guard<py::gil_scoped_release>());

    m.def("range_encode", &range_encode, py::arg("bits"), py::arg("probabilities"));
    m.def("range_decode", &range_decode, py::arg("data"), py::arg("probabilities"));

    py::class_<ContextTables, std::shared_ptr<ContextTables>>(m, "ContextTables")
        .def(py::init(&make_context_tables), py::arg("tensors"))
        .def_readonly("iterations", &ContextTables::iterations)
        .def_readonly("depth", &ContextTables::depth)
        .def_property_readonly("symbols", [](const ContextTables& tables) { return tables.ternary() ? 3 : 2; });
    m.def("instructions", [] {
        py::list names;
        for (const Instructions& one : available_instructions()) names.append(one.name);
        return names;
    });

    py::class_<LockedCoder>(m, "PlaneCoder")
        .def(py::init<std::uint32_t, std::uint32_t, std::uint32_t, std::uint8_t, std::shared_ptr<ContextTables>>(),
             py::arg("depth"), py::arg("height"), py::arg("width"), py::arg("version") = 1,
             py::arg("network") = nullptr)
        .def("encode", &encode_plane, py::arg("codes"))
        .def("decode", &decode_plane, py::arg("data"))
        .def("decode_all", &decode_planes, py::arg("data"), py::arg("threads"));
}
