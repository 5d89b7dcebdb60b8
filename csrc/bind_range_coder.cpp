#include <algorithm>

#include "bindings.hpp"
#include "range_coder.hpp"

namespace recodec {

namespace {

void require_probabilities(std::span<const Probability> probabilities) {
    if (std::ranges::find(probabilities, Probability{0}) != probabilities.end()) {
        throw py::value_error("a probability is 0; they must lie in 1..65535");
    }
}

py::bytes range_encode(const Array<std::uint8_t>& bits, const Array<Probability>& probabilities) {
    require_equal(probabilities.size(), static_cast<std::size_t>(bits.size()), "probabilities");
    const auto b = view(bits);
    const auto p = view(probabilities);
    require_probabilities(p);
    Bytes out;
    {
        py::gil_scoped_release release;
        RangeEncoder encoder;
        for (std::size_t i = 0; i < b.size(); ++i) encoder.encode(b[i] != 0, p[i]);
        out = std::move(encoder).finish();
    }
    return to_bytes(out);
}

Array<std::uint8_t> range_decode(const py::buffer& data, const Array<Probability>& probabilities) {
    const BufferView source(data);
    const auto p = view(probabilities);
    require_probabilities(p);
    Array<std::uint8_t> bits(probabilities.size());
    std::uint8_t* out = bits.mutable_data();
    {
        py::gil_scoped_release release;
        RangeDecoder decoder(source);
        for (std::size_t i = 0; i < p.size(); ++i) out[i] = decoder.decode(p[i]);
    }
    return bits;
}

}  // namespace

void bind_range_coder(py::module_& m) {
    m.def("range_encode", &range_encode, py::arg("bits"), py::arg("probabilities"));
    m.def("range_decode", &range_decode, py::arg("data"), py::arg("probabilities"));
}

}  // namespace recodec
