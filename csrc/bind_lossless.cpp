#include "bindings.hpp"
#include "lossless/strip_coder.hpp"

namespace recodec {

namespace {

using lossless::Effort;
using lossless::StripShape;

Effort effort_of(unsigned number) {
    if (number >= lossless::kEfforts) throw Error(Errc::format, "effort is " + std::to_string(number) + "; there are 0, 1 and 2");
    return static_cast<Effort>(number);
}

template <class T>
StripShape shape_of(const Array<T>& samples) {
    if (samples.ndim() != 3 || samples.size() == 0) throw py::value_error("samples must be height x width x channels");
    return {static_cast<std::uint32_t>(samples.shape(0)), static_cast<std::uint32_t>(samples.shape(1)),
            static_cast<std::size_t>(samples.shape(2)), 8 * int{sizeof(T)}};
}

template <class T>
py::bytes encode_strip(const Array<T>& samples, unsigned effort, std::size_t threads) {
    const StripShape shape = shape_of(samples);
    const Effort chosen = effort_of(effort);
    const auto given = view(samples);
    Bytes data;
    {
        py::gil_scoped_release release;
        const std::vector<std::uint16_t> wide(given.begin(), given.end());
        data = lossless::encode_strip(wide, shape, chosen, threads);
    }
    return to_bytes(data);
}

template <class T>
Array<T> decode_samples(const py::buffer& data, std::array<std::size_t, 3> size, Effort effort, std::size_t threads) {
    const BufferView source(data);
    Array<T> samples({size[0], size[1], size[2]});
    const StripShape shape = shape_of(samples);
    {
        py::gil_scoped_release release;
        std::vector<std::uint16_t> wide(shape.samples());
        lossless::decode_strip(source, shape, effort, wide, threads);
        std::ranges::transform(wide, samples.mutable_data(), [](std::uint16_t value) { return static_cast<T>(value); });
    }
    return samples;
}

py::array decode_strip(const py::buffer& data, std::uint32_t height, std::uint32_t width, std::size_t channels, int depth,
                       unsigned effort, std::size_t threads) {
    const std::array<std::size_t, 3> size = {height, width, channels};
    if (depth == 16) return decode_samples<std::uint16_t>(data, size, effort_of(effort), threads);
    if (depth == 8) return decode_samples<std::uint8_t>(data, size, effort_of(effort), threads);
    throw Error(Errc::format, "samples of " + std::to_string(depth) + " bits; a strip has 8 or 16");
}

}  // namespace

void bind_lossless(py::module_& m) {
    m.def("encode_strip", &encode_strip<std::uint8_t>, py::arg("samples").noconvert(), py::arg("effort") = 1,
          py::arg("threads") = 1);
    m.def("encode_strip", &encode_strip<std::uint16_t>, py::arg("samples").noconvert(), py::arg("effort") = 1,
          py::arg("threads") = 1);
    m.def("decode_strip", &decode_strip, py::arg("data"), py::arg("height"), py::arg("width"), py::arg("channels"),
          py::arg("depth") = 8, py::arg("effort") = 1, py::arg("threads") = 1);
    m.def("strip_memory", [](std::uint32_t height, std::uint32_t width, std::size_t channels, int depth, unsigned effort) {
        return lossless::strip_memory({height, width, channels, depth}, effort_of(effort));
    }, py::arg("height"), py::arg("width"), py::arg("channels"), py::arg("depth") = 8, py::arg("effort") = 1);
}

}  // namespace recodec
