#include "bindings.hpp"
#include "lossless/strip_coder.hpp"

namespace recodec {

namespace {

using lossless::StripShape;

StripShape shape_of(const Array<std::uint8_t>& samples) {
    if (samples.ndim() != 3 || samples.size() == 0) throw py::value_error("samples must be height x width x channels");
    return {static_cast<std::uint32_t>(samples.shape(0)), static_cast<std::uint32_t>(samples.shape(1)),
            static_cast<std::size_t>(samples.shape(2))};
}

py::bytes encode_strip(const Array<std::uint8_t>& samples, std::size_t threads) {
    const StripShape shape = shape_of(samples);
    Bytes data;
    {
        py::gil_scoped_release release;
        data = lossless::encode_strip(view(samples), shape, threads);
    }
    return to_bytes(data);
}

Array<std::uint8_t> decode_strip(const py::buffer& data, std::uint32_t height, std::uint32_t width,
                                 std::size_t channels, std::size_t threads) {
    const BufferView source(data);
    Array<std::uint8_t> samples({std::size_t{height}, std::size_t{width}, channels});
    const StripShape shape = shape_of(samples);
    {
        py::gil_scoped_release release;
        lossless::decode_strip(source, shape, {samples.mutable_data(), shape.samples()}, threads);
    }
    return samples;
}

}  // namespace

void bind_lossless(py::module_& m) {
    m.def("encode_strip", &encode_strip, py::arg("samples"), py::arg("threads") = 1);
    m.def("decode_strip", &decode_strip, py::arg("data"), py::arg("height"), py::arg("width"), py::arg("channels"),
          py::arg("threads") = 1);
    m.def("strip_memory", [](std::uint32_t height, std::uint32_t width, std::size_t channels) {
        return lossless::strip_memory({height, width, channels});
    });
}

}  // namespace recodec
